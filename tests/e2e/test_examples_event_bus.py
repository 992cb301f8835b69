"""examples/event-bus: completed results reach a webhook, all others a queue."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local.bridge import PATIENCE_SECONDS, REGION, body_json
from local.pipelines import ACCOUNT
from local.stack import ROOT, LocalStack

BUS = "inference-results"
KEY = "the-webhook-key"


class Webhook(BaseHTTPRequestHandler):
    """Takes every POST."""

    requests: Queue[tuple[str, dict[str, str], bytes]] = Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def webhook_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/results"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def stack(webhook_url: str) -> Iterator[LocalStack]:
    parameters = {"ReplyToArns": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"}
    with LocalStack({"echo": "echo", "failing": "fail"}, parameters=parameters, name="event-bus") as stack:
        given = {"BusName": BUS, "WebhookUrl": webhook_url, "WebhookKeyHeader": "x-api-key", "WebhookKey": KEY}
        template = yaml_parse((ROOT / "examples/event-bus/template.yaml").read_text(encoding="utf-8"))
        # There is no TLS here.
        del template["Parameters"]["WebhookUrl"]["AllowedPattern"]
        stack.outputs |= stack.deploy("example", yaml.safe_dump(with_webhook(stack, template, given)), given)
        yield stack


def with_webhook(stack: LocalStack, template: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The template without what ministack's CloudFormation does not know, created as it says."""
    events, resources = stack.client("events"), template["Resources"]
    connection, webhook = (resources.pop(name)["Properties"] for name in ("WebhookConnection", "Webhook"))
    connection = replaced(connection, lambda node: given.get(node.get("Ref")))
    connection_arn = events.create_connection(Name="webhook", **connection)["ConnectionArn"]
    webhook = replaced(webhook, lambda node: given.get(node.get("Ref")))
    webhook |= {"ConnectionArn": connection_arn}
    arn = events.create_api_destination(Name="webhook", **webhook)["ApiDestinationArn"]
    return replaced(template, lambda node: arn if node == {"Fn::GetAtt": ["Webhook", "Arn"]} else None)


def replaced(node: Any, by: Any) -> Any:
    """A part of a template with those objects replaced that `by` gives something for."""
    if isinstance(node, list):
        return [replaced(item, by) for item in node]
    if not isinstance(node, dict):
        return node
    return by(node) or {key: replaced(value, by) for key, value in node.items()}


def test_a_completed_result_reaches_the_webhook_with_its_key(stack: LocalStack) -> None:
    stack.send("hello", ReplyTo=BUS, InferenceId="done")
    path, headers, body = Webhook.requests.get(timeout=PATIENCE_SECONDS)
    assert (path, headers["x-api-key"]) == ("/results", KEY)
    assert headers["content-type"].startswith("application/json")
    result = json.loads(body)
    assert (result["inferenceId"], result["invocationStatus"]) == ("done", "Completed")
    assert result["responseBody"] == {"content": "hello", "encoding": "UTF8"}


def test_every_other_result_lies_in_the_queue_and_the_webhook_gets_none(stack: LocalStack) -> None:
    stack.send("hello", ReplyTo=BUS, InferenceId="failed", EndpointName="failing")
    stack.send("%", ReplyTo=BUS, InferenceId="rejected", ContentEncoding="base64")
    results = [body_json(message) for message in stack.receive_all("FailuresQueueUrl", 2)]
    statuses = {result["inferenceId"]: result["invocationStatus"] for result in results}
    assert statuses == {"failed": "Failed", "rejected": "Rejected"}
    # What the webhook gets next is what was sent last.
    stack.send("last", ReplyTo=BUS, InferenceId="last")
    _, _, body = Webhook.requests.get(timeout=PATIENCE_SECONDS)
    assert json.loads(body)["inferenceId"] == "last"
    assert stack.receive("FailuresQueueUrl") == []
    assert stack.receive("UndeliveredQueueUrl") == []
