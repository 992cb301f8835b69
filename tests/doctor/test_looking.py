"""Looking changes nothing, shows no payload, and ends with the code that scripts ask for."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from breakages import ROLE, deleted_alarm, request_among_dead_letters
from patient import Patient
from rich.console import Console

from doctor.__main__ import main
from doctor.report import PLAIN_WIDTH, Report
from local.stack import ROOT


def everything(patient: Patient) -> dict[str, Any]:
    """All of a stack that a doctor could change."""
    local, iam, functions = patient.local, patient.iam, patient.functions
    names = {name: patient.resource(name) for name in ("SubmitFunction", "CollectFunction")}
    queues = local.sqs.list_queues()["QueueUrls"]
    roles = [ROLE, patient.resource("SubmitRole"), patient.resource("CollectRole")]
    endpoints = [patient.sagemaker.describe_endpoint(EndpointName=name) for name in local.endpoints]
    return json.loads(
        json.dumps(
            {
                "stack": local.cloudformation.describe_stacks(StackName=local.name)["Stacks"],
                "functions": [functions.get_function_configuration(FunctionName=name) for name in names.values()],
                "mappings": functions.list_event_source_mappings()["EventSourceMappings"],
                "queues": [local.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]) for url in queues],
                "roles": {role: iam.list_role_policies(RoleName=role)["PolicyNames"] for role in roles},
                "policies": [
                    iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                    for role in roles
                    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
                ],
                "subscriptions": local.sns.list_subscriptions()["Subscriptions"],
                "alarms": patient.cloudwatch.describe_alarms()["MetricAlarms"],
                "stage": patient.gateway.get_stage(ApiId=local.outputs["ApiId"], StageName="$default"),
                "endpoints": endpoints,
                "configs": patient.sagemaker.list_endpoint_configs()["EndpointConfigs"],
                "objects": local.s3.list_objects_v2(Bucket=local.bucket).get("Contents", []),
            },
            default=str,
        ),
        object_hook=without_response_metadata,
    )


def without_response_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    # LastProcessingResult and the like are told by the service itself.
    passing = {"ResponseMetadata", "LastProcessingResult"}
    return {key: value for key, value in answer.items() if key not in passing}


def test_looking_changes_nothing_and_leaves_dead_letters_where_they_are(direct: Patient) -> None:
    request_among_dead_letters(direct)
    before = everything(direct)
    assert [finding.subject for finding in direct.wrong()] == ["RequestDeadLetterQueue"]
    assert everything(direct) == before
    (message,) = direct.local.receive("RequestDeadLetterQueueUrl")
    assert message["Body"] == '{"inputs": "secret-payload"}'


def printed(patient: Patient) -> tuple[int, str]:
    output = io.StringIO()
    code = main([patient.local.name], Report(Console(file=output, width=PLAIN_WIDTH)))
    return code, output.getvalue()


def test_a_dead_letter_is_told_by_its_reason_and_never_by_its_payload(direct: Patient) -> None:
    request_among_dead_letters(direct)
    code, output = printed(direct)
    direct.local.receive("RequestDeadLetterQueueUrl")
    assert code == 1
    assert "reasons: ThrottlingException: later (1)" in output
    assert "secret-payload" not in output


def test_each_row_is_one_line_where_nobody_looks_through_a_window(direct: Patient) -> None:
    code, output = printed(direct)
    table = output.split("\n\n")[0].splitlines()
    assert code == 0
    assert output.splitlines()[-1] == f"{len(table) - 1} ok, 0 wrong, 0 cannot tell"
    assert all(line.startswith("ok ") for line in table[1:])
    assert [line for line in table if line != line.rstrip()] == []


def doctor(*arguments: str, **environment: str | None) -> tuple[int, str, str]:
    """Runs the program."""
    given = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    command = [sys.executable, "-m", "doctor", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=1800, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_exit_code_says_whether_something_is_wrong(direct: Patient) -> None:
    name = direct.local.name
    assert doctor(name)[0] == 0
    deleted_alarm(direct)
    code, output, _ = doctor(name)
    assert code == 1
    assert "aws cloudwatch put-metric-alarm" in output
    assert f"export AWS_ENDPOINT_URL={direct.local.url}" in output
    assert doctor(name, "--skip", "alarms")[0] == 0
    (finding,) = direct.wrong()
    direct.paste(*finding.commands)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_REGION": None}, "no Region: set AWS_REGION"),
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"},
            "no credentials",
        ),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1/"),
    ],
    ids=["region", "credentials", "profile", "address"],
)
def test_what_keeps_it_from_looking_is_one_sentence(
    direct: Patient, environment: dict[str, str | None], words: str
) -> None:
    code, output, errors = doctor(direct.local.name, **environment)
    assert (code, output) == (2, "")
    assert errors.startswith("doctor: ")
    assert words in errors
    assert errors.count("\n") == 1


def test_a_stack_that_is_not_there_is_one_sentence(direct: Patient) -> None:
    assert doctor("nobody") == (2, "", "doctor: there is no stack nobody in us-east-1\n")
    assert direct.local.name != "nobody"


def test_another_template_s_stack_is_not_looked_at(direct: Patient) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    direct.local.cloudformation.create_stack(StackName="other", TemplateBody=json.dumps(template))
    direct.local.cloudformation.get_waiter("stack_create_complete").wait(StackName="other", WaiterConfig={"Delay": 1})
    code, _, errors = doctor("other")
    assert (code, errors) == (2, "doctor: stack other is not one of sagemaker-async-bridge's template.yaml\n")
