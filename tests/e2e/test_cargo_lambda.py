"""docs/cargo-lambda.md, run: the blocks marked `sh` in their order in one shell, those marked `sh server` beside it.

Only addresses, ports and directories are replaced, and on the local AWS the cross build by the debug binaries.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.archive import stripped
from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, Bridge, body_json
from local.processes import STOP_GRACE_SECONDS, Process, ReservedPort, stop_group
from local.stack import BINARIES, FUNCTIONS, ROOT, LocalStack

PAGE = (ROOT / "docs/cargo-lambda.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh( server)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BUILD = "cargo lambda build --release --arm64 --locked"
# Until a function is compiled, on a machine that is busy with other things.
COMPILED_WITHIN_SECONDS = 1200
NEXT = "---- next block ----"
# As the page has it.
TEMPLATES = "bucket-for-templates"


def blocks(heading: str, *, servers: bool = False) -> list[str]:
    """The blocks of a section that are run."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return [text for server, text in BLOCK.findall(section) if bool(server) == servers]


def environment(**variables: str) -> dict[str, str]:
    """This environment without what it knows of AWS, the page's tools in the path, and no network for Cargo."""
    tools = [ROOT / ".venv/build/bin", Path(sys.executable).parent]
    assert (tools[0] / "cargo-lambda").exists(), "no cargo-lambda: make .venv/build/.stamp"
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join([*map(str, tools), os.environ.get("PATH", os.defpath)])
    nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": ""}
    return {**own, **nobody, "PATH": path, "CARGO_NET_OFFLINE": "true", **variables}


def run(texts: list[str], variables: dict[str, str], timeout_seconds: float) -> list[str]:
    """What each block writes to standard output, run one after the other in one shell."""
    script = f"\necho '{NEXT}'\n".join(["set -euo pipefail", *texts])
    options = {"capture_output": True, "text": True, "timeout": timeout_seconds}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=variables, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(f"{NEXT}\n")[1:]


class OnThisMachine:
    """The page's three terminals, on free ports; the fourth is `run`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {name: ReservedPort() for name in ("emulator", "ministack", "watch")}
        self.processes: list[Process] = []

    def start(self) -> None:
        """Returns when all three listen."""
        variables = self.directory / "cargo-lambda.env"
        variables.write_text(self.with_ports((ROOT / "examples/cargo-lambda.env").read_text(encoding="utf-8")))
        for (name, port), command in zip(self.ports.items(), blocks("On this machine", servers=True), strict=True):
            assert name in command
            number = port.release()
            text = self.with_ports(command).replace("examples/cargo-lambda.env", str(variables))
            process = Process(name, ["bash", "-c", text], self.environment(), self.directory / f"{name}.log")
            self.processes.append(process)
            process.wait_until(lambda number=number: listens(number), PATIENCE_SECONDS)

    def environment(self) -> dict[str, str]:
        """Of each terminal. ministack takes its port from there, and keeps off others."""
        port = str(self.ports["ministack"].number)
        return environment(GATEWAY_PORT=port, IOT_MTLS_ENABLED="0", SFTP_ENABLED="0")

    def with_ports(self, text: str) -> str:
        """The page's text for these ports."""
        emulator, ministack, watch = (port.number for port in self.ports.values())
        for written, meant in (
            ("target/debug/sagemaker-async-emulator", f"{BINARIES}/sagemaker-async-emulator --listen 127.0.0.1:8080"),
            ("--invoke-address 127.0.0.1", f"--invoke-address 127.0.0.1 --invoke-port {watch}"),
            ("127.0.0.1:8080", f"127.0.0.1:{emulator}"),
            ("127.0.0.1:4566", f"127.0.0.1:{ministack}"),
        ):
            text = text.replace(written, meant)
        return text

    def run(self) -> list[str]:
        """The fourth terminal."""
        texts = [self.with_ports(text) for text in blocks("On this machine")]
        return run(texts, self.environment(), COMPILED_WITHIN_SECONDS)

    def stop(self) -> None:
        """Ends the terminals. `cargo lambda watch` gives each function a process group of its own."""
        for process in reversed(self.processes):
            below = psutil.Process(process.pid).children(recursive=True)
            process.stop()
            _, left = psutil.wait_procs(below, timeout=STOP_GRACE_SECONDS)
            for function in left:
                stop_group(function.pid)


def listens(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OnThisMachine]:
    """Everything of the page's first half, started."""
    machine = OnThisMachine(tmp_path)
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()


def test_both_functions_run_on_this_machine_as_the_page_says(machine: OnThisMachine) -> None:
    by_sqs, by_http, seen, collected, received = machine.run()
    assert json.loads(by_sqs) == {"batchItemFailures": []}
    answer = json.loads(by_http)
    assert answer["statusCode"] == 202
    invocations = json.loads(seen)["invocations"]
    event = json.loads((ROOT / "events/submit/sqs-inline.json").read_text(encoding="utf-8"))
    sent = [event["Records"][0]["messageId"], json.loads(answer["body"])["InferenceId"]]
    assert [invocation["inferenceId"] for invocation in reversed(invocations)] == sent
    assert collected.splitlines()[-1] == "null"
    (message,) = json.loads(received)["Messages"]
    assert message["MessageAttributes"]["InvocationStatus"]["StringValue"] == "Completed"
    assert json.loads(message["Body"])["responseBody"]["content"] == '{"summary": "A short one."}\n'


