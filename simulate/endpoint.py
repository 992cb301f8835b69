"""An asynchronous endpoint: its queue, and the instances that take from it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial

import simpy

from simulate import parameters
from simulate.functions import after
from simulate.request import Request


class Endpoint:
    """Takes requests in their order, as many at once as its instances take."""

    def __init__(
        self, env: simpy.Environment, of: parameters.Endpoint, done: Callable[[Request], None], seed: int = 0
    ) -> None:
        self._env, self._of, self._done = env, of, done
        self._chance = random.Random(seed)
        self._waiting: deque[Request] = deque()
        self._running = 0
        self._watches = False
        self._tokens, self._tokens_at = of.accepted_per_second, 0.0
        self._billed_since = 0.0
        self._billed = 0.0
        self.ready = self.desired = of.initial_instances
        self.peak_backlog = 0
        self.peak_instances = self.ready
        self.throttled = 0

    @property
    def backlog(self) -> int:
        """Requests that wait or run, as ApproximateBacklogSize counts them."""
        return len(self._waiting) + self._running

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def invoke(self, request: Request) -> bool:
        """Whether the request was accepted. A rate above the limit is throttled; a second's worth may come at once."""
        if self._of.accepted_per_second and not self._has_token():
            self.throttled += 1
            return False
        request.accepted = self._env.now
        self._waiting.append(request)
        self._dispatch()
        self._watch()
        self.peak_backlog = max(self.peak_backlog, self.backlog)
        return True

    def _has_token(self) -> bool:
        rate, now = self._of.accepted_per_second, self._env.now
        self._tokens = min(rate, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True

    def _dispatch(self) -> None:
        while self._waiting and self._running < self.ready * self._of.concurrency:
            request = self._waiting.popleft()
            if self._expires_at(request) <= self._env.now:
                self._expire(request)
                continue
            request.started = self._env.now
            self._running += 1
            seconds = self._model_seconds()
            is_late = seconds > self._of.invocation_timeout_seconds
            after(
                self._env,
                min(seconds, self._of.invocation_timeout_seconds),
                partial(self._end, request, "Failed" if is_late else "Completed"),
            )

    def _model_seconds(self) -> float:
        mean, variation = self._of.model_seconds, self._of.model_variation
        if not variation:
            return mean
        return self._chance.gammavariate(1 / variation**2, mean * variation**2)

    def _end(self, request: Request, status: str) -> None:
        self._running -= 1
        self._finish(request, status)
        self._dispatch()

    def _finish(self, request: Request, status: str) -> None:
        request.ended, request.status = self._env.now, status
        self._done(request)

    def _expires_at(self, request: Request) -> float:
        return request.accepted + self._of.request_ttl_seconds

    def _expire(self, request: Request) -> None:
        self._finish(request, "Expired")

    def _watch(self) -> None:
        """Wakes when the oldest request that waits expires. All live equally long, so none expires before it."""
        if self._watches or not self._waiting:
            return
        self._watches = True
        after(self._env, self._expires_at(self._waiting[0]) - self._env.now, self._on_expiry)

    def _on_expiry(self) -> None:
        self._watches = False
        while self._waiting and self._expires_at(self._waiting[0]) <= self._env.now:
            self._expire(self._waiting.popleft())
        self._watch()

    def resize(self, wanted: int, done: Callable[[], None]) -> None:
        """Instances that are added take their time. Those that are taken away end what they run."""
        self._bill()
        self.desired = wanted
        self.peak_instances = max(self.peak_instances, wanted)
        if wanted <= self.ready:
            self.ready = wanted
            done()
            return

        def started() -> None:
            self.ready = wanted
            self._dispatch()
            done()

        after(self._env, self._of.start_seconds, started)

    def _bill(self) -> None:
        self._billed += (self._env.now - self._billed_since) * max(self.desired, self.ready)
        self._billed_since = self._env.now

    def instance_seconds(self) -> float:
        """What is paid for so far; an instance counts from the decision to start it."""
        self._bill()
        return self._billed
