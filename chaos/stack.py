"""`ChaosStack`: the local stack with the proxy between the bridge and AWS, and with short times."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from chaos.faults import SERVICES
from local.bridge import PATIENCE_SECONDS, aws_client
from local.destinations import PARAMETERS
from local.processes import Process, ReservedPort
from local.sources import S3_PARAMETERS, connect
from local.stack import ROOT, LocalStack

ECHO, FAILING, FORBIDDEN = "echo", "failing", "someone-elses"
# One works longer than its requests may take; the other is deleted with requests in its queue.
SLOW, DOOMED = "slow", "doomed"
SLOW_SECONDS, NEVER_SECONDS = 30, 3_600

# Template: 30 s and 60 s, with visibility timeouts of 180 s and 361 s. Here a redelivery has to come within a run's
# time, and calls have to outlast the function, so that batches end at the deadline too. On a busy machine the local AWS
# was seen to take three seconds from a function's answer to the deletion of its messages, and to get no turn for five.
FUNCTION_TIMEOUT_SECONDS = 6
VISIBILITY_TIMEOUT_SECONDS = 18
# From one try of an event that nobody waits for to the next: 2 and 4 s, for Lambda's one and two minutes.
RETRY_SECONDS = 2

# As the SDKs call the services of the functions' calls, by the proxy's ways.
ENDPOINT_VARIABLES = {
    "s3": "S3",
    "sqs": "SQS",
    "topics": "SNS",
    "events": "EVENTBRIDGE",
    "states": "SFN",
    "lambda": "LAMBDA",
}

# The emulator's own tries of a Publish: SageMaker's way to SNS is not what is tested.
EMULATOR_MAX_ATTEMPTS = 10


class ChaosStack(LocalStack):
    """Notifications come by QUEUE: the local AWS gives a notification to a function only once, however it fails."""

    def __init__(
        self,
        name: str,
        *,
        parameters: Mapping[str, str] | None = None,
        function_timeout_seconds: int = FUNCTION_TIMEOUT_SECONDS,
        visibility_timeout_seconds: int = VISIBILITY_TIMEOUT_SECONDS,
        **more: Any,
    ) -> None:
        self._ports = {way: ReservedPort() for way in ("control", *SERVICES)}
        self.function_timeout_seconds = function_timeout_seconds
        super().__init__(
            {ECHO: "echo", FAILING: "fail", SLOW: f"sleep:{SLOW_SECONDS}"},
            parameters={
                "NotificationDelivery": "QUEUE",
                "HttpAuth": "NONE",
                "WatchUnanswered": "true",
                "AllowedEndpointNames": ",".join((FAILING, SLOW, DOOMED)),
                **S3_PARAMETERS,
                **PARAMETERS,
                "SageMakerRuntimeEndpointUrl": self.proxied("sagemaker"),
                **(parameters or {}),
            },
            visibility_timeout_seconds=visibility_timeout_seconds,
            name=name,
            emulator_arguments=("--instances", "4", "--max-concurrent-invocations-per-instance", "16"),
            **more,
        )

    @property
    def event_seconds(self) -> int:
        """How long after the last fault an event may be on its way to its next try."""
        return self.function_timeout_seconds + 2 * RETRY_SECONDS

    def proxied(self, way: str) -> str:
        """The proxy's address for a service."""
        return f"http://127.0.0.1:{self._ports[way].number}"

    @property
    def proxy_log(self) -> Path:
        """What became of each call."""
        return self.directory / "calls.jsonl"

    @property
    def function_log(self) -> Path:
        """What the functions wrote, by process."""
        return self.directory / "functions.jsonl"

    # ---- faults ----

    def proxy(self, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Puts a plan of the proxy in force, if one is given; tells which faults there were."""
        return exchange(self.proxied("control"), plan)

    def emulator(self, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The same with the emulator's faults."""
        return exchange(f"{self.emulator_url}/_emulator/faults", plan)

    def function_processes(self) -> list[tuple[str, psutil.Process]]:
        """The functions that run now, by name: `submit` or `collect`."""
        found = []
        for process in self._ministack_descendants():
            try:
                function = process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")
                if "bootstrap" in " ".join(process.cmdline()):
                    kind = "collect" if "ollect" in function else "submit"
                    found.append((kind, process))
            except psutil.Error:
                continue
        return found

    def _ministack_descendants(self) -> list[psutil.Process]:
        ministack = next(process for process in self._processes if process.name == "ministack")
        return psutil.Process(ministack.pid).children(recursive=True)

    # ---- an endpoint that ends ----

    def create_doomed(self) -> None:
        """An endpoint that works at one request for as long as it exists: all others are in its queue."""
        sagemaker = aws_client("sagemaker", self.emulator_url)
        variant = {"VariantName": "AllTraffic", "ModelName": DOOMED, "InitialInstanceCount": 1}
        topics = {"SuccessTopic": self.outputs["SuccessTopicArn"], "ErrorTopic": self.outputs["ErrorTopicArn"]}
        places = {"S3OutputPath": f"s3://{self.bucket}/output/", "S3FailurePath": f"s3://{self.bucket}/failure/"}
        role = "arn:aws:iam::000000000000:role/model"
        image = {"Image": f"sleep:{NEVER_SECONDS}"}
        sagemaker.create_model(ModelName=DOOMED, PrimaryContainer=image, ExecutionRoleArn=role)
        sagemaker.create_endpoint_config(
            EndpointConfigName=DOOMED,
            ProductionVariants=[variant | {"InstanceType": "ml.m5.large"}],
            AsyncInferenceConfig={
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
                "OutputConfig": places | {"NotificationConfig": topics},
            },
        )
        sagemaker.create_endpoint(EndpointName=DOOMED, EndpointConfigName=DOOMED)

    def delete_doomed(self) -> None:
        """Nobody will ever answer what is in its queue."""
        aws_client("sagemaker", self.emulator_url).delete_endpoint(EndpointName=DOOMED)

    # ---- bringing it up ----

    def _services(self) -> list[str]:
        return ["--retry-seconds", str(RETRY_SECONDS), "--function-log", str(self.function_log)]

    def _start_ministack(self) -> None:
        log = self.directory / "proxy.log"
        aws = f"127.0.0.1:{self.port}"
        upstreams = dict.fromkeys(SERVICES, aws) | {"sagemaker": self.emulator_url.removeprefix("http://")}
        ways = [f"{way}={self._ports[way].release()}={address}" for way, address in upstreams.items()]
        control = str(self._ports["control"].release())
        command = [sys.executable, "-m", "chaos.proxy", "--control", control, "--log", str(self.proxy_log), *ways]
        proxy = Process("proxy", command, {"PYTHONPATH": str(ROOT)}, log)
        self._processes.append(proxy)
        proxy.wait_until(lambda: b"listening" in log.read_bytes(), PATIENCE_SECONDS)
        super()._start_ministack()

    def _deploy(self) -> None:
        super()._deploy()
        ways = {f"AWS_ENDPOINT_URL_{name}": self.proxied(way) for way, name in ENDPOINT_VARIABLES.items()}
        for function in ("SubmitFunction", "CollectFunction"):
            self.configure(function, ways, Timeout=self.function_timeout_seconds)
        connect(self)

    def _start_emulator(self) -> None:
        super()._start_emulator()
        self.create_doomed()

    def _emulator_environment(self) -> dict[str, str]:
        ways = {"AWS_ENDPOINT_URL_SNS": self.proxied("sns"), "AWS_MAX_ATTEMPTS": str(EMULATOR_MAX_ATTEMPTS)}
        return super()._emulator_environment() | ways


def exchange(url: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """GETs a JSON document, or PUTs one."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
