"""docs/redrive.md: its options are make's and the programs', its rights are enough and needed."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from local.bridge import body_json
from local.stack import ROOT, LocalStack
from recovery import redrive, replay

PAGE = (ROOT / "docs/redrive.md").read_text(encoding="utf-8")
(POLICY,) = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
# Asked for here and unknown to AWS, where a batch takes the right of the single call (local/permissions.py).
BATCH = {"Effect": "Allow", "Action": "sqs:ChangeMessageVisibilityBatch", "Resource": "*"}


def by_make(target: str, *options: str) -> list[str]:
    """The arguments that make gives to the program."""
    # The flag keeps a make above this one, as in `make test`, from having its directory printed here.
    command = ["make", "--no-print-directory", "-n", "-o", ".venv/doctor/.stamp", target, *options]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    words = shlex.split(printed.replace("\\\n", " "))
    return words[words.index("-m") + 2 :]


def given(namespace: argparse.Namespace) -> dict[str, Any]:
    """What was given, without what was not."""
    return {name: value for name, value in vars(namespace).items() if value}


def test_make_hands_each_option_to_redrive() -> None:
    arguments = by_make("redrive", "STACK=s", "RUN=1", "QUEUE=EventDeadLetterQueue", "REASON=no right", "LIMIT=3")
    assert given(redrive.parse(arguments)) == {
        "stack": "s",
        "run": True,
        "queue": ["EventDeadLetterQueue"],
        "reason": "no right",
        "limit": 3,
    }
    arguments = by_make("redrive", "STACK=s", "FROM=http://a", "TO=http://b")
    assert given(redrive.parse(arguments)) == {"stack": "s", "source": "http://a", "to": "http://b"}


def test_make_hands_each_option_to_replay() -> None:
    arguments = by_make("replay", "STACK=s", "RESULTS=my results", "REASON=no right", "LIMIT=3", "RUN=1")
    assert given(replay.parse(arguments)) == {
        "stack": "s",
        "run": True,
        "results": "my results",
        "reason": "no right",
        "limit": 3,
    }
    assert given(replay.parse(by_make("replay", "STACK=s", "QUEUE=http://q", "REPLY_TO=team"))) == {
        "stack": "s",
        "queue": "http://q",
        "reply_to": "team",
    }


@pytest.mark.parametrize("option", ["RUN", "QUEUE", "REASON", "LIMIT", "FROM", "TO", "RESULTS", "REPLY_TO", "STACK"])
def test_each_option_is_on_the_page(option: str) -> None:
    assert f"{option}=" in PAGE


def test_the_documented_rights_are_those_of_the_calls() -> None:
    calls = set()
    for source in (ROOT / "recovery").glob("*.py"):
        calls |= set(re.findall(r'"(sqs|lambda)",\s*"([a-z_]+)"', source.read_text(encoding="utf-8")))
    names = {
        (service, "".join(part.capitalize() for part in call.removesuffix("_batch").split("_")))
        for service, call in calls
    }
    used = {f"{service}:{'InvokeFunction' if name == 'Invoke' else name}" for service, name in names}
    used |= {"cloudformation:DescribeStacks", "cloudformation:ListStackResources"}
    assert set(json.loads(POLICY)["Statement"][0]["Action"]) == used


def test_somebody_with_no_more_than_the_documented_rights_redrives_every_queue(
    stack: LocalStack, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = stack.client("iam")
    iam.create_user(UserName="on-call")
    policy = json.loads(POLICY)
    policy["Statement"].append(BATCH)
    iam.put_user_policy(UserName="on-call", PolicyName="recovery", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="on-call")["AccessKey"]
    detail = {"detail-type": "Request", "id": "e", "detail": {"Body": "an event", "InferenceId": "event"}}
    stack.sqs.send_message(QueueUrl=stack.resource("EventDeadLetterQueue"), MessageBody=json.dumps(detail))
    sent = stack.sqs.send_message(QueueUrl=stack.resource("RequestDeadLetterQueue"), MessageBody="a request")
    stack.sqs.send_message(QueueUrl=stack.resource("NotificationDeadLetterQueue"), MessageBody="no notification")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    code, text = run(redrive.main, stack.name, "--run")
    assert code == 1
    assert "access denied" not in text
    # A run of more than two seconds says more than once how far it is.
    handed_over = {line for line in text.splitlines() if line.endswith(": 1 handed over")}
    assert handed_over == {f"{name}: 1 handed over" for name in ("RequestDeadLetterQueue", "EventDeadLetterQueue")}
    assert "NotificationDeadLetterQueue: 0 handed over, 1 stay" in text
    assert body_json(stack.wait_for_result(sent["MessageId"]))["responseBody"]["content"] == "a request"
    assert body_json(stack.wait_for_result("event"))["responseBody"]["content"] == "an event"


def without_right(stack: LocalStack, action: str, patch: pytest.MonkeyPatch) -> None:
    """Makes the environment's credentials those of somebody who lacks one of the documented rights."""
    iam, name = stack.client("iam"), f"lacks-{action.split(':')[1]}"
    iam.create_user(UserName=name)
    policy = json.loads(POLICY)
    policy["Statement"][0]["Action"].remove(action)
    policy["Statement"].append(BATCH)
    iam.put_user_policy(UserName=name, PolicyName="recovery", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])


def test_a_right_that_is_missing_is_named_and_nothing_is_lost(
    stack: LocalStack, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        stack.sqs.send_message(QueueUrl=stack.resource("RequestDeadLetterQueue"), MessageBody=f"request {number}")
    without_right(stack, "sqs:SendMessage", monkeypatch)
    code, text = run(redrive.main, stack.name, "--run")
    assert code == 1
    assert text.count("the credentials lack sqs:SendMessage") == 3
    assert len(stack.receive("RequestDeadLetterQueueUrl")) == 3


def test_what_cannot_be_deleted_ends_the_sending_before_all_is_sent_twice(
    stack: LocalStack, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = (stack.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("kept-dead", "kept"))
    for number in range(30):
        stack.sqs.send_message(QueueUrl=source, MessageBody=f"request {number}")
    without_right(stack, "sqs:DeleteMessage", monkeypatch)
    code, text = run(redrive.main, stack.name, "--from", source, "--to", target, "--run")
    assert code == 1
    assert "it was handed over, and will be once more: access denied: the credentials lack sqs:DeleteMessage" in text
    name = "ApproximateNumberOfMessages"
    counts = [
        int(stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
        for url in (source, target)
    ]
    assert counts[0] == 30
    # As many as were on their way at once.
    assert 1 <= counts[1] <= 8
