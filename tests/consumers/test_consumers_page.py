"""What the consumers need: types that hold, and the commands of docs/consumers.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from local.stack import ROOT, LocalStack
from tests.consumers.running import STORE, TIMEOUT_SECONDS, messages_left, variables
from tests.node import NODE


def test_the_types_of_the_typescript_consumer_hold(typescript: Path) -> None:
    checked = subprocess.run(
        [*NODE, "node_modules/typescript/bin/tsc", "--noEmit"],
        check=False,
        cwd=typescript,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_commands_of_the_page_make_a_table_and_a_dead_letter_queue(stack: LocalStack) -> None:
    page = (ROOT / "docs/consumers.md").read_text(encoding="utf-8")
    commands = re.findall(r"^( *)```sh\n(.*?)^ *```$", page, flags=re.DOTALL | re.MULTILINE)
    assert len(commands) == 2
    dynamodb, queue = stack.client("dynamodb"), stack.sqs.create_queue(QueueName="consumed")["QueueUrl"]
    if STORE in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=STORE)
    # Version 1 of the CLI asks SQS at an address of its own whatever AWS_ENDPOINT_URL says.
    endpoint = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
    script = "set -eu\n" + endpoint + "".join(text for _, text in commands)
    environment = variables(stack) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RESULTS_QUEUE_URL": queue,
    }
    ran = subprocess.run(
        ["bash", "-c", script], check=False, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    schema = dynamodb.describe_table(TableName=STORE)["Table"]["KeySchema"]
    assert schema == [{"AttributeName": "id", "KeyType": "HASH"}]
    living = dynamodb.describe_time_to_live(TableName=STORE)["TimeToLiveDescription"]
    assert living["AttributeName"] == "expires"
    policy = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert json.loads(policy["RedrivePolicy"])["deadLetterTargetArn"].endswith(":results-dead-letters")
    assert messages_left(stack) == 0
