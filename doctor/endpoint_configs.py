"""Endpoint configurations for commands: those that are there, and copies whose outputs and topics are the stack's.

An endpoint configuration cannot be changed, only replaced by another.
"""

from __future__ import annotations

import time
from typing import Any

from doctor.commands import aws
from doctor.stack import Stack, under

NAME_LIMIT = 63
LOOKED_AT = 10


def with_stack_outputs(stack: Stack, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the stack's paths and topics. What else it says of outputs stays."""
    asynchronous = config.get("AsyncInferenceConfig", {})
    output = asynchronous.get("OutputConfig", {})
    wanted = stack.async_inference_config["OutputConfig"]
    topics = {**output.get("NotificationConfig", {}), **wanted["NotificationConfig"]}
    kept_paths = {
        key: output[key]
        for key, location in (("S3OutputPath", stack.output_location), ("S3FailurePath", stack.failure_location))
        if key in output and under(output[key], location)
    }
    new_output = {**output, **wanted, **kept_paths, "NotificationConfig": topics}
    kept = {key: value for key, value in config.items() if key != "EndpointConfigName"}
    return {**kept, "AsyncInferenceConfig": {**asynchronous, "OutputConfig": new_output}}


def copied_name(name: str) -> str:
    """A name for a new configuration that no other has."""
    suffix = time.strftime("-%Y%m%d-%H%M%S", time.gmtime())
    return name[: NAME_LIMIT - len(suffix)] + suffix


def create_command(name: str, request: dict[str, Any]) -> str:
    """`create-endpoint-config` with everything in one document."""
    return aws("sagemaker create-endpoint-config", endpoint_config_name=name, cli_input_json=request)


def found_config(stack: Stack, name: str) -> str | None:
    """A configuration that is there for an endpoint of this name, the newest whose outputs are the stack's."""
    listed = stack.aws.ask(
        "sagemaker",
        "list_endpoint_configs",
        NameContains=name,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=LOOKED_AT,
    )
    for entry in listed["EndpointConfigs"]:
        config = entry["EndpointConfigName"]
        described = stack.aws.ask("sagemaker", "describe_endpoint_config", EndpointConfigName=config)
        output = described.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        if (
            under(output.get("S3OutputPath", ""), stack.output_location)
            and stack.topics.items() <= output.get("NotificationConfig", {}).items()
        ):
            return config
    return None


def found_model(stack: Stack, name: str) -> str:
    """The newest model whose name has the endpoint's in it, else the newest of all, else a placeholder."""
    for wanted in ({"NameContains": name}, {}):
        listed = stack.aws.ask(
            "sagemaker", "list_models", SortBy="CreationTime", SortOrder="Descending", MaxResults=1, **wanted
        )
        if listed["Models"]:
            return listed["Models"][0]["ModelName"]
    return ""
