"""What `--embedded DIR` keeps when the emulator is killed: queues, and what was created."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.processes import StartError
from tests.emulator.conftest import Emulator
from tests.emulator.killing import kill, log

TOPIC = "arn:aws:sns:us-east-1:000000000000:results"
VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/made/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TRACKING = {
    "TargetValue": 5.0,
    "CustomizedMetricSpecification": {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "made"}],
        "Statistic": "Average",
    },
}
STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
}


def create(emulator: Emulator, image: str, config: str = "made") -> None:
    """A model and a configuration of the same name, and the bucket of their outputs."""
    if config == "made":
        emulator.client("s3").create_bucket(Bucket="sagemaker")
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_model(ModelName=config, PrimaryContainer={"Image": image}, Tags=[{"Key": "a", "Value": "b"}])
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": config,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
    }
    output = {"S3OutputPath": "s3://sagemaker/output", "NotificationConfig": {"SuccessTopic": TOPIC}}
    sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[variant],
        AsyncInferenceConfig={
            "OutputConfig": output,
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
        },
    )


def seen(emulator: Emulator, name: str) -> dict[str, Any]:
    """What its page knows of an endpoint."""
    with urllib.request.urlopen(f"{emulator.url}/_emulator/endpoints", timeout=60) as answer:
        endpoints = json.load(answer)["endpoints"]
    return next(endpoint for endpoint in endpoints if endpoint["endpointName"] == name)


def output(emulator: Emulator, location: str) -> bytes | None:
    """The object of an output location, if it is there."""
    s3 = emulator.client("s3")
    try:
        return s3.get_object(Bucket="sagemaker", Key=location.removeprefix("s3://sagemaker/"))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def notified(path: Path) -> list[str]:
    """The inference ids of the notifications in a file."""
    # What stands behind the last newline is still being written.
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    messages = [json.loads(json.loads(line)["Message"]) for line in lines]
    return [message["inferenceId"] for message in messages if "inferenceId" in message]


def test_what_was_accepted_is_answered_after_a_kill(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place, notifications = ("--embedded", str(tmp_path / "kept")), tmp_path / "notifications.jsonl"
    one_at_once = ("--max-concurrent-invocations-per-instance", "2")
    first = start(*place, "--endpoint", "demo=sleep:3600", *one_at_once)
    first.client("s3").put_object(Bucket="sagemaker", Key="in", Body=b"by location")
    runtime = first.client("sagemaker-runtime")
    expected = {}
    for number in range(5):
        given = {"InputLocation": "s3://sagemaker/in"} if number % 2 else {"Body": b"\n\xff %d" % number}
        answer = runtime.invoke_endpoint_async(EndpointName="demo", InferenceId=f"i{number}", **given)
        expected[answer["OutputLocation"]] = given.get("Body", b"by location")
    wait_for(lambda: seen(first, "demo")["inProgress"] == 2, PATIENCE_SECONDS, "invocations in progress")
    kill(first)
    second = start(*place, "--endpoint", "demo=echo", "--notify", f"file={notifications}")
    wait_for(lambda: seen(second, "demo")["completed"] == 5, PATIENCE_SECONDS, "answers")
    assert {location: output(second, location) for location in expected} == expected
    wait_for(
        lambda: sorted(notified(notifications)) == [f"i{number}" for number in range(5)],
        PATIENCE_SECONDS,
        "notifications",
    )
    # They are done: a third run has nothing to do.
    wait_for(lambda: not list((tmp_path / "kept/.emulator/queue").glob("*/*")), PATIENCE_SECONDS, "the queue's end")
    kill(second)
    third = start(*place, "--endpoint", "demo=echo")
    assert {seen(third, "demo")[count] for count in ("queued", "inProgress", "completed")} == {0}


def test_what_was_created_is_there_after_a_kill(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    first = start(*place, "--image", "image=sleep:3600")
    create(first, "image")
    sagemaker = first.client("sagemaker")
    arn = sagemaker.create_endpoint(EndpointName="made", EndpointConfigName="made")["EndpointArn"]
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="made", WaiterConfig={"Delay": 1})
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "x"}])
    scaling = first.client("application-autoscaling")
    scaling.register_scalable_target(**VARIANT, MinCapacity=1, MaxCapacity=5)
    tracking = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": TRACKING}
    scaling.put_scaling_policy(**VARIANT, PolicyName="backlog", **tracking)
    steps = {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEPS}
    policy = scaling.put_scaling_policy(**VARIANT, PolicyName="wake", **steps)["PolicyARN"]
    first.client("cloudwatch").put_metric_alarm(
        AlarmName="backlog",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy],
    )
    capacity = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3, "DesiredWeight": 2.0}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName="made", DesiredWeightsAndCapacities=capacity)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="made", WaiterConfig={"Delay": 1})
    answer = first.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="made", Body=b"x")
    before = described(first, arn)
    # As on AWS, an endpoint outlives its model; the image is what the second run needs of it.
    sagemaker.delete_model(ModelName="made")
    kill(first)
    second = start(*place, "--image", "image=echo")
    with pytest.raises(second.client("sagemaker").exceptions.ClientError, match="Could not find model"):
        second.client("sagemaker").describe_model(ModelName="made")
    assert without_fractions(described(second, arn), before) == before
    wait_for(lambda: output(second, answer["OutputLocation"]) == b"x", PATIENCE_SECONDS, "the answer")


def described(emulator: Emulator, arn: str) -> list[Any]:
    """Everything about the endpoint `made`, but for the state of its alarms, which changes by the minute."""
    sagemaker, scaling = emulator.client("sagemaker"), emulator.client("application-autoscaling")
    alarms = emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
    answers = [
        sagemaker.describe_endpoint(EndpointName="made"),
        sagemaker.describe_endpoint_config(EndpointConfigName="made"),
        sagemaker.list_tags(ResourceArn=arn),
        scaling.describe_scalable_targets(ServiceNamespace="sagemaker"),
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker"),
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
    assert len(alarms) == 3
    return [*answers, [{key: value for key, value in alarm.items() if "State" not in key} for alarm in alarms]]


def without_fractions(value: Any, before: Any) -> Any:
    """A value with each time as it was before, if it is the same to the millisecond: its last bit may change."""
    if isinstance(value, datetime) and isinstance(before, datetime):
        return before if abs(value - before) < timedelta(milliseconds=1) else value
    if isinstance(value, dict) and isinstance(before, dict):
        return {key: without_fractions(member, before.get(key)) for key, member in value.items()}
    if isinstance(value, list) and isinstance(before, list) and len(value) == len(before):
        return [without_fractions(*pair) for pair in zip(value, before, strict=True)]
    return value


def test_an_endpoint_without_instances_has_none_after_a_restart(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    first = start(*place)
    create(first, "image")
    first.client("sagemaker").create_endpoint(EndpointName="made", EndpointConfigName="made")

    def resize(emulator: Emulator, instances: int) -> None:
        wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": instances}]
        sagemaker = emulator.client("sagemaker")
        sagemaker.update_endpoint_weights_and_capacities(EndpointName="made", DesiredWeightsAndCapacities=wanted)

    resize(first, 0)
    first.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="made", Body=b"x")
    kill(first)
    second = start(*place)
    made = seen(second, "made")
    assert (made["queued"], made["inProgress"], made["desiredInstances"]) == (1, 0, 0)
    resize(second, 1)
    wait_for(lambda: seen(second, "made")["completed"] == 1, PATIENCE_SECONDS, "the answer")


def test_an_update_that_was_under_way_goes_on(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    # A container that takes connections and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        container = f"http://127.0.0.1:{silent.getsockname()[1]}"
        first = start(*place, "--image", f"later={container}")
        sagemaker = first.client("sagemaker")
        create(first, "image")
        sagemaker.create_endpoint(EndpointName="made", EndpointConfigName="made")
        create(first, "later", "next")
        sagemaker.update_endpoint(EndpointName="made", EndpointConfigName="next")
        kill(first)
        second = start(*place, "--image", f"later={container}")
        described = second.client("sagemaker").describe_endpoint(EndpointName="made")
        assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("Updating", "made")
        kill(second)
    third = start(*place, "--image", "later=echo")
    described = third.client("sagemaker").describe_endpoint(EndpointName="made")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "next")


def test_a_notification_that_hangs_is_sent_after_a_restart(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place, notifications = ("--embedded", str(tmp_path / "kept")), tmp_path / "notifications.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        webhook = f"webhook=http://127.0.0.1:{silent.getsockname()[1]}"
        first = start(*place, "--endpoint", "demo=echo", "--notify", webhook)
        runtime = first.client("sagemaker-runtime")
        runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x", InferenceId="hung")
        wait_for(lambda: seen(first, "demo")["completed"] == 1, PATIENCE_SECONDS, "its end")
        first.process.stop()
    assert re.search(r"nothing is lost.*queued=0 in_progress=0 not_notified=1", log(first))
    start(*place, "--endpoint", "demo=echo", "--notify", f"file={notifications}")
    wait_for(lambda: notified(notifications) == ["hung"], PATIENCE_SECONDS, "the notification")


def test_invocations_wait_for_an_endpoint_that_is_not_there(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    first = start(*place, "--endpoint", "demo=sleep:3600")
    answer = first.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="demo", Body=b"x")
    kill(first)
    second = start(*place)
    assert re.search(r"wait for an endpoint that is not there .*demo", log(second))
    kill(second)
    third = start(*place, "--endpoint", "demo=echo")
    wait_for(lambda: output(third, answer["OutputLocation"]) == b"x", PATIENCE_SECONDS, "the answer")
    third.client("sagemaker").delete_endpoint(EndpointName="demo")


def test_a_deleted_endpoint_takes_its_queue_with_it(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    first = start(*place, "--endpoint", "demo=sleep:3600")
    first.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="demo", Body=b"x")
    first.client("sagemaker").delete_endpoint(EndpointName="demo")
    kill(first)
    second = start(*place, "--endpoint", "demo=echo")
    assert {seen(second, "demo")[count] for count in ("queued", "inProgress", "completed")} == {0}


def test_a_directory_is_one_emulators_and_a_broken_one_is_named(start: Callable[..., Emulator], tmp_path: Path) -> None:
    place = ("--embedded", str(tmp_path / "kept"))
    first = start(*place)
    with pytest.raises(StartError, match="kept of --embedded: another emulator uses it"):
        start(*place)
    create(first, "image")
    kill(first)
    (tmp_path / "kept/.emulator/state.json").write_text("{", encoding="utf-8")
    with pytest.raises(StartError, match=r"state\.json is not what it must be"):
        start(*place)
