"""`make redrive` and `make replay`: what failed is tried again, once its reason is gone.

`redrive.py` takes what lies in a stack's dead-letter queues, `replay.py` results of failed inferences. Either makes
letters (`letters.py`) of it: each knows why it is there and how it is handed over, as a message to its queue
(`requests.py`) or as an event to its function (`events.py`). Without `--run` nothing is handed over.
"""
