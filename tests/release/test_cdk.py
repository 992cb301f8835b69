"""examples/cdk: the construct, synthesized by the CDK's own command from an unpacked release."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION
from local.pipelines import ACCOUNT
from local.stack import FUNCTIONS, ROOT, LocalStack
from tests.node import NODE, with_packages
from tests.template.resolve import Template

EXAMPLE = ROOT / "examples/cdk"
STACK = "sagemaker-async-bridge"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
# What app.ts gives to the construct.
TOPIC = {"Ref": "Notifications"}
GIVEN = {
    "EndpointName": "summarizer",
    "SuccessTopicArn": TOPIC,
    "ErrorTopicArn": TOPIC,
    "NotificationDelivery": "QUEUE",
    "MaxReceiveCount": 10,
    "WatchUnanswered": "true",
}


@pytest.fixture(scope="module")
def example() -> Path:
    return with_packages(EXAMPLE, ROOT / ".venv/cdk")


def run(example: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of the example's packages, with nothing known of AWS or of other CDKs."""
    home = {"HOME": os.devnull, "PATH": f"{Path(NODE[0]).parent}{os.pathsep}{os.defpath}", "CI": "true"}
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    return subprocess.run([*NODE, *arguments], cwd=example, env=home, check=False, **options)


def synth(example: Path, release: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """`cdk synth`, without what the CDK adds for its own tools."""
    command = ["node_modules/aws-cdk/bin/cdk", "synth", "--quiet", "--no-notices", "--no-version-reporting"]
    plain = ["--no-path-metadata", "--no-asset-metadata", "--output", str(output)]
    return run(example, *command, *plain, "--context", f"release={release}")


@pytest.fixture(scope="module")
def synthesized(example: Path, unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of app.ts."""
    output = tmp_path_factory.mktemp("cdk")
    done = synth(example, unpacked, output)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def plain(node: Any, values: dict[str, Any]) -> Any:
    """A part of a template with parameters' values in place of references, and one way of writing what has two."""
    if isinstance(node, list):
        return [plain(item, values) for item in node]
    if not isinstance(node, dict):
        return str(node).lower() if isinstance(node, bool) else str(node)
    match node:
        case {"Ref": name} if name in values:
            return plain(values[name], {})
        case {"Fn::Sub": text}:
            return substituted(text, values)
        case {"Fn::GetAtt": str(text)}:
            return {"Fn::GetAtt": text.split(".", 1)}
    return {key: plain(value, values) for key, value in node.items()}


def substituted(text: Any, values: dict[str, Any]) -> Any:
    """A Fn::Sub with parameters' values in its text."""
    if isinstance(text, list):
        return [substituted(text[0], values), plain(text[1], values)]
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", str(value))
    return text


def resources(template: Template, given: dict[str, Any]) -> dict[str, Any]:
    """What is deployed with these parameters, without the code and the build's own metadata."""
    found = plain(template.resources(**given), template.values(**given))
    for entry in found.values():
        entry.get("Properties", {}).pop("CodeUri", None)
        if isinstance(entry.get("DependsOn"), str):
            entry["DependsOn"] = [entry["DependsOn"]]
    return found


def test_the_types_of_the_example_hold(example: Path) -> None:
    done = run(example, "node_modules/typescript/bin/tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_the_construct_deploys_what_the_template_does_with_the_same_parameters(
    synthesized: Path, unpacked: Path
) -> None:
    released = Template((unpacked / "template.yaml").read_text(encoding="utf-8"))
    stack = Template((synthesized / f"{STACK}.template.json").read_text(encoding="utf-8"))
    ((topic, _),) = [
        (name, entry)
        for name, entry in stack.raw["Resources"].items()
        if name.startswith("Notifications") and entry["Type"] == "AWS::SNS::Topic"
    ]
    text = json.dumps(stack.raw).replace(topic, "Notifications")
    stack = Template(text)
    # So that its conditions can be decided, too.
    stack.raw["Parameters"]["Notifications"] = {"Default": TOPIC}
    expected = resources(released, GIVEN)
    found = resources(stack, {})
    own = {name for name in found if name.startswith("Notifications")}
    assert {name: entry for name, entry in found.items() if name not in own} == expected
    assert expected.keys() > {"SubmitFunction", "CollectFunction", "NotificationQueue"}


def test_the_functions_are_the_release_s_as_assets(synthesized: Path, unpacked: Path) -> None:
    assets = json.loads((synthesized / f"{STACK}.assets.json").read_text(encoding="utf-8"))["files"]
    stack = json.loads((synthesized / f"{STACK}.template.json").read_text(encoding="utf-8"))
    for name in FUNCTIONS:
        uri = stack["Resources"][f"{name.capitalize()}Function"]["Properties"]["CodeUri"]
        (source,) = [
            asset["source"]
            for asset in assets.values()
            if uri["Key"] in {destination["objectKey"] for destination in asset["destinations"].values()}
        ]
        assert source["packaging"] == "file"
        assert (synthesized / source["path"]).read_bytes() == (unpacked / f"{name}.zip").read_bytes()


class Synthesized(LocalStack):
    """A local AWS on which a cloud assembly is deployed as `cdk deploy` would: its assets, then its template."""

    def __init__(self, assembly: Path) -> None:
        super().__init__({"summarizer": "echo"}, parameters={"NotificationDelivery": "QUEUE"}, name="cdk")
        self.assembly = assembly

    def _create_stack(self) -> None:
        # What `cdk bootstrap` makes.
        self.s3.create_bucket(Bucket=ASSETS)
        version = {"Name": "/cdk-bootstrap/hnb659fds/version", "Value": "30", "Type": "String"}
        self.client("ssm").put_parameter(**version)
        files = json.loads((self.assembly / f"{STACK}.assets.json").read_text(encoding="utf-8"))["files"]
        for file in files.values():
            for destination in file["destinations"].values():
                body = (self.assembly / file["source"]["path"]).read_bytes()
                self.s3.put_object(Bucket=ASSETS, Key=destination["objectKey"], Body=body)
                if file["source"]["path"] == f"{STACK}.template.json":
                    template = f"{self.url}/{ASSETS}/{destination['objectKey']}"
        # Parameters that the app leaves to the template stay the stack's.
        given = {"SageMakerRuntimeEndpointUrl": self.emulator_url}
        self.cloudformation.create_stack(
            StackName=self.name,
            TemplateURL=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )

    def allow_plain_http(self) -> None:
        """Off the app's topic too: `enforceSSL` is all that its policy says."""
        super().allow_plain_http()
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        topic = self.outputs["SuccessTopicArn"]
        self.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def test_the_synthesized_stack_serves_a_request(synthesized: Path) -> None:
    with Synthesized(synthesized) as stack:
        message_id = stack.send('{"prompt": "Summarize."}')
        result = json.loads(stack.wait_for_result(message_id)["Body"])
        assert result["responseBody"]["content"] == '{"prompt": "Summarize."}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('endpointName: "-summarizer"', 'endpointName: "-summarizer". 1 to 63 letters, digits and hyphens'),
        ("maxReceiveCount: 4", "maxReceiveCount: 4. 5 to 100"),
    ],
)
def test_a_property_that_the_template_does_not_admit_is_an_error(
    example: Path, unpacked: Path, tmp_path: Path, given: str, said: str
) -> None:
    name = given.partition(":")[0]
    text = (EXAMPLE / "app.ts").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.strip().startswith(f"{name}:")]
    wrong = example / "wrong.ts"
    wrong.write_text(text.replace(line.strip(), f"{given},"), encoding="utf-8")
    context = {"CDK_CONTEXT_JSON": json.dumps({"release": str(unpacked)}), "CDK_OUTDIR": str(tmp_path)}
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    done = subprocess.run([*NODE, str(wrong)], cwd=example, env=context, check=False, **options)
    wrong.unlink()
    assert done.returncode != 0
    assert said in done.stderr
