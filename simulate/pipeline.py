"""The whole pipeline: from the request queue to the results queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import simpy

from simulate.autoscaling import Autoscaler
from simulate.endpoint import Endpoint
from simulate.functions import Invoked, QueueFed, Runs, after
from simulate.parameters import Parameters
from simulate.request import Request
from simulate.traffic import arrivals

# Of template.yaml, for NotificationDelivery QUEUE.
COLLECT_BATCH_SIZE = 100
COLLECT_WINDOW_SECONDS = 1
SAMPLE_SECONDS = 60


@dataclass
class Sample:
    """What waits where at one moment."""

    time: float
    request_queue: int
    endpoint: int
    notifications: int
    instances: int
    desired: int


@dataclass
class Run:
    """What came out."""

    parameters: Parameters
    requests: list[Request]
    samples: list[Sample] = field(default_factory=list)
    submit: Runs = field(default_factory=Runs)
    collect: Runs = field(default_factory=Runs)
    instance_seconds: float = 0.0
    peak_request_queue: int = 0
    peak_backlog: int = 0
    peak_notifications: int = 0
    peak_instances: int = 0
    throttled: int = 0
    activities: list[tuple[float, int]] = field(default_factory=list)


class Pipeline:
    """Connects the parts."""

    def __init__(self, parameters: Parameters) -> None:
        self.env = env = simpy.Environment()
        self.parameters = parameters
        bridge = parameters.bridge
        self.requests = [Request(time) for time in arrivals(parameters.traffic)]
        self._open = len(self.requests)
        self.request_queue = QueueFed(
            env,
            batch_size=bridge.batch_size,
            window_seconds=0,
            max_concurrency=bridge.max_concurrency,
            duration=self._submit_seconds,
            done=self._submitted,
        )
        self.endpoint = Endpoint(env, parameters.endpoint, self._ended, parameters.traffic.seed)
        bounds = (parameters.endpoint.min_instances, parameters.endpoint.max_instances)
        self.autoscaler = (
            Autoscaler(env, self.endpoint, parameters.scaling, bounds) if parameters.scaling.enabled else None
        )
        self.collect: QueueFed | Invoked
        if bridge.notification_delivery == "QUEUE":
            self.collect = QueueFed(
                env,
                batch_size=COLLECT_BATCH_SIZE,
                window_seconds=COLLECT_WINDOW_SECONDS,
                max_concurrency=bridge.max_concurrency,
                duration=self._collect_seconds,
                done=self._collected,
            )
        else:
            self.collect = Invoked(
                env, concurrency=bridge.lambda_concurrency, seconds=self._collect_seconds(1), done=self._collected
            )
        self.samples: list[Sample] = []
        self._all_answered = env.event()

    def run(self) -> Run:
        """Until the traffic has ended and every request is answered."""
        self.env.process(self._send())
        self.env.process(self._watch())
        self.env.run(
            until=self.env.all_of([self._all_answered, self.env.timeout(self.parameters.traffic.hours * 3600)])
        )
        return Run(
            parameters=self.parameters,
            requests=self.requests,
            samples=self.samples,
            submit=self.request_queue.runs,
            collect=self.collect.runs,
            instance_seconds=self.endpoint.instance_seconds(),
            peak_request_queue=self.request_queue.peak_backlog,
            peak_backlog=self.endpoint.peak_backlog,
            peak_notifications=self.collect.peak_backlog,
            peak_instances=self.endpoint.peak_instances,
            throttled=self.endpoint.throttled,
            activities=self.autoscaler.activities if self.autoscaler else [],
        )

    def _send(self) -> Iterator[simpy.Event]:
        if not self.requests:
            self._all_answered.succeed()
        for request in self.requests:
            if request.sent > self.env.now:
                yield self.env.timeout(request.sent - self.env.now)
            self.request_queue.put(request)

    def _watch(self) -> Iterator[simpy.Event]:
        while True:
            endpoint = self.endpoint
            self.samples.append(
                Sample(
                    self.env.now,
                    self.request_queue.backlog,
                    endpoint.backlog,
                    self.collect.backlog,
                    endpoint.ready,
                    endpoint.desired,
                )
            )
            yield self.env.timeout(SAMPLE_SECONDS)

    def _submit_seconds(self, messages: int) -> float:
        bridge, traffic = self.parameters.bridge, self.parameters.traffic
        # Each is a round trip of its own, which the messages of a batch make together.
        puts = (traffic.payload_bytes > bridge.inline_limit_bytes) + bridge.watch_unanswered + bridge.deduplicate
        return bridge.submit_seconds + puts * bridge.s3_put_seconds + messages * bridge.submit_message_seconds

    def _collect_seconds(self, messages: int) -> float:
        bridge = self.parameters.bridge
        return bridge.collect_seconds + messages * bridge.collect_message_seconds

    def _submitted(self, batch: list[Request]) -> None:
        bridge = self.parameters.bridge
        for request in batch:
            request.receipts += 1
            if self.endpoint.invoke(request):
                continue
            if request.receipts >= bridge.max_receive_count:
                request.status = "DeadLetter"
                self._close()
            else:
                after(self.env, bridge.visibility_timeout, partial(self.request_queue.put, request))

    def _ended(self, request: Request) -> None:
        after(self.env, self.parameters.bridge.sns_seconds, partial(self.collect.put, request))

    def _collected(self, batch: list[Request]) -> None:
        for request in batch:
            request.told = self.env.now
            self._close()

    def _close(self) -> None:
        self._open -= 1
        if not self._open:
            self._all_answered.succeed()


def simulate(parameters: Parameters) -> Run:
    """One run."""
    return Pipeline(parameters).run()
