"""Where each endpoint puts outputs and whom it tells: the bridge reads no other paths and hears no other topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from doctor.commands import aws
from doctor.endpoint_configs import copied_name, create_command, with_stack_outputs
from doctor.finding import Finding, cannot_tell, findings_of, ok, wrong
from doctor.stack import Stack, under


def check(stack: Stack) -> Iterator[Finding]:
    """Paths, topics and key of every endpoint."""
    for name in stack.endpoint_names:
        yield from findings_of(f"outputs of {name}", outputs, stack, name)


def outputs(stack: Stack, name: str) -> Iterator[Finding]:
    """One endpoint's OutputConfig."""
    subject = f"outputs of {name}"
    described = stack.find_endpoint(name)
    if described is None or "AsyncInferenceConfig" not in described:
        yield cannot_tell(subject, "there is no asynchronous endpoint with this name")
        return
    output = described["AsyncInferenceConfig"]["OutputConfig"]
    problems = [*path_problems(stack, output), *topic_problems(stack, output)]
    if problems:
        yield wrong(subject, "; ".join(problems), *replace_commands(stack, name))
    else:
        yield ok(subject, f"{output['S3OutputPath']}, {output['S3FailurePath']}, both topics are the stack's")
    yield from key(stack, name, output)


def path_problems(stack: Stack, output: dict[str, Any]) -> Iterator[str]:
    """What is not as the stack's roles and `submit` expect."""
    for member, location in (("S3OutputPath", stack.output_location), ("S3FailurePath", stack.failure_location)):
        path = output.get(member)
        if path is None:
            yield f"{member} is not set: it should be {location}"
        elif not under(path, location):
            yield f"{member} is {path}, not under {location}: the bridge has no right to read it"


def topic_problems(stack: Stack, output: dict[str, Any]) -> Iterator[str]:
    """A topic that is not the stack's: its notifications reach nobody here."""
    given = output.get("NotificationConfig", {})
    for member, topic in stack.topics.items():
        if given.get(member) != topic:
            yield f"{member} is {given.get(member, 'not set')}: it should be {topic}"


def replace_commands(stack: Stack, name: str) -> list[str]:
    """Commands that give the endpoint a configuration like its own, but with the stack's paths and topics."""
    config = copied_name(name)
    return [
        create_command(config, with_stack_outputs(stack, stack.endpoint_config(name))),
        aws(
            "sagemaker update-endpoint",
            endpoint_name=name,
            endpoint_config_name=config,
            retain_all_variant_properties=True,
        ),
        aws("sagemaker wait endpoint-in-service", endpoint_name=name),
    ]


def key(stack: Stack, name: str, output: dict[str, Any]) -> Iterator[Finding]:
    """Outputs under a key of the user's cannot be read without OutputKmsKeyArn, unless it is the stack's key."""
    given, known = output.get("KmsKeyId"), stack.parameters.get("OutputKmsKeyArn", "")
    ids = [arn.rsplit("/", 1)[-1] for arn in (known, stack.parameters.get("KmsKeyArn", ""))]
    if given is None or given.rsplit("/", 1)[-1] in ids:
        return
    subject = f"KMS key of {name}"
    if "alias/" in given:
        how = aws("kms describe-key", key_id=given, query="KeyMetadata.Arn")
        yield cannot_tell(
            subject, f"the endpoint has {given}, OutputKmsKeyArn is {known or 'not set'}: compare the ARNs", how
        )
        return
    arn = given if given.startswith("arn:") else f"arn:{stack.partition}:kms:{stack.region}:{stack.account}:key/{given}"
    words = (
        f"outputs are encrypted with {given}, OutputKmsKeyArn is {known or 'not set'}: the bridge cannot decrypt them"
    )
    yield wrong(subject, words, *stack.update_commands(OutputKmsKeyArn=arn))
