"""Notifications straight to a queue, as if it were subscribed to every topic."""

from __future__ import annotations

import json
import os
from pathlib import Path

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, aws_client, wait_for
from local.processes import Process, ReservedPort
from local.stack import BINARIES, EMULATOR, LocalStack


def test_a_queue_gets_notifications_in_snss_envelope(direct: LocalStack, tmp_path: Path) -> None:
    queue = direct.sqs.create_queue(QueueName="straight")["QueueUrl"]
    port = ReservedPort()
    url = f"http://127.0.0.1:{port.number}"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ENDPOINT_URL": direct.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
    }
    command = [str(BINARIES / EMULATOR), "--listen", f"127.0.0.1:{port.release()}", "--embedded", "memory"]
    command += ["--endpoint", "demo=echo", "--notify", f"sqs={queue}"]
    process = Process(EMULATOR, command, environment, tmp_path / "emulator.log")
    try:
        process.wait_until(lambda: b" listening on http://" in process.log.read_bytes(), PATIENCE_SECONDS)
        runtime = aws_client("sagemaker-runtime", url)
        runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x", InferenceId="straight")
        received: list[dict] = []

        def arrived() -> bool:
            answer = direct.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
            received.extend(answer.get("Messages", []))
            return bool(received)

        wait_for(arrived, PATIENCE_SECONDS, "message")
    finally:
        process.stop()
    envelope = json.loads(received[0]["Body"])
    assert envelope["Type"] == "Notification"
    assert envelope["TopicArn"] == "arn:aws:sns:us-east-1:000000000000:sagemaker-success"
    assert json.loads(envelope["Message"])["inferenceId"] == "straight"
