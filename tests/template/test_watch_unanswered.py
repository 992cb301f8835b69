"""`WatchUnanswered`: what it adds to the stack, and that it adds nothing while it is off."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.stack import ROOT
from simulate.parameters import Prices
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


PAGE = (ROOT / "docs/unanswered.md").read_text(encoding="utf-8")
MILLION, MONTH_MINUTES, CALL_SECONDS, SHORT_RUN_SECONDS, MEMORY_GB, AT_ONCE = 1_000_000, 43_200, 0.025, 0.1, 0.25, 64


def costs(title: str) -> tuple[list[tuple[float, float, float]], float]:
    """Number, price and sum of each row of a table of the page, and what it says they are together."""
    (table,) = re.findall(rf"^\| {title} \| number \| price \| sum \|\n.*?\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    *rows, together = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert together[0] == "together"
    return [(number_in(row[1]), price_in(row[2]), number_in(row[3])) for row in rows], number_in(together[3])


def number_in(cell: str) -> float:
    return float(re.sub(r"[$,]|[ a-zA-Z-]+$", "", cell))


def price_in(cell: str) -> float:
    if cell == "free":
        return 0.0
    price, _, count = cell.partition(" per ")
    return number_in(price) / number_in(count or "1")


@pytest.mark.parametrize("title", ["all answered", "none answered, in addition"])
def test_what_it_costs_is_added_up(title: str) -> None:
    rows, together = costs(title)
    for number, price, amount in rows:
        assert amount == round(number * price, 2), (number, price)
    assert round(sum(amount for _, _, amount in rows), 2) == together


def test_its_numbers_are_those_of_a_million_requests_and_a_month_of_sweeps(watching: dict[str, Any]) -> None:
    prices = Prices()
    put, get = prices.s3_put_thousand / 1e3, prices.s3_get_thousand / 1e3
    gb_second, run = prices.lambda_gb_second, prices.lambda_million / 1e6
    (minutes,) = re.findall(r"^rate\((\d+) minutes\)$", watching["SweepSchedule"]["Properties"]["ScheduleExpression"])
    sweeps = MONTH_MINUTES / int(minutes)
    waiting = MILLION * CALL_SECONDS * MEMORY_GB
    expected = [
        (MILLION, put),
        (MILLION, 0),
        (waiting, gb_second),
        (waiting, gb_second),
        (sweeps, put),
        (sweeps, run),
        (sweeps * SHORT_RUN_SECONDS * MEMORY_GB, gb_second),
    ]
    rows, _ = costs("all answered")
    assert [row[:2] for row in rows[:-1]] == [pytest.approx(row) for row in expected]
    expected = [(MILLION, get), (2 * MILLION, get), (MILLION, put), (MILLION / 1_000, put)]
    *calls, time = costs("none answered, in addition")[0]
    assert [row[:2] for row in calls] == [pytest.approx(row) for row in expected]
    assert time[:2] == pytest.approx((round(5 * waiting / AT_ONCE), gb_second))
