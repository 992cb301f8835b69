"""`WatchUnanswered`: what it adds to the stack, and that it adds nothing while it is off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.resolve import Template, statements

RESOURCES = {"RememberPolicy", "SweepPolicy", "SweepSchedule", "SweepScheduleMayInvokeCollect"}
LOCATION = {"Fn::Sub": "s3://${Bucket}/pending/"}


@pytest.fixture(scope="module")
def watching(template: Template) -> dict[str, Any]:
    return template.resources(EndpointName="demo", WatchUnanswered="true")


def variable(resources: dict[str, Any], function: str) -> Any:
    return resources[function]["Properties"]["Environment"]["Variables"].get("BRIDGE_PENDING_LOCATION")


def test_off_there_is_neither_a_resource_nor_a_variable(direct: dict[str, Any], watching: dict[str, Any]) -> None:
    assert watching.keys() - direct.keys() == RESOURCES
    for function in ("SubmitFunction", "CollectFunction"):
        assert variable(direct, function) is None
        assert variable(watching, function) == LOCATION


def test_collect_looks_every_five_minutes(watching: dict[str, Any]) -> None:
    rule = watching["SweepSchedule"]["Properties"]
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": ["CollectFunction", "Arn"]}]
    permission = watching["SweepScheduleMayInvokeCollect"]["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": ["SweepSchedule", "Arn"]}


def granted(resources: dict[str, Any], policy: str) -> list[tuple[Any, Any]]:
    found = resources[policy]["Properties"]["PolicyDocument"]["Statement"]
    return [(entry["Action"], entry["Resource"].get("Fn::Sub", entry.get("Condition"))) for entry in found]


def test_each_function_may_do_with_the_records_what_it_does_and_no_more(watching: dict[str, Any]) -> None:
    given_up, records = "${Bucket.Arn}/pending/unanswered/*", "${Bucket.Arn}/pending/*"
    assert watching["RememberPolicy"]["Properties"]["Roles"] == [{"Ref": "SubmitRole"}]
    assert granted(watching, "RememberPolicy") == [
        ("s3:PutObject", records),
        ("s3:GetObject", given_up),
        ("s3:ListBucket", {"StringLikeIfExists": {"s3:prefix": "pending/unanswered/*"}}),
    ]
    assert watching["SweepPolicy"]["Properties"]["Roles"] == [{"Ref": "CollectRole"}]
    assert granted(watching, "SweepPolicy") == [
        (["s3:GetObject", "s3:DeleteObject"], records),
        ("s3:PutObject", given_up),
        ("s3:ListBucket", {"StringLikeIfExists": {"s3:prefix": "pending/*"}}),
    ]


def test_no_caller_may_name_a_record(watching: dict[str, Any]) -> None:
    for role in ("SubmitRole", "CollectRole"):
        for sid, statement in statements(watching, role).items():
            assert "pending" not in str(statement), sid
