"""The sweep's schedule, driven; and time, made to pass for requests that are remembered."""

from __future__ import annotations

import random
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from chaos.ledger import Hurried
from chaos.stack import ChaosStack
from local.stack import ROOT

EVENT = (ROOT / "events/collect/scheduled-event.json").read_bytes()
PREFIX = "pending/"
# Of records. What was given up is kept behind them, and begins with a letter.
RECORDS = f"{PREFIX}2"
# Overdue long ago.
PAST = "20200101T0000Z"
# From one sweep to the next, and of how many requests that wait for their answer the time passes before it: some of
# them are answered, and then their notification comes late.
PAUSE_SECONDS, HURRIED = 3.0, 3
# In the end. Each takes what it has time for.
SWEEPS = 60


class Sweeper:
    """Invokes `collect` as EventBridge's schedule does, until it is told to end."""

    def __init__(self, stack: ChaosStack, seed: int) -> None:
        self.stack = stack
        self.hurried: list[Hurried] = []
        self._lambda = stack.client("lambda")
        self._random = random.Random(seed)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Sweeps no more."""
        self._end.set()
        if self._thread:
            self._thread.join()

    def sweep_all(self) -> list[str]:
        """Hours pass, and everything is swept; gives the keys of the records that are left all the same."""
        if self._error:
            raise self._error
        for _ in range(SWEEPS):
            keys = self.remembered()
            if not keys:
                break
            self.hurry([key for key in keys if not key.startswith(PAST)])
            self.sweep()
        return self.remembered()

    def remembered(self) -> list[str]:
        """The keys of all records."""
        pages = self.stack.s3.get_paginator("list_objects_v2").paginate(Bucket=self.stack.bucket, Prefix=RECORDS)
        return [entry["Key"].removeprefix(PREFIX) for page in pages for entry in page.get("Contents", [])]

    def hurry(self, keys: list[str]) -> None:
        """Moves records to keys of long ago, unless they are gone meanwhile."""
        bucket = self.stack.bucket
        for key in keys:
            to = PAST + key[len(PAST) :]
            source = {"Bucket": bucket, "Key": PREFIX + key}
            at = time.time()
            try:
                self.stack.s3.copy_object(Bucket=bucket, Key=PREFIX + to, CopySource=source)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    continue
                raise
            self.stack.s3.delete_object(Bucket=bucket, Key=PREFIX + key)
            self.hurried.append(Hurried(at, key, to))

    def sweep(self) -> None:
        """One event of the schedule. Whatever becomes of it, the next one goes on with what is left."""
        try:
            self._lambda.invoke(FunctionName=self.stack.resource("CollectFunction"), Payload=EVENT)
        except (BotoCoreError, ClientError):
            return

    def _run(self) -> None:
        try:
            while not self._end.wait(PAUSE_SECONDS):
                keys = [key for key in self.remembered() if not key.startswith(PAST)]
                self.hurry(self._random.sample(keys, min(len(keys), HURRIED)))
                self.sweep()
        except Exception as error:
            self._error = error
