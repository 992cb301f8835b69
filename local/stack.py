"""`LocalStack`: template.yaml deployed on ministack with IAM enforced, an emulator as its SageMaker endpoints.

    with LocalStack(endpoints={"demo": "echo"}) as stack:
        message_id = stack.send("hello")
        result = stack.wait_for_result(message_id)

Everything listens on 127.0.0.1 and on ports of its own, so several stacks can live side by side.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from local.archive import function_archive, with_code_uris, without_query_alarms
from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, Bridge
from local.permissions import allowed_besides
from local.processes import Process, ReservedPort, StartError, identity, stop_group, tail

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / os.environ.get("BINARIES_DIRECTORY", Path(os.environ.get("CARGO_TARGET_DIR", "target"), "debug"))
FUNCTIONS = ("submit", "collect")
EMULATOR = "sagemaker-async-emulator"
# What cargo builds for here, in Lambda's words. ministack runs anything; whoever looks at the stack sees that it fits.
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

DEPLOY_TIMEOUT_SECONDS = 2 * PATIENCE_SECONDS
ARTIFACTS_BUCKET = "deployment-artifacts"


def silent(_line: str) -> None:
    """The `report` of a stack that says nothing while it comes up."""


class LocalStack(Bridge):
    """A bridge that brings itself up and down. Use it as a context manager, or `start` and `stop` it."""

    def __init__(
        self,
        endpoints: Mapping[str, str] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        emulator_arguments: Iterable[str] = (),
        visibility_timeout_seconds: int | None = 2,
        binaries: Path = BINARIES,
        name: str = "bridge",
        report: Callable[[str], None] = silent,
    ) -> None:
        """Nothing starts yet.

        `endpoints`: endpoint name to the emulator's model (`echo`, `fail`, `sleep:S`, `http://host:port`); the first
        is the bridge's EndpointName, all may be named by a request. `parameters`: further template parameters.
        `emulator_arguments`: more of the emulator's own, such as `--throttle NAME=COUNT`.
        `visibility_timeout_seconds`: of the request and notification queues after the deployment. The template's own
        (minutes, as AWS asks for) would make every redelivery of a test take that long; None keeps it. Here it counts
        from the end of an invocation: local/services.py.
        `binaries`: directory with submit, collect and the emulator. `name`: prefix of the directory under .local/.
        `report`: is given a line as each step begins.
        """
        self._gateway, self._emulator = ReservedPort(), ReservedPort()
        super().__init__(name, self._gateway.number)
        self.endpoints = dict(endpoints or {"demo": "echo"})
        self.parameters = dict(parameters or {})
        self.emulator_arguments = tuple(emulator_arguments)
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self.binaries = binaries
        self.report = report
        self.keep_logs = False
        self.template = ""
        self.emulator_url = f"http://127.0.0.1:{self._emulator.number}"
        self.directory = ROOT / ".local" / f"{name}-{self.port}"
        self._scratch = self.directory / "tmp"
        self._processes: list[Process] = []
        self._detached = False

    # ---- life ----

    def __enter__(self) -> LocalStack:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.keep_logs = self.keep_logs or isinstance(error, Exception)
        self.stop()

    def start(self) -> LocalStack:
        """Brings everything up. Whatever fails on the way, nothing stays running."""
        self._require_binaries()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        try:
            self._start_ministack()
            self._deploy()
            self._start_emulator()
        except BaseException as error:
            self.keep_logs = isinstance(error, Exception)
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends every process, the functions' too, and removes what they wrote, except logs of a failed run."""
        if self._detached:
            return
        while self._processes:
            self._processes[-1].stop()
            self._processes.pop()
        shutil.rmtree(self._scratch, ignore_errors=True)
        if not self.keep_logs:
            shutil.rmtree(self.directory, ignore_errors=True)

    def description(self) -> dict[str, Any]:
        """What `stop_detached` and people need to know of a running stack, JSON-ready."""
        return {
            "processes": {
                process.name: {"group": process.pid, "identity": identity(process.pid)} for process in self._processes
            },
            "name": self.name,
            "port": self.port,
            "emulatorUrl": self.emulator_url,
            "directory": str(self.directory),
            "endpoints": self.endpoints,
            "httpUrl": self.http_url,
            "outputs": self.outputs,
        }

    def detach(self) -> None:
        """Leaves the stack running after this process: from now on only `stop_detached` ends it."""
        self._detached = True

    def _require_binaries(self) -> None:
        missing = [name for name in (*FUNCTIONS, EMULATOR) if not os.access(self.binaries / name, os.X_OK)]
        if missing:
            raise StartError(f"not in {self.binaries}: {', '.join(missing)}. Build them with: cargo build --workspace")

    # ---- ministack ----

    @property
    def ministack_log(self) -> Path:
        """Log of ministack, with what the functions write in between."""
        return self.directory / "ministack.log"

    @property
    def emulator_log(self) -> Path:
        """Log of the emulator."""
        return self.directory / "emulator.log"

    def _start_ministack(self) -> None:
        self.report(f"starting ministack on {self.url}")
        # Functions inherit this environment, so it holds nothing that Lambda would not give them but the addresses.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": str(self._scratch),
            "GATEWAY_PORT": str(self._gateway.release()),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.url,
            "MINISTACK_REGION": REGION,
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        command = [sys.executable, str(ROOT / "local" / "services.py"), *self._services()]
        ministack = Process("ministack", command, environment, self.ministack_log)
        self._processes.append(ministack)
        ministack.wait_until(lambda: answers(f"{self.url}/_ministack/ready"), PATIENCE_SECONDS)

    def _services(self) -> list[str]:
        """Arguments of `local/services.py`."""
        return []

    # ---- deployment ----

    def _deploy(self) -> None:
        self._create_stack()
        self.outputs |= self._await_deployment(self.name)
        self._adapt()

    def _create_stack(self) -> None:
        self.report("uploading the functions")
        template = without_query_alarms((ROOT / "template.yaml").read_text(encoding="utf-8"))
        self.template = with_code_uris(template, self._upload_functions())
        self.report("deploying template.yaml")
        self._create(self.name, self.template, self._parameters())

    def deploy(self, name: str, template: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Deploys one more stack; its outputs."""
        self._create(name, template, parameters)
        return self._await_deployment(name)

    def _create(self, name: str, template: str, parameters: Mapping[str, str]) -> None:
        key = f"{name}.yaml"
        self.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=template.encode())
        self.cloudformation.create_stack(
            StackName=name,
            # By URL, as `sam deploy` does: passed by value, a template may have 51,200 bytes.
            TemplateURL=f"{self.url}/{ARTIFACTS_BUCKET}/{key}",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )

    def _adapt(self) -> None:
        """Changes to what was deployed that AWS needs none of."""
        self.allow_plain_http()
        self._allow_what_aws_does()
        self.count_concurrency()
        self._tell_api_url()
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
            "SageMakerRuntimeEndpointUrl": self.emulator_url,
            "Architecture": ARCHITECTURE,
        }
        return {**own, **self.parameters}

    def _await_deployment(self, name: str) -> dict[str, str]:
        deadline = time.monotonic() + DEPLOY_TIMEOUT_SECONDS
        while True:
            stack = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            status = stack["StackStatus"]
            if status == "CREATE_COMPLETE":
                return {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}
            if status != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
                raise StartError(
                    f"deployment of {name} ended as {status}:\n{self._failed_events(name)}\n{tail(self.ministack_log)}"
                )
            time.sleep(0.1)

    def _failed_events(self, name: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "\n".join(
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}" for event in failed
        )

    def _allow_what_aws_does(self) -> None:
        """Adds to the functions' roles what the template's permissions allow on AWS, and not here."""
        iam = self.client("iam")
        for role in map(self.resource, ("SubmitRole", "CollectRole")):
            names = iam.list_role_policies(RoleName=role)["PolicyNames"]
            documents = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
            for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                version = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")["PolicyVersion"]
                documents[policy["PolicyName"]] = version["Document"]
            for name, document in documents.items():
                more = [added for statement in document["Statement"] for added in allowed_besides(statement)]
                if more:
                    more_document = json.dumps({**document, "Statement": more})
                    iam.put_role_policy(RoleName=role, PolicyName=f"{name}-more", PolicyDocument=more_document)

    def count_concurrency(self) -> None:
        """Gives the event source mappings their MaximumConcurrency once more, as a number.

        CloudFormation converts a Ref of a parameter, which is text, to the property's type. ministack leaves it text,
        and then its poller cannot compare it.
        """
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            scaling = {"MaximumConcurrency": int(mapping["ScalingConfig"]["MaximumConcurrency"])}
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)

    def _tell_api_url(self) -> None:
        """What the parameter ApiBaseUrl would do: the URL has the API's id in it, known only now.

        On AWS the gateway's own host name leads to the API; here a name would have to be resolved.
        """
        self.configure("SubmitFunction", {"BRIDGE_API_URL": self.http_url})

    def configure(self, function: str, variables: Mapping[str, str], **changes: Any) -> None:
        """Gives a function of the stack further environment variables, and other `changes` of its configuration."""
        functions, name = self.client("lambda"), self.resource(function)
        given = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        environment = {"Variables": {**given, **variables}}
        functions.update_function_configuration(FunctionName=name, Environment=environment, **changes)

    def _shorten_visibility_timeouts(self) -> None:
        if self.visibility_timeout_seconds is None:
            return
        timeout = {"VisibilityTimeout": str(self.visibility_timeout_seconds)}
        self.sqs.set_queue_attributes(QueueUrl=self.outputs["RequestQueueUrl"], Attributes=timeout)
        if self.parameters.get("S3Requests") == "true":
            self.sqs.set_queue_attributes(QueueUrl=self.resource("S3RequestQueue"), Attributes=timeout)
        if self.parameters.get("NotificationDelivery") == "QUEUE":
            self.sqs.set_queue_attributes(QueueUrl=self.resource("NotificationQueue"), Attributes=timeout)

    # ---- emulator ----

    def _start_emulator(self) -> None:
        """Last, because it needs the bucket and the topics; the functions got its address beforehand."""
        self.report(f"starting {EMULATOR} on {self.emulator_url}")
        command = [str(self.binaries / EMULATOR), "--listen", f"127.0.0.1:{self._emulator.release()}"]
        command += self._emulator_locations()
        for name, model in self.endpoints.items():
            command += ["--endpoint", f"{name}={model}"]
        emulator = Process(
            EMULATOR, [*command, *self.emulator_arguments], self._emulator_environment(), self.emulator_log
        )
        self._processes.append(emulator)
        emulator.wait_until(lambda: b" listening on http://" in self.emulator_log.read_bytes(), PATIENCE_SECONDS)

    def _emulator_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        }

    def invocations(self, endpoint: str, inference_id: str | None = None) -> list[dict[str, Any]]:
        """What an endpoint was asked to do, the newest first, as the emulator remembers it."""
        wanted = {"limit": "10000"} if inference_id is None else {"limit": "10000", "inferenceId": inference_id}
        url = f"{self.emulator_url}/_emulator/endpoints/{endpoint}/invocations?{urllib.parse.urlencode(wanted)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["invocations"]

    def _emulator_locations(self) -> list[str]:
        bucket = self.outputs["BucketName"]
        return [
            *("--output-location", self.parameters.get("OutputLocation") or f"s3://{bucket}/output/"),
            *("--failure-location", self.parameters.get("FailureLocation") or f"s3://{bucket}/failure/"),
            *("--success-topic-arn", self.outputs["SuccessTopicArn"]),
            *("--error-topic-arn", self.outputs["ErrorTopicArn"]),
        ]


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def stop_detached(state: Mapping[str, Any]) -> None:
    """Ends a stack that was left running, by its `description`; leaves a process alone that only has the same id."""
    for process in reversed(list(state["processes"].values())):
        # A group whose leader is gone keeps its number to itself until its last member has ended.
        if identity(process["group"]) in (process["identity"], None):
            stop_group(process["group"])
    shutil.rmtree(state["directory"], ignore_errors=True)
