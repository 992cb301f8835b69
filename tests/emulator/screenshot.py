"""Makes docs/emulator.png anew: `.venv/local/bin/python -m tests.emulator.screenshot`."""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from pathlib import Path

from local.bridge import wait_for
from local.stack import ROOT
from tests.emulator.browser import chromium, prefer
from tests.emulator.conftest import Emulator

MODELS = ("summarizer=sleep:2", "transcriber=sleep:2.5", "moderation=fail")
VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/summarizer/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
BACKLOG = {
    "MetricName": "ApproximateBacklogSizePerInstance",
    "Namespace": "AWS/SageMaker",
    "Dimensions": [{"Name": "EndpointName", "Value": "summarizer"}],
    "Statistic": "Average",
}
# Until the policy has scaled, and while there is still work.
WORKS_SECONDS = 6


def main(path: Path) -> None:
    """Gives the emulator some work and takes a picture in the middle of it."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [part for model in MODELS for part in ("--endpoint", model)]
        emulator = Emulator((*arguments, "--time-scale", "60"), Path(scratch) / "log", {})
        try:
            emulator.wait()
            scale(emulator)
            invoke(emulator)
            time.sleep(WORKS_SECONDS)
            picture(emulator, path)
        finally:
            emulator.process.stop()


def scale(emulator: Emulator) -> None:
    scaling = emulator.client("application-autoscaling")
    scaling.register_scalable_target(**VARIANT, MinCapacity=1, MaxCapacity=4)
    scaling.put_scaling_policy(
        **VARIANT,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 5.0, "CustomizedMetricSpecification": BACKLOG},
    )


def invoke(emulator: Emulator) -> None:
    runtime, s3 = emulator.client("sagemaker-runtime"), emulator.client("s3")
    for number in range(9):
        key = f"input/meeting-{number}.wav"
        s3.put_object(Bucket="sagemaker", Key=key, Body=b"RIFF" * 100)
        runtime.invoke_endpoint_async(EndpointName="transcriber", InputLocation=f"s3://sagemaker/{key}")
    runtime.invoke_endpoint_async(EndpointName="moderation", Body=b"{}")
    for number in range(4711, 4821):
        body = b'{"inputs": "Everything that was said in the meeting ..."}'
        names = {"EndpointName": "summarizer", "InferenceId": f"order-{number}"}
        if number % 4 == 0:
            s3.put_object(Bucket="sagemaker", Key=f"input/{number}.json", Body=body)
            runtime.invoke_endpoint_async(InputLocation=f"s3://sagemaker/input/{number}.json", **names)
        else:
            runtime.invoke_endpoint_async(Body=body, ContentType="application/json", **names)


def picture(emulator: Emulator, path: Path) -> None:
    with chromium(1240, 760) as window:
        prefer(window, "light")
        window.get(f"{emulator.url}/#summarizer")
        wait_for(lambda: "done" in window.find_element("id", "rows").text, 20, "rows")
        path.write_bytes(base64.b64decode(window.get_screenshot_as_base64()))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/emulator.png")
