"""Which ways out a request can ask for, by its way in."""

from __future__ import annotations

import itertools

from local.destinations import CALLBACK, RESULTS, TASK, WAYS_OUT
from local.sources import HTTP, S3, SENDERS

# There is no header for either, and an object has no place for any address.
NO_HEADER = {(HTTP, TASK), (HTTP, CALLBACK)}
NO_PLACE = {(S3, way) for way in WAYS_OUT if way != RESULTS}
PAIRS = [pair for pair in itertools.product(SENDERS, WAYS_OUT) if pair not in NO_HEADER | NO_PLACE]
