"""docs/runbook.md: a section for each alarm, with commands that run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import runbook

from local.bridge import PATIENCE_SECONDS, body_json, wait_for
from local.stack import ROOT, LocalStack

TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
ALARMS = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", TEMPLATE, re.MULTILINE)
# On a query, which ministack refuses: local/archive.py leaves it out.
NOT_LOCAL = "EndpointNotificationFailures"
PARTS = ("**Means**", "**Look**", "**Do**", "**Over**")
LINK = re.compile(r"\]\(([\w-]*\.md)?#([\w-]+)\)")


@pytest.fixture(scope="module")
def watched() -> Iterator[LocalStack]:
    """A stack that has every alarm."""
    parameters = {
        "NotificationDelivery": "QUEUE",
        "S3Requests": "true",
        "WatchUnanswered": "true",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:on-call",
        "CanaryMinutes": "5",
    }
    with LocalStack({"summarizer": "echo"}, parameters=parameters, name="runbook") as stack:
        yield stack


def test_there_is_a_section_for_each_alarm_and_no_other() -> None:
    assert len(ALARMS) > 10
    assert list(runbook.SECTIONS) == ALARMS


def test_each_alarm_leads_to_its_section() -> None:
    described = re.findall(r"^      AlarmDescription: .* docs/runbook\.md#(\w+)$", TEMPLATE, re.MULTILINE)
    assert described == [alarm.lower() for alarm in ALARMS]


@pytest.mark.parametrize("alarm", ALARMS)
def test_a_section_says_what_it_means_what_to_look_at_what_to_do_and_when_it_is_over(alarm: str) -> None:
    section = runbook.SECTIONS[alarm]
    positions = [section.find(part) for part in PARTS]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert re.search(rf"^alarm {alarm}$", section[positions[-1] :], re.MULTILINE)


def test_links_lead_to_headings_that_are_there() -> None:
    for page, anchor in LINK.findall(runbook.PAGE):
        text = (ROOT / "docs" / (page or "runbook.md")).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in anchors, f"{page}#{anchor}"


def test_what_is_looked_for_in_a_log_is_what_the_functions_write() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.rs"))
    phrases = re.findall(r"--filter-pattern '\"([a-z ]+ [a-z ]+)\"'", runbook.PAGE)
    assert len(phrases) == 1
    assert all(f'"{phrase}"' in code for phrase in phrases)


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_commands_of_a_section_run(watched: LocalStack, alarm: str) -> None:
    written = runbook.run(watched, runbook.environment(watched), *runbook.blocks(alarm))
    if alarm != NOT_LOCAL:
        assert re.search(r"^(OK|ALARM|INSUFFICIENT_DATA)\t", written, re.MULTILINE), written
    asked = sum(block.count("\nmake doctor") for block in (f"\n{text}" for text in runbook.blocks(alarm)))
    assert len(re.findall(r"^\d+ ok, \d+ wrong, \d+ cannot tell$", written, re.MULTILINE)) == asked, written


def test_the_commands_before_all_sections_run(watched: LocalStack) -> None:
    _, look = runbook.BLOCK.findall(runbook.FIRST)
    assert " ok, " in runbook.run(watched, runbook.environment(watched), look)
    shown = runbook.run(
        watched,
        runbook.environment(watched),
        "resource RequestQueue",
        "parameter EndpointName",
        "queue RequestQueue",
        "mappings SubmitFunction",
    ).splitlines()
    assert shown[0] == watched.resource("RequestQueue")
    assert shown[1] == "summarizer"
    assert re.fullmatch(r"\d+\t\d+", shown[2])
    assert all(re.fullmatch(r"\S+\tEnabled\t10\tarn:\S+", line) for line in shown[3:])
    assert len(shown) == 5


def test_a_mapping_that_was_switched_off_is_switched_on_by_its_section(watched: LocalStack) -> None:
    functions = watched.client("lambda")
    found = functions.list_event_source_mappings(FunctionName=watched.resource("SubmitFunction"))["EventSourceMappings"]
    (uuid,) = [mapping["UUID"] for mapping in found if "-RequestQueue-" in mapping["EventSourceArn"]]

    def state() -> str:
        return functions.get_event_source_mapping(UUID=uuid)["State"]

    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_for(lambda: state() == "Disabled", PATIENCE_SECONDS, "a mapping that is switched off")
    inference_id = watched.send("while it was off")
    looking, switching_on, _ = runbook.blocks("RequestQueueTooOld")
    assert "Disabled" in runbook.run(watched, runbook.environment(watched), looking)
    runbook.run(watched, runbook.environment(watched), switching_on)
    assert body_json(watched.wait_for_result(inference_id))["invocationStatus"] == "Completed"
