"""Commands for states that a local AWS cannot be brought into: the AWS CLI takes their names and options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from canned import only, stack_of
from test_endpoints import RIGHTS, described, result, role_answers
from test_parts import concurrency_row, function

from doctor.checks import endpoints, execution_role, functions, outputs, whole
from doctor.finding import Finding
from doctor.send.requests import log_commands
from local.bridge import REGION, ROOT_KEY

NOBODY = "http://127.0.0.1:1"


def with_key(key: str) -> Finding:
    config = described()["AsyncInferenceConfig"]
    changed = {"OutputConfig": {**config["OutputConfig"], "KmsKeyId": key}}
    answer = ("sagemaker", "describe_endpoint", described(AsyncInferenceConfig=changed))
    return list(outputs.check(stack_of([answer])))[-1]


def refused(**more: object) -> Finding:
    answers = role_answers(result(*RIGHTS[0], "implicitDeny", **more), *[result(*right) for right in RIGHTS[1:]])
    return next(iter(execution_role.check(stack_of(answers))))


def printed() -> set[str]:
    """The commands, each once."""
    lines: list[str] = []
    for status in ("CREATE", "UPDATE", "UPDATE_ROLLBACK", "DELETE", "IMPORT"):
        lines += whole.commands(stack_of(status=f"{status}_IN_PROGRESS"))
    for status in ("UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE"):
        lines += whole.commands(stack_of(status=status))
    for status in ("Creating", "Failed", "UpdateRollbackFailed"):
        lines += endpoints.recovery_commands("summarizer", status, "config")
    for configuration in ({"State": "Pending"}, {"LastUpdateStatus": "InProgress"}, {"State": "Inactive"}):
        found = functions.state_finding(function(**configuration)["Configuration"], "SubmitFunction")
        assert found is not None
        lines += found.commands
    gone = only(execution_role.check(stack_of(role_answers("NoSuchEntity: gone"))))
    denied = next(iter(execution_role.check(stack_of(role_answers(*["AccessDenied: no"] * 4)))))
    beyond = refused(PermissionsBoundaryDecisionDetail={"AllowedByPermissionsBoundary": False})
    findings = [gone, denied, beyond, refused(), refused(MissingContextValues=["aws:SourceVpce"])]
    findings += [with_key("0f0e"), with_key("alias/a"), concurrency_row(10, 1), concurrency_row(1000, 100)]
    lines += [command for finding in findings for command in finding.commands]
    lines += log_commands(stack_of(), "SubmitFunction", "CollectFunction")
    return {line for line in lines if not line.startswith(("#", "make "))}


@pytest.fixture(scope="module")
def nobody() -> dict[str, str]:
    """An AWS that cannot be reached: a command that gets as far as to call it was understood."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": NOBODY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": os.devnull,
    }


def test_the_cli_understands_every_command(nobody: dict[str, str]) -> None:
    commands = printed()
    assert len(commands) > 20
    for command in commands:
        assert command.startswith("aws "), command
        line = command.replace("aws ", f"{sys.executable} -m awscli ", 1)
        done = subprocess.run(
            ["bash", "-c", line], env=nobody, capture_output=True, text=True, check=False, timeout=600
        )
        assert f'Could not connect to the endpoint URL: "{NOBODY}' in done.stderr, f"{command}\n{done.stderr}"
