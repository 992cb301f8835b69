"""`LocalStack`: template.yaml deployed on ministack with IAM enforced, an emulator as its SageMaker endpoints.

    with LocalStack(endpoints={"demo": "echo"}) as stack:
        message_id = stack.send("hello")
        result = stack.wait_for_result(message_id)

Everything listens on 127.0.0.1 and on ports of its own, so several stacks can live side by side.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from local.archive import function_archive, with_code_uris
from local.gateway import HttpAnswer, call
from local.processes import Process, ReservedPort, StartError, stop_group, tail

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / "target" / "debug"
FUNCTIONS = ("submit", "collect")
EMULATOR = "sagemaker-async-emulator"

REGION = "us-east-1"
# ministack's root key: no policy binds it. The functions get sessions of their own roles instead.
ROOT_KEY = "test"

READY_TIMEOUT_SECONDS = 60
DEPLOY_TIMEOUT_SECONDS = 120
ARTIFACTS_BUCKET = "deployment-artifacts"


class LocalStack:
    """One deployed bridge. Use it as a context manager, or `start` and `stop` it."""

    def __init__(
        self,
        endpoints: Mapping[str, str] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        emulator_arguments: Iterable[str] = (),
        visibility_timeout_seconds: int | None = 2,
        binaries: Path = BINARIES,
        name: str = "bridge",
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Nothing starts yet.

        `endpoints`: endpoint name to the emulator's model (`echo`, `fail`, `sleep:S`, `http://host:port`); the first
        is the bridge's EndpointName, all may be named by a request. `parameters`: further template parameters.
        `emulator_arguments`: more of the emulator's own, such as `--throttle NAME=COUNT`.
        `visibility_timeout_seconds`: of the request and notification queues after the deployment. The template's own
        (minutes, as AWS asks for) would make every redelivery of a test take that long; None keeps it.
        `binaries`: directory with submit, collect and the emulator. `name`: prefix of the directory under .local/.
        `report`: is given a line as each step begins.
        """
        self.endpoints = dict(endpoints or {"demo": "echo"})
        self.parameters = dict(parameters or {})
        self.emulator_arguments = tuple(emulator_arguments)
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self.binaries = binaries
        self.name = name
        self.report = report
        self.keep_logs = False
        self.outputs: dict[str, str] = {}
        self.results: dict[str, list[dict[str, Any]]] = {}
        self._processes: list[Process] = []

    # ---- life ----

    def __enter__(self) -> LocalStack:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.keep_logs = self.keep_logs or kind is not None
        self.stop()

    def start(self) -> LocalStack:
        """Brings everything up. Whatever fails on the way, nothing stays running."""
        self._require_binaries()
        gateway, emulator = ReservedPort(), ReservedPort()
        self.port, self.emulator_port = gateway.number, emulator.number
        self.directory = ROOT / ".local" / f"{self.name}-{self.port}"
        self.scratch = self.directory / "tmp"
        self.scratch.mkdir(parents=True)
        try:
            self._start_ministack(gateway)
            self._deploy()
            self._start_emulator(emulator)
        except BaseException:
            self.keep_logs = True
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends every process, the functions' too, and removes what they wrote, except logs of a failed run."""
        while self._processes:
            self._processes.pop().stop()
        shutil.rmtree(self.scratch, ignore_errors=True)
        if not self.keep_logs:
            shutil.rmtree(self.directory, ignore_errors=True)

    def detach(self) -> dict[str, Any]:
        """Leaves the stack running after this process; returns what `stop_detached` and people need, JSON-ready."""
        processes, self._processes = self._processes, []
        return {
            "groups": {process.name: process.pid for process in processes},
            "port": self.port,
            "emulatorPort": self.emulator_port,
            "directory": str(self.directory),
            "endpoints": self.endpoints,
            "httpUrl": self.http_url,
            "outputs": self.outputs,
        }

    def _require_binaries(self) -> None:
        missing = [name for name in (*FUNCTIONS, EMULATOR) if not os.access(self.binaries / name, os.X_OK)]
        if missing:
            raise StartError(f"not in {self.binaries}: {', '.join(missing)}. Build them with: cargo build --workspace")

    # ---- ministack ----

    @property
    def url(self) -> str:
        """Address of every AWS service here. Not `localhost`: S3 clients would look for `bucket.localhost`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ministack_log(self) -> Path:
        """Log of ministack, with what the functions write in between."""
        return self.directory / "ministack.log"

    @property
    def emulator_log(self) -> Path:
        """Log of the emulator."""
        return self.directory / "emulator.log"

    def _start_ministack(self, port: ReservedPort) -> None:
        self.report(f"starting ministack on {self.url}")
        # Functions inherit this environment, so it holds nothing that Lambda would not give them but the addresses.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": str(self.scratch),
            "GATEWAY_PORT": str(port.release()),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.url,
            "MINISTACK_REGION": REGION,
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        ministack = Process("ministack", [sys.executable, "-m", "ministack"], environment, self.ministack_log)
        self._processes.append(ministack)
        ministack.wait_until(lambda: answers(f"{self.url}/_ministack/ready"), READY_TIMEOUT_SECONDS)

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this AWS with the root key."""
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}, max_pool_connections=64)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
            config=config,
            **options,
        )

    # ---- deployment ----

    def _deploy(self) -> None:
        self.s3, self.sqs, self.sns = self.client("s3"), self.client("sqs"), self.client("sns")
        self.cloudformation = self.client("cloudformation")
        self.report("uploading the functions")
        template = with_code_uris((ROOT / "template.yaml").read_text(encoding="utf-8"), self._upload_functions())
        self.report("deploying template.yaml")
        self.cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in self._parameters().items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._await_deployment()
        self._allow_plain_http()
        self._shorten_visibility_timeouts()

    def _upload_functions(self) -> dict[str, str]:
        self.s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
        uris = {}
        for name in FUNCTIONS:
            key = f"{name}.zip"
            self.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=function_archive(self.binaries / name))
            uris[name] = f"s3://{ARTIFACTS_BUCKET}/{key}"
        return uris

    def _parameters(self) -> dict[str, str]:
        first, *others = self.endpoints
        own = {
            "EndpointName": first,
            "AllowedEndpointNames": ",".join(others),
            "SageMakerRuntimeEndpointUrl": f"http://127.0.0.1:{self.emulator_port}",
        }
        return {**own, **self.parameters}

    def _await_deployment(self) -> None:
        deadline = time.monotonic() + DEPLOY_TIMEOUT_SECONDS
        while True:
            stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
            status = stack["StackStatus"]
            if status == "CREATE_COMPLETE":
                self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}
                return
            if status != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
                raise StartError(f"deployment ended as {status}:\n{self._failed_events()}\n{tail(self.ministack_log)}")
            time.sleep(0.1)

    def _failed_events(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "\n".join(
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}" for event in failed
        )

    def _allow_plain_http(self) -> None:
        """Takes the template's TLS-only policy off the bucket, after it has been deployed with the rest.

        Here everything is plain HTTP over loopback, and ministack enforces that statement as AWS does. Every
        permission that the functions have comes from their roles, so nothing else changes.
        """
        self.s3.delete_bucket_policy(Bucket=self.outputs["BucketName"])

    def _shorten_visibility_timeouts(self) -> None:
        if self.visibility_timeout_seconds is None:
            return
        timeout = {"VisibilityTimeout": str(self.visibility_timeout_seconds)}
        self.sqs.set_queue_attributes(QueueUrl=self.outputs["RequestQueueUrl"], Attributes=timeout)
        if self.parameters.get("NotificationDelivery") == "QUEUE":
            self.sqs.set_queue_attributes(QueueUrl=self.resource("NotificationQueue"), Attributes=timeout)

    def resource(self, logical_id: str) -> str:
        """Physical id of a resource of the template, such as the URL of a queue that is no output."""
        found = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    # ---- emulator ----

    def _start_emulator(self, port: ReservedPort) -> None:
        """Last, because it needs the bucket and the topics; the functions got its address beforehand."""
        self.report(f"starting {EMULATOR} on http://127.0.0.1:{port.number}")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        }
        command = [str(self.binaries / EMULATOR), "--listen", f"127.0.0.1:{port.release()}", *self._emulator_locations()]
        for name, model in self.endpoints.items():
            command += ["--endpoint", f"{name}={model}"]
        emulator = Process(EMULATOR, [*command, *self.emulator_arguments], environment, self.emulator_log)
        self._processes.append(emulator)
        emulator.wait_until(lambda: b" listening on http://" in self.emulator_log.read_bytes(), READY_TIMEOUT_SECONDS)

    def _emulator_locations(self) -> list[str]:
        bucket = self.outputs["BucketName"]
        return [
            *("--output-location", self.parameters.get("OutputLocation") or f"s3://{bucket}/output/"),
            *("--failure-location", self.parameters.get("FailureLocation") or f"s3://{bucket}/failure/"),
            *("--success-topic-arn", self.outputs["SuccessTopicArn"]),
            *("--error-topic-arn", self.outputs["ErrorTopicArn"]),
        ]

    # ---- use ----

    @property
    def bucket(self) -> str:
        """Name of the stack's bucket."""
        return self.outputs["BucketName"]

    @property
    def http_url(self) -> str:
        """Base URL of the HTTP API: what `ApiUrl` is on AWS."""
        return f"{self.url}/_aws/execute-api/{self.outputs['ApiId']}/$default"

    def send(self, body: str, **attributes: str | int) -> str:
        """Sends a request; attributes become message attributes. Returns the SQS message id."""
        sent = self.sqs.send_message(
            QueueUrl=self.outputs["RequestQueueUrl"],
            MessageBody=body,
            MessageAttributes={name: message_attribute(value) for name, value in attributes.items()},
        )
        return sent["MessageId"]

    def http(
        self, method: str, path: str, body: bytes = b"", *, sign: bool = True, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Calls the HTTP API; `path` begins with a slash."""
        credentials = Credentials(ROOT_KEY, ROOT_KEY) if sign else None
        return call(method, self.http_url + path, body, headers or {}, credentials, REGION)

    def receive(self, output: str, wait_seconds: int = 1) -> list[dict[str, Any]]:
        """Takes and deletes up to ten messages from the queue whose URL is this stack output."""
        queue = self.outputs[output]
        answer = self.sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def receive_all(self, output: str, count: int, timeout_seconds: float = 30) -> list[dict[str, Any]]:
        """Takes `count` messages, or as many as come in time; one more than asked for counts too."""
        messages: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_seconds
        while len(messages) < count and time.monotonic() < deadline:
            messages += self.receive(output)
        return messages

    def poll_results(self, wait_seconds: int = 1) -> None:
        """Takes what the results queue has into `results`: inference id to messages, in order of arrival."""
        for message in self.receive("ResultsQueueUrl", wait_seconds):
            attribute = message.get("MessageAttributes", {}).get("InferenceId", {})
            self.results.setdefault(attribute.get("StringValue", ""), []).append(message)

    def wait_for_result(self, inference_id: str, timeout_seconds: float = 30) -> dict[str, Any]:
        """The first result message of an inference id, whichever others arrive before it."""
        wait_for(lambda: self.results.get(inference_id) or self.poll_results(), timeout_seconds, f"result {inference_id}")
        return self.results[inference_id][0]


def message_attribute(value: str | int) -> dict[str, str]:
    """An SQS message attribute: Number for an int, else String."""
    return {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}


def wait_for(condition: Callable[[], Any], timeout_seconds: float, what: str) -> None:
    """Calls `condition` until it is true; `TimeoutError` names `what` did not come."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: nothing after {timeout_seconds:g} s")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def stop_detached(state: Mapping[str, Any]) -> None:
    """Ends a stack that `detach` left running."""
    for group in reversed(list(state["groups"].values())):
        stop_group(group)
    shutil.rmtree(state["directory"], ignore_errors=True)


def body_json(message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body of a received message."""
    return json.loads(message["Body"])
