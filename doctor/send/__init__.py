"""`make doctor SEND=1`: one request of each kind, and what becomes of it."""
