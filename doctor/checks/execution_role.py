"""What the role that SageMaker works with may do, by IAM's policy simulation: read inputs, write outputs, publish.

The simulation knows the role's policies, its permissions boundary and the organization's policies, but no policy of a
bucket, a topic or a key: IAM simulates those for users only.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.commands import aws
from doctor.faults import code_of, in_words, is_missing
from doctor.finding import Finding, cannot_tell, findings_of, ok, wrong
from doctor.stack import Stack, s3_arn


@dataclass(frozen=True)
class Need:
    """Something that the role has to be allowed. `resources` are ARNs as a policy names them."""

    words: str
    actions: list[str]
    resources: list[str]

    def statement(self) -> dict[str, Any]:
        """The statement of a policy that allows it."""
        return {"Effect": "Allow", "Action": self.actions, "Resource": self.resources}

    def examples(self) -> list[str]:
        """An ARN for each resource, such as a call would have."""
        return [f"{arn[:-1]}doctor" if arn.endswith("*") else arn for arn in self.resources]


def check(stack: Stack) -> Iterator[Finding]:
    """Every role that the endpoints' models run with."""
    roles: dict[str, list[str]] = {}
    for name in stack.endpoint_names:
        yield from findings_of(f"execution role of {name}", collect_roles, stack, name, roles)
    for role, endpoints in roles.items():
        yield from findings_of(f"execution role of {', '.join(endpoints)}", simulated, stack, role)


def collect_roles(stack: Stack, name: str, roles: dict[str, list[str]]) -> Iterator[Finding]:
    """Adds the endpoint's roles to `roles`; a finding only where they cannot be known."""
    subject = f"execution role of {name}"
    try:
        config = stack.endpoint_config(name)
        models = [variant["ModelName"] for variant in config.get("ProductionVariants", []) if "ModelName" in variant]
        found = {
            stack.aws.ask("sagemaker", "describe_model", ModelName=model).get("ExecutionRoleArn") for model in models
        }
    except ClientError as error:
        if not is_missing(error):
            raise
        yield cannot_tell(subject, f"not found: {in_words(error)}")
        return
    found.add(config.get("ExecutionRoleArn"))
    for role in sorted(filter(None, found)):
        roles.setdefault(role, []).append(name)
    if not any(found):
        yield cannot_tell(
            subject, f"neither the endpoint configuration nor the model has one ({', '.join(models) or 'no model'})"
        )


def simulated(stack: Stack, role: str) -> Iterator[Finding]:
    """One role against everything that it needs."""
    for need in needs(stack):
        subject = f"{role.rsplit('/', 1)[-1]} {need.words}"
        try:
            yield need_finding(stack, role, need, subject)
        except (BotoCoreError, ClientError) as error:
            if code_of(error) == "NoSuchEntity":
                yield wrong(f"execution role {role}", "it does not exist", *create_commands(stack, role))
                return
            words = f"{in_words(error)}. SEND=1 shows whether it works"
            yield cannot_tell(subject, words, simulation(role, need))


def needs(stack: Stack) -> list[Need]:
    """What the page of prerequisites asks for:
    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-create-endpoint-prerequisites.html
    """
    write = ["s3:PutObject", "s3:AbortMultipartUpload"]
    location = f"s3://{stack.outputs['BucketName']}/requests/"
    requests = [Need("reads requests", ["s3:GetObject"], [s3_arn(location, stack.partition)])]
    if stack.parameters.get("S3Requests") != "true":
        requests = []
    key = stack.parameters.get("KmsKeyArn", "")
    return [
        Need("reads inputs", ["s3:GetObject"], [s3_arn(stack.input_location, stack.partition)]),
        *requests,
        Need("writes outputs", write, [s3_arn(stack.output_location, stack.partition)]),
        Need("writes failures", write, [s3_arn(stack.failure_location, stack.partition)]),
        Need("publishes", ["sns:Publish"], list(dict.fromkeys(stack.topics.values()))),
        *([Need("uses the stack's key", ["kms:Decrypt", "kms:GenerateDataKey"], [key])] if key else []),
    ]


def need_finding(stack: Stack, role: str, need: Need, subject: str) -> Finding:
    """What the simulation says of one need."""
    results = [
        result
        for resource in need.examples()
        for result in stack.aws.ask(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=role,
            ActionNames=need.actions,
            ResourceArns=[resource],
        )["EvaluationResults"]
    ]
    refused = [result for result in results if result["EvalDecision"] != "allowed"]
    if not refused:
        return ok(subject, f"{', '.join(need.actions)} allowed")
    what = ", ".join(sorted({f"{result['EvalActionName']} on {result['EvalResourceName']}" for result in refused}))
    missing = sorted({key for result in refused for key in result.get("MissingContextValues", [])})
    if missing:
        words = (
            f"{what} depends on {', '.join(missing)}, which the simulation does not know. SEND=1 shows whether it works"
        )
        return cannot_tell(subject, words, simulation(role, need))
    return refusal(stack, role, subject, what, refused)


def refusal(stack: Stack, role: str, subject: str, what: str, refused: list[dict[str, Any]]) -> Finding:
    """Why it is refused, and what mends it: a policy, unless something else than the lack of one refuses."""
    name = role.rsplit("/", 1)[-1]
    if any(not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True) for result in refused):
        words = f"a policy of the organization denies {what}"
        return wrong(
            subject,
            words,
            "# by who manages the organization: " + aws("organizations list-policies", filter="SERVICE_CONTROL_POLICY"),
        )
    if any(
        not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True)
        for result in refused
    ):
        words = f"the role's permissions boundary does not allow {what}"
        boundary = aws("iam get-role", role_name=name, query="Role.PermissionsBoundary")
        return wrong(subject, words, "# allow it in the policy that this names:", boundary)
    if any(result["EvalDecision"] == "explicitDeny" for result in refused):
        policies = {
            entry.get("SourcePolicyId", "") for result in refused for entry in result.get("MatchedStatements", [])
        }
        words = f"a Deny in {', '.join(sorted(filter(None, policies))) or 'a policy of the role'} denies {what}"
        return wrong(
            subject,
            words,
            "# take the Deny out of the policy, one of these:",
            aws("iam list-role-policies", role_name=name),
            aws("iam list-attached-role-policies", role_name=name),
        )
    return wrong(subject, f"no policy of the role allows {what}", allowing(stack, name))


def allowing(stack: Stack, name: str) -> str:
    """The command that gives a role everything that it needs."""
    document = {"Version": "2012-10-17", "Statement": [need.statement() for need in needs(stack)]}
    policy = f"sagemaker-async-bridge-{stack.name}"
    return aws("iam put-role-policy", role_name=name, policy_name=policy, policy_document=document)


def create_commands(stack: Stack, role: str) -> list[str]:
    """Commands that create a role again. Its model may need further rights: to its image, its artifacts, its logs."""
    path, _, name = f"/{role.partition(':role/')[2]}".rpartition("/")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": [trust]}
    return [
        "# the model's image and artifacts need rights of their own, which its author knows",
        aws("iam create-role", role_name=name, path=f"{path}/", assume_role_policy_document=policy),
        allowing(stack, name),
    ]


def simulation(role: str, need: Need) -> str:
    """The command by which somebody with the right finds out."""
    return aws(
        "iam simulate-principal-policy",
        policy_source_arn=role,
        action_names=need.actions,
        resource_arns=need.examples(),
        query="EvaluationResults[].[EvalActionName,EvalResourceName,EvalDecision]",
        output="text",
    )
