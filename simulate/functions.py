"""Lambda: a function that a queue feeds in batches, and one that is invoked for each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import simpy

from simulate.request import Request

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
FIRST_BATCHES = 5
MORE_BATCHES_PER_SECOND = 300 / 60


class Runs:
    """What a function did: how often, how long, and how many at once at most."""

    def __init__(self) -> None:
        self.count = 0
        self.messages = 0
        self.seconds = 0.0
        self.now = 0
        self.most = 0

    def begin(self, seconds: float, messages: int) -> None:
        """One more run."""
        self.count += 1
        self.messages += messages
        self.seconds += seconds
        self.now += 1
        self.most = max(self.most, self.now)

    def end(self) -> None:
        """One run less at once."""
        self.now -= 1


class QueueFed:
    """An SQS queue with its event source mapping."""

    def __init__(
        self,
        env: simpy.Environment,
        *,
        batch_size: int,
        window_seconds: float,
        max_concurrency: int,
        duration: Callable[[int], float],
        done: Callable[[list[Request]], None],
    ) -> None:
        self._env, self._duration, self._done = env, duration, done
        self._batch_size, self._window, self._max = batch_size, window_seconds, max_concurrency
        self._waiting: deque[tuple[float, Request]] = deque()
        self._busy_since: float | None = None
        self._wakes_at = float("inf")
        self.runs = Runs()
        self.in_flight = self.peak_backlog = 0

    @property
    def backlog(self) -> int:
        """Messages that wait or are in flight."""
        return len(self._waiting) + self.in_flight

    def put(self, request: Request) -> None:
        """One more message."""
        self._waiting.append((self._env.now, request))
        self.peak_backlog = max(self.peak_backlog, self.backlog)
        self._take()

    def _take(self) -> None:
        now = self._env.now
        while self._waiting:
            if self.runs.now >= self._allowed():
                # Those that run take the next batches when they end; a further one may be allowed before.
                if self.runs.now < self._max:
                    self._wake(now + 1 / MORE_BATCHES_PER_SECOND)
                return
            ready_at = self._waiting[0][0] + self._window
            if len(self._waiting) < self._batch_size and ready_at > now:
                self._wake(ready_at)
                return
            size = min(self._batch_size, len(self._waiting))
            self._run([self._waiting.popleft()[1] for _ in range(size)])
        self._busy_since = None

    def _allowed(self) -> float:
        """Batches at once: five, and more by and by while messages wait."""
        if self.runs.now < min(FIRST_BATCHES, self._max):
            return self._max
        if self._busy_since is None:
            self._busy_since = self._env.now
        more = (self._env.now - self._busy_since) * MORE_BATCHES_PER_SECOND
        return min(self._max, FIRST_BATCHES + int(more + 1e-6))

    def _run(self, batch: list[Request]) -> None:
        seconds = self._duration(len(batch))
        self.runs.begin(seconds, len(batch))
        self.in_flight += len(batch)

        def end() -> None:
            self.runs.end()
            self.in_flight -= len(batch)
            self._done(batch)
            self._take()

        after(self._env, seconds, end)

    def _wake(self, at: float) -> None:
        if at >= self._wakes_at > self._env.now:
            return
        self._wakes_at = at
        after(self._env, at - self._env.now, self._take)


class Invoked:
    """A function that is invoked for each message. What comes above the concurrency waits inside Lambda."""

    def __init__(
        self, env: simpy.Environment, *, concurrency: int, seconds: float, done: Callable[[list[Request]], None]
    ) -> None:
        self._env, self._concurrency, self._seconds, self._done = env, concurrency, seconds, done
        self._waiting: deque[Request] = deque()
        self.runs = Runs()
        self.peak_backlog = 0

    @property
    def backlog(self) -> int:
        """Events that wait or are at work."""
        return len(self._waiting) + self.runs.now

    def put(self, request: Request) -> None:
        """One more message."""
        self._waiting.append(request)
        self.peak_backlog = max(self.peak_backlog, self.backlog)
        self._take()

    def _take(self) -> None:
        while self._waiting and self.runs.now < self._concurrency:
            request = self._waiting.popleft()
            self.runs.begin(self._seconds, 1)
            after(self._env, self._seconds, partial(self._end, request))

    def _end(self, request: Request) -> None:
        self.runs.end()
        self._done([request])
        self._take()


def after(env: simpy.Environment, seconds: float, call: Callable[[], object]) -> None:
    """Calls later; cheaper than a process for each request."""
    callbacks = env.timeout(max(seconds, 0.0)).callbacks
    assert callbacks is not None
    callbacks.append(lambda _: call())
