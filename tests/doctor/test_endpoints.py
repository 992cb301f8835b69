"""What the doctor says of endpoints that a local SageMaker cannot be brought to have."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from canned import ACCOUNT, BUCKET, PREFIX, REGION, ROLE, Answers, only, stack_of

from doctor.checks import endpoints, execution_role, outputs
from doctor.finding import State

NOW = datetime.datetime(2025, 8, 3, tzinfo=datetime.UTC)
ASYNC: dict[str, Any] = {
    "OutputConfig": {
        "S3OutputPath": f"s3://{BUCKET}/output/summaries",
        "S3FailurePath": f"s3://{BUCKET}/failure",
        "NotificationConfig": {"SuccessTopic": f"{PREFIX}-success", "ErrorTopic": f"{PREFIX}-error"},
    }
}
MISSING = f'ValidationException: Could not find endpoint "arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/summarizer".'
RIGHTS = [
    ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/input/doctor"),
    ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/output/doctor"),
    ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/failure/doctor"),
    ("sns:Publish", f"{PREFIX}-success"),
    ("sns:Publish", f"{PREFIX}-error"),
]


def described(status: str = "InService", name: str = "summarizer", **more: Any) -> dict[str, Any]:
    return {
        "EndpointName": name,
        "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name.lower()}",
        "EndpointConfigName": "summarizer-1",
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
        "AsyncInferenceConfig": ASYNC,
        **more,
    }


def config(**more: Any) -> dict[str, Any]:
    return {
        "EndpointConfigName": "summarizer-1",
        "EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/summarizer-1",
        "CreationTime": NOW,
        "ProductionVariants": [{"VariantName": "main", "ModelName": "summarizer"}],
        **more,
    }


RECREATED = ["delete-endpoint", "wait endpoint-deleted", "create-endpoint", "wait endpoint-in-service"]


@pytest.mark.parametrize(
    ("status", "commands"),
    [
        ("Creating", ["wait endpoint-in-service"]),
        ("Updating", ["wait endpoint-in-service"]),
        ("SystemUpdating", ["wait endpoint-in-service"]),
        ("RollingBack", ["wait endpoint-in-service"]),
        ("Deleting", RECREATED[1:]),
        ("Failed", RECREATED),
        ("OutOfService", RECREATED),
        ("UpdateRollbackFailed", ["update-endpoint", "wait endpoint-in-service"]),
    ],
)
def test_each_status_but_in_service_is_wrong_and_has_its_way_out(status: str, commands: list[str]) -> None:
    answer = described(status, FailureReason="The primary container did not pass\nthe ping health check.")
    row = only(endpoints.check(stack_of([("sagemaker", "describe_endpoint", answer)])))
    assert row.state is State.WRONG
    assert row.words == f"{status}: The primary container did not pass the ping health check."
    assert [command.split(" --")[0] for command in row.commands] == [f"aws sagemaker {name}" for name in commands]


def test_the_first_endpoint_is_created_from_the_model_that_has_its_name() -> None:
    model = {"ModelName": "summarizer-v2", "ModelArn": "arn:aws:sagemaker:x:1:model/summarizer-v2", "CreationTime": NOW}
    answers: Answers = [
        ("sagemaker", "describe_endpoint", MISSING),
        ("sagemaker", "list_endpoint_configs", {"EndpointConfigs": []}),
        ("sagemaker", "list_models", {"Models": [model]}),
    ]
    row = only(endpoints.check(stack_of(answers)))
    assert row.words == "it does not exist"
    assert row.commands[0] == "# choose the instance type"
    assert '"ModelName":"summarizer-v2"' in row.commands[1]
    assert f'"S3OutputPath":"s3://{BUCKET}/output"' in row.commands[1]
    assert row.commands[2].startswith("aws sagemaker create-endpoint --endpoint-name summarizer ")


def test_without_any_model_the_command_says_what_to_fill_in() -> None:
    answers: Answers = [
        ("sagemaker", "describe_endpoint", MISSING),
        ("sagemaker", "list_endpoint_configs", {"EndpointConfigs": []}),
        ("sagemaker", "list_models", {"Models": []}),
        ("sagemaker", "list_models", {"Models": []}),
    ]
    row = only(endpoints.check(stack_of(answers)))
    assert row.commands[0].endswith("put your model's name for MODEL: there is no model yet")
    assert '"ModelName":"MODEL"' in row.commands[1]


def test_capital_letters_need_endpoint_arns() -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/summarizer"
    answer = ("sagemaker", "describe_endpoint", described(name="Summarizer"))
    row = only(endpoints.check(stack_of([answer], parameters={"EndpointName": "Summarizer", "EndpointArns": ""})))
    assert row.state is State.WRONG
    assert f'"ParameterKey":"EndpointArns","ParameterValue":"{arn}"' in row.commands[0]
    assert '"ParameterKey":"EndpointName","UsePreviousValue":true' in row.commands[0]
    parameters = {"EndpointName": "Summarizer", "EndpointArns": arn}
    assert only(endpoints.check(stack_of([answer], parameters=parameters))).state is State.OK


def test_outputs_below_the_location_are_right_with_or_without_the_final_slash() -> None:
    for path in (f"s3://{BUCKET}/output", f"s3://{BUCKET}/output/", f"s3://{BUCKET}/output/summaries"):
        changed = {"OutputConfig": {**ASYNC["OutputConfig"], "S3OutputPath": path}}
        answer = ("sagemaker", "describe_endpoint", described(AsyncInferenceConfig=changed))
        assert only(outputs.check(stack_of([answer]))).state is State.OK, path


def test_a_new_configuration_keeps_all_that_was_not_wrong() -> None:
    old = {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 7},
        "OutputConfig": {
            **ASYNC["OutputConfig"],
            "KmsKeyId": "arn:aws:kms:x:1:key/k",
            "NotificationConfig": {
                "ErrorTopic": f"{PREFIX}-other",
                "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC"],
            },
        },
    }
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 5,
        "DestinationS3Uri": "s3://capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    answers: Answers = [
        ("sagemaker", "describe_endpoint", described(AsyncInferenceConfig=old)),
        ("sagemaker", "describe_endpoint_config", config(AsyncInferenceConfig=old, DataCaptureConfig=capture)),
    ]
    key = {"OutputKmsKeyArn": "arn:aws:kms:x:1:key/k"}
    row = only(outputs.check(stack_of(answers, parameters=key)))
    assert row.words.startswith("SuccessTopic is not set: it should be ")
    create, update, wait = row.commands
    for kept in (
        '"MaxConcurrentInvocationsPerInstance":7',
        '"KmsKeyId":"arn:aws:kms:x:1:key/k"',
        '"IncludeInferenceResponseIn":["SUCCESS_NOTIFICATION_TOPIC"]',
        f'"S3OutputPath":"s3://{BUCKET}/output/summaries"',
        '"InitialSamplingPercentage":5',
        f'"ErrorTopic":"{PREFIX}-error"',
    ):
        assert kept in create, kept
    assert "--retain-all-variant-properties" in update
    assert wait == "aws sagemaker wait endpoint-in-service --endpoint-name summarizer"


def test_a_key_that_the_bridge_does_not_know_of_is_wrong_and_an_alias_cannot_be_compared() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0e"
    for given, state in ((key, State.WRONG), ("0f0e", State.WRONG), ("alias/outputs", State.CANNOT_TELL)):
        changed = {"OutputConfig": {**ASYNC["OutputConfig"], "KmsKeyId": given}}
        answer = ("sagemaker", "describe_endpoint", described(AsyncInferenceConfig=changed))
        _, row = outputs.check(stack_of([answer], parameters={"OutputKmsKeyArn": ""}))
        assert row.state is state, given
        if state is State.WRONG:
            assert f'"ParameterKey":"OutputKmsKeyArn","ParameterValue":"{key}"' in row.commands[0]
    known = {"OutputConfig": {**ASYNC["OutputConfig"], "KmsKeyId": "0f0e"}}
    answer = ("sagemaker", "describe_endpoint", described(AsyncInferenceConfig=known))
    for parameters in ({"OutputKmsKeyArn": key}, {"KmsKeyArn": key, "OutputKmsKeyArn": ""}):
        assert only(outputs.check(stack_of([answer], parameters=parameters))).state is State.OK


# ---- the execution role ----


def role_answers(*simulations: dict[str, Any] | str, model_role: str | None = ROLE) -> Answers:
    model = {"ModelName": "summarizer", "ModelArn": "arn:aws:sagemaker:x:1:model/summarizer", "CreationTime": NOW}
    given = {"ExecutionRoleArn": model_role} if model_role else {}
    return [
        ("sagemaker", "describe_endpoint", described()),
        ("sagemaker", "describe_endpoint_config", config()),
        ("sagemaker", "describe_model", {**model, **given}),
        *(("iam", "simulate_principal_policy", answer) for answer in simulations),
    ]


def result(action: str, resource: str, decision: str = "allowed", **more: Any) -> dict[str, Any]:
    entry = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision, **more}
    return {"EvaluationResults": [entry], "IsTruncated": False}


ALL_ALLOWED = [result(*right) for right in RIGHTS]


def test_a_role_that_may_do_all_of_it_is_ok() -> None:
    rows = list(execution_role.check(stack_of(role_answers(*ALL_ALLOWED))))
    subjects = [
        "summarizer reads inputs",
        "summarizer writes outputs",
        "summarizer writes failures",
        "summarizer publishes",
    ]
    assert [(row.state, row.subject) for row in rows] == [(State.OK, subject) for subject in subjects]


def test_with_a_key_of_the_stack_s_the_role_must_be_allowed_to_use_it() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0e"
    refused = result("kms:GenerateDataKey", key, "implicitDeny")
    stack = stack_of(role_answers(*ALL_ALLOWED, refused), parameters={"KmsKeyArn": key})
    *_, row = execution_role.check(stack)
    words = f"no policy of the role allows kms:GenerateDataKey on {key}"
    assert (row.state, row.subject, row.words) == (State.WRONG, "summarizer uses the stack's key", words)
    assert f'"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":["{key}"]' in row.commands[0]


def test_what_the_role_lacks_is_given_by_one_policy_with_everything() -> None:
    refused = result(*RIGHTS[0], "implicitDeny")
    row = next(iter(execution_role.check(stack_of(role_answers(refused, *ALL_ALLOWED[1:])))))
    assert (row.state, row.words) == (
        State.WRONG,
        f"no policy of the role allows s3:GetObject on arn:aws:s3:::{BUCKET}/input/doctor",
    )
    (command,) = row.commands
    assert "--role-name summarizer" in command
    for text in (f"arn:aws:s3:::{BUCKET}/input/*", "s3:AbortMultipartUpload", f'["{PREFIX}-success","{PREFIX}-error"]'):
        assert text in command, text


@pytest.mark.parametrize(
    ("more", "decision", "state", "words"),
    [
        ({"MissingContextValues": ["aws:SourceVpce"]}, "implicitDeny", State.CANNOT_TELL, "depends on aws:SourceVpce"),
        (
            {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
            "implicitDeny",
            State.WRONG,
            "a policy of the organization denies",
        ),
        (
            {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
            "implicitDeny",
            State.WRONG,
            "the role's permissions boundary does not allow",
        ),
        (
            {"MatchedStatements": [{"SourcePolicyId": "no-s3", "SourcePolicyType": "IAM Policy"}]},
            "explicitDeny",
            State.WRONG,
            "a Deny in no-s3 denies",
        ),
    ],
    ids=["condition", "organization", "boundary", "deny"],
)
def test_a_policy_is_not_offered_where_it_would_not_help(
    more: dict[str, Any], decision: str, state: State, words: str
) -> None:
    refused = result(*RIGHTS[0], decision, **more)
    row = next(iter(execution_role.check(stack_of(role_answers(refused, *ALL_ALLOWED[1:])))))
    assert row.state is state
    assert words in row.words
    assert row.commands
    assert not [command for command in row.commands if "put-role-policy" in command]


def test_where_the_simulation_is_denied_the_right_and_a_command_are_named() -> None:
    denied = "AccessDenied: User: arn:aws:iam::1:user/me is not authorized to perform: iam:SimulatePrincipalPolicy on"
    rows = list(execution_role.check(stack_of(role_answers(*[denied] * 4))))
    assert {row.state for row in rows} == {State.CANNOT_TELL}
    assert len(rows) == 4
    assert rows[0].words.startswith("access denied: the credentials lack iam:SimulatePrincipalPolicy")
    assert rows[0].commands[0].startswith("aws iam simulate-principal-policy")


def test_a_model_without_a_role_cannot_be_told() -> None:
    row = only(execution_role.check(stack_of(role_answers(model_role=None))))
    assert (row.state, row.subject) == (State.CANNOT_TELL, "execution role of summarizer")


def test_a_model_that_is_deleted_cannot_be_told() -> None:
    answers = role_answers()[:2]
    answers.append(("sagemaker", "describe_model", 'ValidationException: Could not find model "arn".'))
    assert only(execution_role.check(stack_of(answers))).state is State.CANNOT_TELL


def test_a_role_that_is_gone_is_created_under_its_path() -> None:
    answers = role_answers("NoSuchEntity: The role with name summarizer cannot be found.")
    row = only(execution_role.check(stack_of(answers)))
    assert (row.state, row.words) == (State.WRONG, "it does not exist")
    create, allow = row.commands[1:]
    assert "--role-name summarizer" in create
    assert "--path /service-role/" in create
    assert allow.startswith("aws iam put-role-policy")