class DeployedByThePage(LocalStack):
    """A local AWS on which the page's second half has deployed the bridge."""

    def _deploy(self) -> None:
        self.target = self._scratch / "target"
        for name in FUNCTIONS:
            binary = self.target / "lambda" / name / "bootstrap"
            binary.parent.mkdir(parents=True)
            binary.write_bytes(stripped(self.binaries / name))
            binary.chmod(0o755)
        command = [sys.executable, str(ROOT / "examples/cargo_lambda.py"), str(self.target / "cargo-lambda")]
        subprocess.run(command, check=True)
        self.s3.create_bucket(Bucket=TEMPLATES)
        self.run(self.page())
        (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
        self._adapt()

    def page(self) -> list[str]:
        """The page's blocks for this stack."""
        texts = blocks("On AWS")
        assert BUILD in texts[1]
        parameters = " ".join(f"{name}={value}" for name, value in self._parameters().items())
        replaced = {
            "target/cargo-lambda": str(self.target / "cargo-lambda"),
            BUILD: "true",
            "EndpointName=summarizer": parameters,
        }
        for written, meant in replaced.items():
            texts = [text.replace(written, meant) for text in texts]
        return texts

    def run(self, texts: list[str]) -> None:
        """Runs commands with an administrator's keys."""
        key = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_KEY}
        region = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        where = {"AWS_ENDPOINT_URL": self.url, "CARGO_TARGET_DIR": str(self.target)}
        where |= {"STACK": self.name, "TEMPLATES": TEMPLATES}
        run(texts, environment(**key, **region, **where), timeout_seconds=4 * PATIENCE_SECONDS)

    def resource(self, logical_id: str) -> str:
        """The functions are none of the stack's resources, but have the names that it knows them by."""
        functions = {f"{name.capitalize()}Function": f"{self.name}-{name}" for name in FUNCTIONS}
        return functions.get(logical_id) or super().resource(logical_id)


@pytest.fixture(scope="module")
def deployed(direct: LocalStack) -> Iterator[DeployedByThePage]:
    """With the endpoints and parameters of `direct`."""
    with DeployedByThePage(direct.endpoints, visibility_timeout_seconds=None, name="sagemaker-async-bridge") as stack:
        yield stack


# But for the architecture, which is the binary's.
CONFIGURED = (
    *("Description", "Environment", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout"),
    "TracingConfig",
)


def configuration(stack: LocalStack, binary: str) -> dict[str, Any]:
    """What a function is and what it may do, with logical ids for the names that CloudFormation has made up."""
    functions, iam = stack.client("lambda"), stack.client("iam")
    name, role = (stack.resource(binary.capitalize() + kind) for kind in ("Function", "Role"))
    found = functions.get_function_configuration(FunctionName=name)
    described: dict[str, Any] = {key: found[key] for key in CONFIGURED}
    described["Trust"] = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    described["Policy"] = iam.get_role_policy(RoleName=role, PolicyName=binary)["PolicyDocument"]
    described["Attached"] = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    described["Concurrency"] = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    text = json.dumps(described, sort_keys=True).replace(stack.emulator_url, "SAGEMAKER").replace(stack.url, "AWS")
    for physical, logical in names(stack):
        text = text.replace(physical, logical)
    return json.loads(text)


def names(stack: Bridge) -> list[tuple[str, str]]:
    """Physical and logical ids of a stack's resources, the longest first; of a queue's URL its name too."""
    pages = stack.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    ids = [
        (entry["PhysicalResourceId"], entry["LogicalResourceId"])
        for page in pages
        for entry in page["StackResourceSummaries"]
    ]
    ids += [(physical.rsplit("/", 1)[1], logical) for physical, logical in ids if physical.startswith("http")]
    return sorted(ids, key=lambda pair: len(pair[0]), reverse=True)


@pytest.mark.parametrize("binary", FUNCTIONS)
def test_a_function_has_what_the_template_would_have_given_it(
    direct: LocalStack, deployed: DeployedByThePage, binary: str
) -> None:
    by_template = configuration(direct, binary)
    assert len(by_template["Environment"]["Variables"]) > 3
    assert len(by_template["Policy"]["Statement"]) > 3
    assert configuration(deployed, binary) == by_template


def test_the_deployed_functions_serve_the_queue_and_the_http_api_within_their_roles(
    deployed: DeployedByThePage,
) -> None:
    inline, large = deployed.send("hello"), deployed.send("x" * 200_000)
    assert body_json(deployed.wait_for_result(inline))["responseBody"]["content"] == "hello"
    assert body_json(deployed.wait_for_result(large))["responseBody"]["content"] == "x" * 200_000
    failing = deployed.send("hello", EndpointName="failing")
    assert body_json(deployed.wait_for_result(failing))["invocationStatus"] == "Failed"
    answer = deployed.http("POST", "/invocations", b"by HTTP", headers={"prefer": "wait=20"})
    assert (answer.status, answer.body) == (200, b"by HTTP")


def test_new_code_leaves_a_function_s_configuration_as_it_is(deployed: DeployedByThePage) -> None:
    before = configuration(deployed, "submit")
    command = 'cargo lambda deploy --binary-name submit "$STACK-submit"'
    assert command in PAGE
    deployed.run([command])
    assert configuration(deployed, "submit") == before


def test_other_parameters_reach_the_functions(deployed: DeployedByThePage) -> None:
    _, functions, settings, stack = deployed.page()
    changed = f"{stack.rstrip()} --parameter-overrides ResultFormat=raw MemorySize=512"
    deployed.run([changed, functions, settings])
    collect = configuration(deployed, "collect")
    assert collect["Environment"]["Variables"]["BRIDGE_RESULT_FORMAT"] == "raw"
    assert collect["Environment"]["Variables"]["BRIDGE_RESULT_LOCATION"] == "s3://Bucket/results/"
    assert (collect["MemorySize"], configuration(deployed, "submit")["MemorySize"]) == (512, 512)
