"""Models that are commands: real processes, as SageMaker treats containers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from local.bridge import PATIENCE_SECONDS, wait_for
from local.processes import group_members
from tests.emulator.conftest import Emulator
from tests.emulator.programs import (
    COMMAND,
    IMAGE,
    Hold,
    archive,
    ask,
    card,
    create,
    ended,
    host,
    invocation,
    status,
    stored,
    told,
    wait_until_settled,
)

EXITED = "An error occurred while handling request as the model process exited."


def test_an_endpoint_is_created_once_its_process_answers_ping(start: Callable[..., Emulator], tmp_path: Path) -> None:
    emulator, ready = host(start), tmp_path / "ready"
    create(emulator, {"Environment": {"READY_WHEN": str(ready), "FLAVOUR": "sweet and sour"}})
    wait_for(lambda: b"made/1: serving on port" in emulator.process.log.read_bytes(), PATIENCE_SECONDS, "process")
    assert status(emulator) == "Creating"
    ready.touch()
    assert wait_until_settled(emulator)["EndpointStatus"] == "InService"
    environment = told(emulator, "made", "a")["environment"]
    assert environment["FLAVOUR"] == "sweet and sour"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["SM_MODEL_DIR"] == f"{environment['SAGEMAKER_BASE_DIR']}/model"
    complaint = b"made/1: a word of complaint"
    wait_for(lambda: complaint in emulator.process.log.read_bytes(), PATIENCE_SECONDS, "complaint")


def test_a_crash_fails_what_it_ran_and_the_process_starts_again(start: Callable[..., Emulator], tmp_path: Path) -> None:
    notifications = tmp_path / "notifications.jsonl"
    emulator = start("--endpoint", f"demo={COMMAND}", "--notify", f"file={notifications}")
    before = told(emulator, "demo", "before")
    ask(emulator, "demo", "crash", "crash")
    failed = ended(emulator, "demo", "crash")
    assert (failed["status"], failed["failureReason"]) == ("Failed", EXITED)
    assert stored(emulator, failed["failureLocation"]).decode() == EXITED
    after = told(emulator, "demo", "after")
    assert after["pid"] != before["pid"]
    assert after["environment"]["SAGEMAKER_BASE_DIR"] == before["environment"]["SAGEMAKER_BASE_DIR"]
    wait_for(lambda: notifications.read_text().count("\n") == 3, PATIENCE_SECONDS, "notifications")
    messages = [json.loads(json.loads(line)["Message"]) for line in notifications.read_text().splitlines()]
    assert {message["inferenceId"]: message["invocationStatus"] for message in messages} == {
        "before": "Completed",
        "crash": "Failed",
        "after": "Completed",
    }
    wait_for(lambda: card(emulator, "demo")["instances"] == 1, PATIENCE_SECONDS, "one instance")


def test_what_hangs_makes_no_neighbour_wait(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", f"demo={COMMAND}", "--max-concurrent-invocations-per-instance", "2")
    ask(emulator, "demo", "hangs", "sleep 3600", InvocationTimeoutSeconds=3600)
    wait_for(lambda: invocation(emulator, "demo", "hangs")["status"] == "InProgress", PATIENCE_SECONDS, "start")
    for number in range(5):
        told(emulator, "demo", f"neighbour-{number}")
    assert invocation(emulator, "demo", "hangs")["status"] == "InProgress"
    ask(emulator, "demo", "expires", "sleep 3600", InvocationTimeoutSeconds=1)
    assert ended(emulator, "demo", "expires")["status"] == "Expired"


def test_a_process_that_answers_ping_no_more_is_replaced(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", f"demo={COMMAND}")
    silenced = told(emulator, "demo", "silence", "silence")
    wait_for(lambda: not psutil.pid_exists(silenced["pid"]), PATIENCE_SECONDS, "end of the silent process")
    Path(silenced["environment"]["SAGEMAKER_BASE_DIR"], "silent").unlink()
    assert told(emulator, "demo", "after")["pid"] != silenced["pid"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_and_no_directory_outlives_the_emulator(
    start: Callable[..., Emulator], end: signal.Signals, tmp_path: Path
) -> None:
    emulator = start("--endpoint", f"demo={COMMAND}", "--instances", "2")
    wait_for(lambda: card(emulator, "demo")["instances"] == 2, PATIENCE_SECONDS, "instances")
    hold = Hold(tmp_path / "hold")
    for inference_id in ("a", "b"):
        ask(emulator, "demo", inference_id, hold.text)
    hold.wait_for(2)
    hold.let_go()
    answers = [json.loads(stored(emulator, ended(emulator, "demo", i)["outputLocation"])) for i in ("a", "b")]
    groups, directories = ({a["pid"] for a in answers}, {a["environment"]["SAGEMAKER_BASE_DIR"] for a in answers})
    assert len(groups) == len(directories) == 2
    told(emulator, "demo", "child", "child")
    ask(emulator, "demo", "hangs", "sleep 3600")
    assert sum(len(group_members(group)) for group in groups) >= 2 + 1
    os.kill(emulator.process.pid, end)
    wait_for(lambda: not any(map(group_members, groups)), PATIENCE_SECONDS, "end of the processes")
    assert not any(map(os.path.exists, directories))


def test_instances_come_and_go_and_end_what_they_run_first(start: Callable[..., Emulator], tmp_path: Path) -> None:
    ready, hold = tmp_path / "ready", Hold(tmp_path / "hold")
    arguments = ("--endpoint", f"demo={COMMAND}", "--max-concurrent-invocations-per-instance", "1")
    emulator = start(*arguments, READY_WHEN=str(ready))
    ready.touch()
    first = told(emulator, "demo", "first")["pid"]

    def resize(count: int) -> None:
        wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": count}]
        emulator.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName="demo", DesiredWeightsAndCapacities=wanted
        )

    ready.unlink()
    resize(3)
    assert status(emulator, "demo") == "Updating"
    ready.touch()
    wait_for(lambda: status(emulator, "demo") == "InService", PATIENCE_SECONDS, "instances")
    assert card(emulator, "demo")["instances"] == 3
    for number in range(3):
        ask(emulator, "demo", f"together-{number}", hold.text)
    running = [f"together-{number}" for number in range(3)]
    hold.wait_for(3)
    assert {invocation(emulator, "demo", name)["status"] for name in running} == {"InProgress"}
    resize(1)
    hold.let_go()
    outputs = [ended(emulator, "demo", name) for name in running]
    assert [output["status"] for output in outputs] == ["Completed"] * 3
    processes = {json.loads(stored(emulator, output["outputLocation"]))["pid"] for output in outputs}
    assert len(processes) == 3
    wait_for(lambda: sum(map(psutil.pid_exists, processes)) == 1, PATIENCE_SECONDS, "end of two")
    assert psutil.pid_exists(first)
    emulator.client("sagemaker").delete_endpoint(EndpointName="demo")
    wait_for(lambda: not group_members(first), PATIENCE_SECONDS, "end of the last")


def test_an_update_replaces_the_process_once_the_new_one_answers(
    start: Callable[..., Emulator], tmp_path: Path
) -> None:
    emulator, ready, hold = host(start), tmp_path / "ready", Hold(tmp_path / "hold")
    create(emulator, {"Environment": {"FLAVOUR": "sweet"}})
    wait_until_settled(emulator)
    old = told(emulator, "made", "old")
    sagemaker = emulator.client("sagemaker")
    container = {"Image": IMAGE, "Environment": {"FLAVOUR": "sour", "READY_WHEN": str(ready)}}
    sagemaker.create_model(ModelName="other", PrimaryContainer=container)
    config = sagemaker.describe_endpoint_config(EndpointConfigName="made")
    variants = [{**config["ProductionVariants"][0], "ModelName": "other"}]
    asynchronous = config["AsyncInferenceConfig"]
    sagemaker.create_endpoint_config(
        EndpointConfigName="other", ProductionVariants=variants, AsyncInferenceConfig=asynchronous
    )
    ask(emulator, "made", "runs", hold.text)
    hold.wait_for(1)
    sagemaker.update_endpoint(EndpointName="made", EndpointConfigName="other")
    assert told(emulator, "made", "meanwhile")["environment"]["FLAVOUR"] == "sweet"
    ready.touch()
    wait_for(lambda: status(emulator) == "InService", PATIENCE_SECONDS, "update")
    assert told(emulator, "made", "new")["environment"]["FLAVOUR"] == "sour"
    hold.let_go()
    assert ended(emulator, "made", "runs")["status"] == "Completed"
    wait_for(lambda: not group_members(old["pid"]), PATIENCE_SECONDS, "end of the old process")
    assert not Path(old["environment"]["SAGEMAKER_BASE_DIR"]).exists()


def test_application_auto_scaling_starts_and_ends_processes(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", f"demo={COMMAND}")
    first = told(emulator, "demo", "first")["pid"]

    def bound(least: int, most: int) -> None:
        emulator.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId="endpoint/demo/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=least,
            MaxCapacity=most,
        )

    bound(2, 2)
    wait_for(lambda: card(emulator, "demo")["instances"] == 2, PATIENCE_SECONDS, "second instance")
    bound(0, 0)
    wait_for(lambda: not group_members(first), PATIENCE_SECONDS, "end")
    assert card(emulator, "demo")["instances"] == 0
    ask(emulator, "demo", "waits", "hello")
    bound(1, 1)
    assert ended(emulator, "demo", "waits")["status"] == "Completed"


def test_an_idle_endpoint_has_no_process_and_work_starts_one(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", f"demo={COMMAND}", "--scale-to-zero-after", "1")
    before = told(emulator, "demo", "before")
    wait_for(lambda: not group_members(before["pid"]), PATIENCE_SECONDS, "end")
    assert card(emulator, "demo")["instances"] == 0
    assert told(emulator, "demo", "after")["pid"] != before["pid"]


def test_a_real_time_endpoint_runs_a_command_too(start: Callable[..., Emulator]) -> None:
    emulator = host(start)
    create(emulator, {}, asynchronous=False)
    wait_until_settled(emulator)
    runtime = emulator.client("sagemaker-runtime")
    assert json.load(runtime.invoke_endpoint(EndpointName="made", Body=b"hello")["Body"])["input"] == "hello"
    with pytest.raises(ClientError, match=r"Received server error \(0\) from primary with message \"An error occurred"):
        runtime.invoke_endpoint(EndpointName="made", Body=b"crash")

    def answered() -> str | None:
        # Until there is another process.
        with suppress(runtime.exceptions.ServiceUnavailable):
            return json.load(runtime.invoke_endpoint(EndpointName="made", Body=b"again")["Body"])["input"]
        return None

    wait_for(lambda: answered() == "again", PATIENCE_SECONDS, "another process")
    wait_for(lambda: card(emulator, "made")["instances"] == 1, PATIENCE_SECONDS, "one instance")


@pytest.mark.parametrize("kind", ["url", "archive", "prefix", "object"])
def test_model_data_lies_in_the_models_directory(start: Callable[..., Emulator], kind: str) -> None:
    emulator = host(start)
    files = {"model.bin": "weights", "code/inference.py": "print()"}
    s3 = emulator.client("s3")
    s3.put_object(Bucket="sagemaker", Key="models/model.tar.gz", Body=archive(files))
    for name, content in files.items():
        s3.put_object(Bucket="sagemaker", Key=f"models/plain/{name}", Body=content.encode())

    def source(uri: str, data_type: str, compression: str) -> dict:
        location = {"S3Uri": f"s3://sagemaker/models/{uri}", "S3DataType": data_type, "CompressionType": compression}
        return {"ModelDataSource": {"S3DataSource": location}}

    container, expected = {
        "url": ({"ModelDataUrl": "s3://sagemaker/models/model.tar.gz"}, files),
        "archive": (source("model.tar.gz", "S3Object", "Gzip"), files),
        "prefix": (source("plain/", "S3Prefix", "None"), files),
        "object": (source("plain/model.bin", "S3Object", "None"), {"model.bin": "weights"}),
    }[kind]
    create(emulator, container)
    assert wait_until_settled(emulator)["EndpointStatus"] == "InService"
    assert told(emulator, "made", "a")["model"] == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, 'Failed to download model data for container "container_1" from URL: "s3://sagemaker/models/m.tar.gz"'),
        (archive({"../escaped": "x"}), "Failed to extract model data archive for container"),
        (b"no archive", "Please ensure that the object located at the URL is a valid tar.gz archive."),
    ],
    ids=["missing", "escaping", "none"],
)
def test_an_endpoint_without_its_model_data_fails(
    start: Callable[..., Emulator], body: bytes | None, reason: str
) -> None:
    emulator = host(start)
    if body is not None:
        emulator.client("s3").put_object(Bucket="sagemaker", Key="models/m.tar.gz", Body=body)
    create(emulator, {"ModelDataUrl": "s3://sagemaker/models/m.tar.gz"})
    described = wait_until_settled(emulator)
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]
