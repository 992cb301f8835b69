"""AWS's errors in words, commands as a shell reads them, and documentation that agrees with the program."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from canned import aws_of, stack_of

from doctor.aws import Aws
from doctor.checks import CHECKS
from doctor.commands import Shell, aws, environment
from doctor.faults import ACTIONS, READING, CannotLookError, fatal, in_words
from doctor.finding import findings_of, wrong
from doctor.stack import Stack
from local.stack import ROOT

URL = "https://sns.eu-central-1.amazonaws.com/"


def error(code: str, message: str = "", operation: str = "GetQueueAttributes") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (error("AccessDenied"), "access denied: the credentials lack sqs:GetQueueAttributes"),
        (error("AccessDeniedException", operation="GetStage"), "access denied: the credentials lack apigateway:GET"),
        (error("AuthorizationError", operation="ListSubscriptionsByTopic"), "sns:ListSubscriptionsByTopic"),
        (error("403", "Forbidden", operation="HeadObject"), "access denied: the credentials lack s3:GetObject"),
        (
            error("AccessDenied", "User: me is not authorized to perform: kms:Decrypt on resource: key"),
            "access denied: the credentials lack kms:Decrypt",
        ),
        (error("ThrottlingException"), "AWS throttles GetQueueAttributes: try again"),
        (error("InternalError", "sorry"), "GetQueueAttributes answered InternalError: sorry"),
        (ReadTimeoutError(endpoint_url=URL), f"no answer from {URL}"),
        (ConnectTimeoutError(endpoint_url=URL), f"no answer from {URL}"),
        (EndpointConnectionError(endpoint_url=URL), f"no answer from {URL}"),
    ],
)
def test_each_error_is_said_in_words(fault: Exception, words: str) -> None:
    assert words in in_words(fault)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (NoRegionError(), "no Region: set AWS_REGION"),
        (NoCredentialsError(), "no credentials"),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no credentials"),
        (ProfileNotFound(profile="nobody"), "nobody"),
        (UnauthorizedSSOTokenError(), "`aws sso login` may help"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), "`aws sso login` may help"),
        (error("ExpiredToken"), "the credentials have expired: sign in again"),
        (error("ExpiredTokenException"), "the credentials have expired: sign in again"),
        (error("RequestExpired"), "the credentials have expired: sign in again"),
        (error("InvalidClientTokenId"), "AWS does not accept the credentials (InvalidClientTokenId)"),
        (error("UnrecognizedClientException"), "AWS does not accept the credentials"),
        (error("SignatureDoesNotMatch"), "the clock of this machine"),
    ],
)
def test_what_every_other_call_would_meet_too_ends_the_run(fault: Exception, words: str) -> None:
    assert words in (fatal(fault) or "")


def test_an_access_that_is_denied_does_not_end_the_run() -> None:
    assert fatal(error("AccessDenied")) is None


def test_credentials_that_expire_on_the_way_end_the_run() -> None:
    stack = stack_of([("lambda", "get_account_settings", "ExpiredTokenException: The security token has expired")])
    with pytest.raises(CannotLookError, match="expired: sign in again"):
        findings_of("x", lambda: stack.aws.ask("lambda", "get_account_settings"))


def test_a_stack_that_may_not_be_described_names_the_right() -> None:
    with pytest.raises(CannotLookError, match=r"^stack bridge: access denied: .* lack cloudformation:DescribeStacks$"):
        Stack.find("bridge", aws_of([("cloudformation", "describe_stacks", "AccessDenied: no")]))


@pytest.mark.parametrize("operation", ["delete_message", "receive_message", "put_metric_alarm", "update_stack"])
def test_checks_cannot_ask_what_changes_something(operation: str) -> None:
    with pytest.raises(ValueError, match="may change something"):
        Aws().ask("sqs", operation)


def test_what_is_asked_twice_is_called_once() -> None:
    answer: dict[str, Any] = {"AccountLimit": {"ConcurrentExecutions": 7}}
    asked = aws_of([("lambda", "get_account_settings", answer)])
    assert asked.ask("lambda", "get_account_settings") is asked.ask("lambda", "get_account_settings")


def test_an_error_is_remembered_like_an_answer() -> None:
    asked = aws_of([("lambda", "get_account_settings", "AccessDenied: no")])
    for _ in range(2):
        with pytest.raises(ClientError, match="AccessDenied"):
            asked.ask("lambda", "get_account_settings")


# ---- commands ----


def test_a_command_s_words_are_those_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    document = {"a": "it's", "b": ["$HOME", "`x`", 'q"q']}
    command = aws("iam put-role-policy", role_name="a b", policy_document=document, names=["x", "y;z"], enabled=True)
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:5] == ["aws", "iam", "put-role-policy", "--role-name", "a b"]
    assert json.loads(words[6]) == document
    assert words[7:] == ["--names", "x", "y;z", "--enabled"]


def test_a_shell_s_variable_stays_one() -> None:
    assert aws("sns publish", topic_arn=Shell('"$TOPIC"')) == 'aws sns publish --topic-arn "$TOPIC"'


def test_commands_go_where_the_doctor_went_and_never_carry_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_SAGEMAKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "my profile")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert environment() == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:1",
        "export AWS_PROFILE='my profile'",
        "export AWS_REGION=eu-central-1",
    ]
    # Version 1 of the CLI takes no notice of AWS_ENDPOINT_URL for SQS.
    assert "--endpoint-url http://127.0.0.1:1" in aws("sqs purge-queue", queue_url="q")
    assert "--endpoint-url" not in aws("sns create-topic", name="t")


def test_there_is_no_wrong_without_a_command() -> None:
    with pytest.raises(ValueError, match="no command mends"):
        wrong("subject", "words")


# ---- documentation ----


def policies() -> list[set[str]]:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    return [set(json.loads(block)["Statement"][0]["Action"]) for block in blocks]


def test_the_documented_policies_are_the_actions_that_the_doctor_uses() -> None:
    looking, sending = policies()
    assert looking == set(READING.values())
    assert sending == set(ACTIONS.values()) - set(READING.values()) | {"execute-api:Invoke"}


def test_every_check_is_documented_under_its_name() -> None:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", page, flags=re.MULTILINE)[: len(CHECKS) - 1] == [*CHECKS][1:]


def test_every_call_in_the_program_has_its_action() -> None:
    """A call whose name is not in the table would be refused in the name of its operation."""
    calls = set()
    for source in (ROOT / "doctor").rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        calls |= set(re.findall(r'"((?:describe|get|list|simulate|receive|head)_[a-z_]+)"', text))
        calls |= set(re.findall(r"\.((?:send|delete|change)_[a-z_]+)\(", text))
    operations = {"".join(part.capitalize() for part in call.split("_")) for call in calls}
    assert operations == set(ACTIONS)
