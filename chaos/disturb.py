"""What happens to the bridge during a run, beside the faults of single calls: kills, outages, expired credentials, a
permission that is missing for a while. A seed decides what comes when.
"""

from __future__ import annotations

import copy
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil

from chaos.faults import EXPIRED, UNAVAILABLE
from chaos.ledger import Kill
from chaos.stack import ChaosStack

# Of calls that reach SageMaker's runtime, the rest is the proxy's.
EMULATOR_FAULTS = {
    "throttling": 0.04,
    "server-error": 0.03,
    "dropped-before-acceptance": 0.02,
    "dropped-after-acceptance": 0.02,
    "latency-p50-seconds": 0.01,
    "latency-p99-seconds": 0.5,
    "latency-max-seconds": 3.0,
    "missing-output": 0.005,
    "duplicate-notification": 0.02,
    "lost-notification": 0.05,
    "delayed-notification": 0.03,
    "delay-seconds": 2.0,
    "reordered-notification": 0.03,
}
# Services of results that do not go to a queue.
DESTINATIONS = ("topics", "events", "states", "lambda")
EVERY_FAULT = {"throttled": 0.04, "unavailable": 0.03, "dropped-before": 0.02, "dropped-after": 0.02, "delayed": 0.01}
PROXY_FAULTS = {
    "sagemaker": {"dropped-before": 0.01, "dropped-after": 0.01, "delayed": 0.005},
    "sns": {"throttled": 0.04, "unavailable": 0.03, "dropped-before": 0.02, "dropped-after": 0.02},
    **dict.fromkeys(("s3", "sqs", *DESTINATIONS), EVERY_FAULT),
}
# Longer than a function may run: its batch ends at the deadline.
DELAY_SECONDS = 7.0

# From one disturbance to the next.
PAUSE_SECONDS = (0.5, 1.5)

# Statement of a role's policy that is taken away: role, policy, statement.
PERMISSIONS = (
    ("SubmitRole", "submit", "StoreInputs"),
    ("SubmitRole", "submit", "KeepRejectedRequests"),
    ("CollectRole", "collect", "ReadOutputs"),
)


class Disturber:
    """Disturbs until it is told to end, then mends everything."""

    def __init__(self, stack: ChaosStack, seed: int) -> None:
        self.stack = stack
        self.kills: list[Kill] = []
        self.events: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._plan: dict[str, Any] = {
            "seed": seed,
            "delay-seconds": DELAY_SECONDS,
            "services": copy.deepcopy(PROXY_FAULTS),
        }
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: Exception | None = None
        stack.proxy(self._plan)
        stack.emulator({"seed": seed, "all": EMULATOR_FAULTS})

    def start(self) -> Disturber:
        """Begins."""
        self._thread.start()
        return self

    def end(self) -> dict[str, int]:
        """Mends everything; tells how often each fault happened."""
        self.stop()
        injected = {f"emulator: {name}": count for name, count in self.stack.emulator()["injected"].items()}
        injected |= {f"proxy: {name}": count for name, count in self.stack.proxy()["injected"].items()}
        injected |= self.events
        self.stack.proxy({})
        self.stack.emulator({})
        if self._error:
            raise self._error
        return dict(sorted(injected.items()))

    def stop(self) -> None:
        """Disturbs no more; faults stay as they are."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        choices: tuple[tuple[Callable[[], None], int], ...] = (
            (self.kill, 6),
            (self.expire_credentials, 1),
            (self.break_service, 1),
            (self.take_permission, 1),
        )
        acts = [act for act, weight in choices for _ in range(weight)]
        try:
            while not self._end.wait(self._random.uniform(*PAUSE_SECONDS)):
                self._random.choice(acts)()
        except Exception as error:
            self._error = error

    def kill(self) -> None:
        """Kills up to three function processes, in whatever they are doing."""
        processes = self.stack.function_processes()
        for function, process in self._random.sample(processes, min(len(processes), 3)):
            number, begun = self._random.choice((signal.SIGKILL, signal.SIGTERM)), time.time()
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
            self.kills.append(Kill(time.time(), function, number.name, process.pid, begun))
            self.events[f"{function} killed by {number.name}"] += 1

    def expire_credentials(self) -> None:
        """For a while a service says that the credentials have expired."""
        self._for_a_while(EXPIRED, self._random.choice(("sagemaker", "s3", "sqs", *DESTINATIONS)))

    def break_service(self) -> None:
        """For a while a service is not there."""
        self._for_a_while(UNAVAILABLE, self._random.choice(("sagemaker", "s3", "sqs", *DESTINATIONS)))

    def _for_a_while(self, fault: str, service: str) -> None:
        self.events[f"{service} {fault} for a while"] += 1
        self.stack.proxy(self._plan | {"services": self._plan["services"] | {service: {fault: 1.0}}})
        self._end.wait(self._random.uniform(0.5, 3.0))
        self.stack.proxy(self._plan)

    def take_permission(self) -> None:
        """For a while a role lacks a permission."""
        role_id, policy, statement = self._random.choice(PERMISSIONS)
        self.events[f"{role_id} without {statement} for a while"] += 1
        iam = self.stack.client("iam")
        role = self.stack.resource(role_id)
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        left = [entry for entry in document["Statement"] if entry.get("Sid") != statement]
        if len(left) == len(document["Statement"]):
            raise RuntimeError(f"{role_id} has no statement {statement}")
        narrowed = json.dumps({**document, "Statement": left})
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=narrowed)
        try:
            self._end.wait(self._random.uniform(0.5, 3.0))
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
