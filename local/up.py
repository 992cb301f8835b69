"""`make up`: leaves a local bridge running and prints what to try on it; `make down` ends it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from local.bridge import REGION, ROOT_KEY
from local.cases import ECHO_ENDPOINT, FAILING_ENDPOINT
from local.processes import group_members
from local.signals import run_to_its_end
from local.stack import ROOT, LocalStack, stop_detached

STATE = ROOT / ".local" / "state.json"

# Without indentation, so that every command can be pasted as it stands.
GUIDE = """
The bridge is up: endpoints {endpoints}.
Watch their queues, instances and invocations: {emulator_url}/

Paste any of these:

# what the commands below need; the keys are those of the local AWS
export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={key} AWS_DEFAULT_REGION={region}

# a request by SQS, and its result
aws --endpoint-url {url} sqs send-message --queue-url {RequestQueueUrl} --message-body '{{"inputs": "hello"}}'
aws --endpoint-url {url} sqs receive-message --queue-url {ResultsQueueUrl} --wait-time-seconds 10

# a request by HTTP that waits for its output; the result comes to the same queue too
curl --aws-sigv4 'aws:amz:{region}:execute-api' --user {key}:{key} \\
  --header 'Content-Type: application/json' --header 'Prefer: wait=15' --data '{{"inputs": "hello"}}' \\
  '{http_url}/invocations'

# with boto3, to the endpoint whose model fails; takes results until its own is among them
{python} - <<'PY'
import boto3, json
sqs = boto3.client("sqs", endpoint_url="{url}")
sent = sqs.send_message(
    QueueUrl="{RequestQueueUrl}",
    MessageBody='{{"inputs": "hello"}}',
    MessageAttributes={{"EndpointName": {{"DataType": "String", "StringValue": "{failing}"}}}},
)
result = {{}}
while result.get("inferenceId") != sent["MessageId"]:
    received = sqs.receive_message(QueueUrl="{ResultsQueueUrl}", WaitTimeSeconds=10)
    for message in received.get("Messages", []):
        result = json.loads(message["Body"])
        sqs.delete_message(QueueUrl="{ResultsQueueUrl}", ReceiptHandle=message["ReceiptHandle"])
print(json.dumps(result, indent=2))
PY

# what the doctor says of it; with SEND=1 it also sends one request of each kind
AWS_ENDPOINT_URL={url} AWS_ENDPOINT_URL_SAGEMAKER={emulator_url} make doctor STACK={name}

Logs {directory}, state {state}. `make down` ends it.
"""


def main() -> int:
    """Exit code 0 when a bridge is running at the end."""
    earlier = load_state()
    if earlier is not None and is_whole(earlier):
        print("already up")
        print(guide(earlier))
        return 0
    if earlier is not None:
        stop_detached(earlier)
        STATE.unlink()
    begun = time.monotonic()

    def report(line: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {line}", flush=True)

    with LocalStack({ECHO_ENDPOINT: "echo", FAILING_ENDPOINT: "fail"}, name="up", report=report) as stack:
        state = stack.description()
        STATE.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        stack.detach()
    report("up")
    print(guide(state))
    return 0


def load_state(path: Path = STATE) -> dict[str, Any] | None:
    """The state that `make up` wrote and `make down` has not removed yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def is_whole(state: dict[str, Any]) -> bool:
    """Whether every part of the stack still runs."""
    return all(group_members(process["group"]) for process in state["processes"].values())


def guide(state: dict[str, Any]) -> str:
    """Commands to paste, with everything filled in."""
    values = {
        **state["outputs"],
        "endpoints": ", ".join(f"{name} ({model})" for name, model in state["endpoints"].items()),
        "failing": FAILING_ENDPOINT,
        "key": ROOT_KEY,
        "region": REGION,
        "url": f"http://127.0.0.1:{state['port']}",
        "http_url": state["httpUrl"],
        "emulator_url": state["emulatorUrl"],
        "name": state["name"],
        "python": sys.executable,
        "directory": state["directory"],
        "state": STATE,
    }
    return GUIDE.format(**values)


if __name__ == "__main__":
    run_to_its_end(main)
