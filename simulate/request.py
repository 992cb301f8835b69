"""One request on its way, and the times at which it got where."""

from __future__ import annotations


class Request:
    """Seconds from the start of the run; `nan` for what has not come."""

    __slots__ = ("accepted", "ended", "receipts", "sent", "started", "status", "told")

    def __init__(self, sent: float) -> None:
        self.sent = sent
        self.accepted = self.started = self.ended = self.told = float("nan")
        self.receipts = 0
        self.status = "InProgress"
