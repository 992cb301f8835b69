"""A local stack for the doctor: made whole, looked at, and mended by the commands that the doctor prints."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from doctor.aws import Aws, CallLimits
from doctor.finding import Finding, State
from doctor.report import Report
from doctor.run import examine
from doctor.send.payload import Payload
from doctor.send.run import Options, send
from doctor.stack import Stack
from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, aws_client, wait_for
from local.stack import ROOT, LocalStack

# For a service that hangs. The others are given their time.
HASTY = CallLimits(read_seconds=0.2, tries=1)
ROLE = "summarizer-execution"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
IMAGE = f"000000000000.dkr.ecr.{REGION}.amazonaws.com/echo:latest"


def silent_report() -> Report:
    """For tests that look at findings."""
    return Report(Console(file=io.StringIO()))


def hasty(service: str) -> Mapping[str, Any]:
    """A client, by its service, that soon gives up."""
    return {service: Aws(HASTY).client(service)}


class Patient:
    """A stack whose every fault the doctor is to name."""

    def __init__(self, local: LocalStack) -> None:
        self.local = local
        self.environment = {
            "AWS_ENDPOINT_URL": local.url,
            "AWS_ENDPOINT_URL_SAGEMAKER": local.emulator_url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            # Nothing of the machine's own.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        self.sagemaker = aws_client("sagemaker", local.emulator_url)
        self.iam, self.functions = local.client("iam"), local.client("lambda")
        self.gateway, self.cloudwatch = local.client("apigatewayv2"), local.client("cloudwatch")

    def enter(self, patch: pytest.MonkeyPatch) -> Patient:
        """Makes this stack's AWS that of the environment."""
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        for name, value in self.environment.items():
            patch.setenv(name, value)
        return self

    def stack(self, clients: Mapping[str, Any] | None = None) -> Stack:
        """As it is now."""
        return Stack.find(self.local.name, Aws(clients=clients))

    def findings(self, *skipped: str) -> list[Finding]:
        """What the doctor finds."""
        found = examine(self.stack(), silent_report(), skipped)
        return [finding for family in found.values() for finding in family]

    def settle(self) -> None:
        """Waits until no function is being updated, as a fix may have asked; that is a finding of its own."""
        for function in ("SubmitFunction", "CollectFunction"):
            name = self.resource(function)
            wait_for(lambda name=name: not self.being_updated(name), PATIENCE_SECONDS, f"an updated {function}")

    def reset_alarms(self) -> None:
        """Sets every alarm to OK, as CloudWatch does in its own time when a queue is empty again."""
        for alarm in self.cloudwatch.describe_alarms()["MetricAlarms"]:
            self.cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="a test")

    def being_updated(self, name: str) -> bool:
        """Whether Lambda is still at work on a function."""
        described = self.functions.get_function_configuration(FunctionName=name)
        return described.get("State") == "Pending" or described.get("LastUpdateStatus") == "InProgress"

    def wrong(self) -> list[Finding]:
        """What of it is wrong."""
        self.settle()
        return [finding for finding in self.findings() if finding.state is State.WRONG]

    def paste(self, *commands: str) -> str:
        """Runs printed commands as a shell does that they are pasted into; stops at the first that fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "AWS_DEFAULT_REGION": REGION,
            },
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\nof\n" + "\n".join(commands)
        return done.stdout

    def make_whole(self) -> None:
        """What a local stack lacks of one that is in use: alarms, and an execution role for its endpoints' models."""
        role = self.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        self.sagemaker.create_model(ModelName="with-role", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
        for endpoint in self.local.endpoints:
            self.reconfigure(endpoint, f"{endpoint}-with-role")
        fixes = dict.fromkeys(finding.commands for finding in self.wrong())
        self.paste(*(command for fix in fixes for command in fix))
        assert self.wrong() == []

    def reconfigure(self, endpoint: str, config: str, **output: Any) -> None:
        """Gives an endpoint another configuration; `output` changes its OutputConfig, None takes a member out."""
        current = json.loads(self.local.outputs["AsyncInferenceConfig"])["OutputConfig"]
        changed = {key: value for key, value in {**current, **output}.items() if value is not None}
        variant = {
            "VariantName": "main",
            "ModelName": "with-role",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config, ProductionVariants=[variant], AsyncInferenceConfig={"OutputConfig": changed}
        )
        self.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)

    def resource(self, logical_id: str) -> str:
        """Physical id of a resource."""
        return self.local.resource(logical_id)

    def function_role(self, function: str) -> str:
        """ARN of the role of one of the stack's own functions."""
        return self.functions.get_function(FunctionName=self.resource(function))["Configuration"]["Role"]

    def sent(
        self,
        payload: Payload | None = None,
        *,
        wait_seconds: float = PATIENCE_SECONDS,
        clients: Mapping[str, Any] | None = None,
    ) -> list[Finding]:
        """What becomes of one request of each kind."""
        options = Options(payload or Payload(), None, wait_seconds)
        return send(self.stack(clients), options, silent_report())
