"""Each endpoint that the bridge may invoke: there, in service, asynchronous, and within its reach."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.commands import aws
from doctor.endpoint_configs import copied_name, create_command, found_config, found_model, with_stack_outputs
from doctor.finding import Finding, findings_of, ok, wrong
from doctor.stack import Stack

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
ON_ITS_WAY = {"Creating", "Updating", "SystemUpdating", "RollingBack"}


def check(stack: Stack) -> Iterator[Finding]:
    """Every endpoint that a request may name."""
    for name in stack.endpoint_names:
        yield from findings_of(f"endpoint {name}", endpoint, stack, name)


def endpoint(stack: Stack, name: str) -> Iterator[Finding]:
    """One endpoint."""
    subject = f"endpoint {name}"
    described = stack.find_endpoint(name)
    if described is None:
        yield wrong(subject, "it does not exist", *missing_endpoint_commands(stack, name))
        return
    status = described["EndpointStatus"]
    if status != "InService":
        reason = f": {described['FailureReason']}" if described.get("FailureReason") else ""
        yield wrong(subject, f"{status}{reason}", *recovery_commands(name, status, described["EndpointConfigName"]))
    elif "AsyncInferenceConfig" not in described:
        words = "it is a real-time endpoint, and SageMaker cannot make it asynchronous: create another one beside it"
        yield wrong(subject, words, *replace_commands(stack, name))
    elif is_out_of_reach(stack, name, described["EndpointArn"]):
        words = "its ARN is in lower case: SubmitRole may not invoke it until EndpointArns lists the ARN"
        known = filter(None, stack.parameters.get("EndpointArns", "").split(","))
        arns = ",".join([*known, described["EndpointArn"]])
        yield wrong(subject, words, *stack.update_commands(EndpointArns=arns))
    else:
        instances = sum(variant.get("CurrentInstanceCount", 0) for variant in described.get("ProductionVariants", []))
        yield ok(subject, f"InService, asynchronous, instances: {instances}")


def is_out_of_reach(stack: Stack, name: str, arn: str) -> bool:
    """SubmitRole names the endpoint by its parameter's case, SageMaker has ARNs in lower case, and IAM compares."""
    return not arn.endswith(f"/{name}") and arn not in stack.parameters.get("EndpointArns", "").split(",")


def missing_endpoint_commands(stack: Stack, name: str) -> list[str]:
    """Commands that create the endpoint, from a configuration or a model that is there already if there is one."""
    config = found_config(stack, name)
    if config is not None:
        return create_commands(name, config)
    model = found_model(stack, name)
    variant = {
        "VariantName": "main",
        "ModelName": model or "MODEL",
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 1,
    }
    request = {"ProductionVariants": [variant]}
    return [
        "# choose the instance type"
        + ("" if model else ", and put your model's name for MODEL: there is no model yet"),
        create_command(new := copied_name(name), with_stack_outputs(stack, request)),
        *create_commands(name, new),
    ]


def create_commands(name: str, config: str) -> list[str]:
    """Commands that create an endpoint from a configuration."""
    return [
        aws("sagemaker create-endpoint", endpoint_name=name, endpoint_config_name=config),
        aws("sagemaker wait endpoint-in-service", endpoint_name=name),
    ]


def recovery_commands(name: str, status: str, config: str) -> list[str]:
    """Commands that bring an endpoint into service."""
    if status in ON_ITS_WAY:
        return [aws("sagemaker wait endpoint-in-service", endpoint_name=name)]
    if status == "UpdateRollbackFailed":
        return [
            aws("sagemaker update-endpoint", endpoint_name=name, endpoint_config_name=config),
            aws("sagemaker wait endpoint-in-service", endpoint_name=name),
        ]
    # A failed endpoint takes no other call than DeleteEndpoint.
    delete = [] if status == "Deleting" else [aws("sagemaker delete-endpoint", endpoint_name=name)]
    return [*delete, aws("sagemaker wait endpoint-deleted", endpoint_name=name), *create_commands(name, config)]


def replace_commands(stack: Stack, name: str) -> list[str]:
    """Commands that create an asynchronous endpoint of the same models and give it to the bridge.

    The real-time one stays: somebody may be using it.
    """
    new_name = f"{name[:57]}-async"
    names = [new_name if known == name else known for known in stack.endpoint_names]
    parameters = {"EndpointName": names[0]} if names[0] == new_name else {"AllowedEndpointNames": ",".join(names[1:])}
    return [
        create_command(config := copied_name(name), with_stack_outputs(stack, stack.endpoint_config(name))),
        *create_commands(new_name, config),
        *stack.update_commands(**parameters),
    ]
