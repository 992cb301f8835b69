"""The check that proves the roles least finds whatever makes them less or more."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from least_privilege import Check, translated
from needed import CALLS, OTHER_VALUES
from resolve import as_list
from sdk_calls import Sources, leaves, of_the_project

# Every statement of every policy is in force in the second, but for what a value of OTHER_VALUES takes away.
FEW = [{}, OTHER_VALUES]


@pytest.fixture(scope="module")
def sources() -> Sources:
    return of_the_project()


@pytest.fixture
def changed() -> Sources:
    """Sources that a test may change."""
    return of_the_project()


@pytest.fixture(scope="module")
def stack(text: str) -> dict[str, Any]:
    return translated(text)


def policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document of the roles, with the id of its resource."""
    for name, entry in template["Resources"].items():
        if entry["Type"] == "AWS::IAM::Role":
            yield from ((name, policy["PolicyDocument"]) for policy in entry["Properties"].get("Policies", []))
        elif entry["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, entry["Properties"]["PolicyDocument"]


def statements(template: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every statement, out of its Fn::If."""
    return [
        (f"{name} {statement['Sid']}", statement)
        for name, document in policies(template)
        for entry in document["Statement"]
        for statement in [entry["Fn::If"][1] if "Fn::If" in entry else entry]
    ]


def test_the_roles_are_least_in_every_combination_of_parameters(stack: dict[str, Any], sources: Sources) -> None:
    check = Check(stack, sources)
    assert check.run() == []
    assert check.deciding() == OTHER_VALUES.keys()


def test_what_is_wrong_in_one_combination_alone_is_found(stack: dict[str, Any], sources: Sources) -> None:
    mutated = copy.deepcopy(stack)
    # Both with raw results and with requests that are watched, but not with one of them.
    conditions = mutated["Conditions"]
    conditions["Both"] = {"Fn::And": [{"Condition": "RawResults"}, {"Condition": "WatchesUnanswered"}]}
    copies = next(entry for name, entry in statements(mutated) if name == "CollectRole CopyLargeResults")
    more = {"Fn::If": ["Both", {**copies, "Action": "s3:DeleteObject"}, {"Ref": "AWS::NoValue"}]}
    mutated["Resources"]["CollectRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(more)
    (problem,) = Check(mutated, sources).run()
    assert problem.startswith("template.yaml: CollectRole is allowed s3:DeleteObject on <Bucket.Arn>/results/*")
    assert "ResultFormat=raw" in problem
    assert "WatchUnanswered=true" in problem


def test_an_action_that_is_taken_away_is_missed(stack: dict[str, Any], sources: Sources) -> None:
    unnoticed = []
    for at, (name, statement) in enumerate(statements(stack)):
        for action in as_list(statement["Action"]):
            mutated = copy.deepcopy(stack)
            target = statements(mutated)[at][1]
            target["Action"] = [left for left in as_list(statement["Action"]) if left != action] or "s3:GetBucketAcl"
            problems = Check(mutated, sources).run(FEW)
            if not any(f"lacks {action} on" in problem for problem in problems):
                unnoticed.append(f"{name} {action}")
    assert len(statements(stack)) > 20
    assert unnoticed == []


@pytest.mark.parametrize("more", ["s3:DeleteBucket", "s3:*", "*", "sqs:PurgeQueue", "kms:Encrypt", "iam:PassRole"])
def test_an_action_that_is_added_is_found(stack: dict[str, Any], sources: Sources, more: str) -> None:
    mutated = copy.deepcopy(stack)
    for name, statement in statements(mutated):
        statement["Action"] = [*as_list(statement["Action"]), more]
        statement["Resource"] = f"added to {name}"
    problems = "\n".join(Check(mutated, sources).run(FEW))
    assert [name for name, _ in statements(stack) if f"is allowed {more} on added to {name}" not in problems] == []


def test_an_action_of_another_statement_is_found_where_nothing_takes_it(
    stack: dict[str, Any], sources: Sources
) -> None:
    mutated = copy.deepcopy(stack)
    (results,) = [entry for name, entry in statements(mutated) if name == "CollectRole SendResults"]
    results["Action"] = ["sqs:SendMessage", "sqs:ReceiveMessage"]
    (problem,) = Check(mutated, sources).run(FEW[:1])
    assert problem == (
        "template.yaml: CollectRole is allowed sqs:ReceiveMessage on <ResultsQueue.Arn>, "
        "which nothing that it does takes (with defaults)"
    )


def test_a_resource_that_is_wider_than_what_is_done_is_found(stack: dict[str, Any], sources: Sources) -> None:
    for resource in ("*", {"Fn::Sub": "${Bucket.Arn}/*"}, {"Fn::GetAtt": ["Bucket", "Arn"]}):
        mutated = copy.deepcopy(stack)
        (inputs,) = [entry for name, entry in statements(mutated) if name == "SubmitRole StoreInputs"]
        inputs["Resource"] = resource
        assert any("SubmitRole is allowed s3:PutObject" in problem for problem in Check(mutated, sources).run(FEW[:1]))


def test_a_condition_that_is_taken_away_is_found(stack: dict[str, Any], sources: Sources) -> None:
    unnoticed = []
    for at, (name, statement) in enumerate(statements(stack)):
        if "Condition" in statement:
            mutated = copy.deepcopy(stack)
            del statements(mutated)[at][1]["Condition"]
            if not any("is allowed" in problem for problem in Check(mutated, sources).run(FEW)):
                unnoticed.append(name)
    assert unnoticed == []


def test_a_right_that_stays_when_its_option_is_off_is_found(stack: dict[str, Any], sources: Sources) -> None:
    mutated = copy.deepcopy(stack)
    del mutated["Resources"]["SweepPolicy"]["Condition"]
    problems = Check(mutated, sources).run(FEW[:1])
    assert any("CollectRole is allowed s3:DeleteObject" in problem for problem in problems)


def test_another_place_in_a_variable_than_in_the_policy_is_found(stack: dict[str, Any], sources: Sources) -> None:
    mutated = copy.deepcopy(stack)
    variables = mutated["Resources"]["SubmitFunction"]["Properties"]["Environment"]["Variables"]
    variables["BRIDGE_INPUT_LOCATION"] = {"Fn::Sub": "s3://${Bucket}/inputs/"}
    problems = Check(mutated, sources).run(FEW[:1])
    assert any("lacks s3:PutObject on <Bucket.Arn>/inputs/*: src/submit/invoke.rs" in problem for problem in problems)
    assert any("is allowed s3:PutObject on <Bucket.Arn>/input/*" in problem for problem in problems)


def test_a_policy_of_somebody_else_s_and_a_role_of_no_function_are_found(
    stack: dict[str, Any], sources: Sources
) -> None:
    mutated = copy.deepcopy(stack)
    mutated["Resources"]["SubmitRole"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    mutated["Resources"]["Spare"] = copy.deepcopy(mutated["Resources"]["SubmitRole"])
    problems = Check(mutated, sources).run(FEW[:1])
    assert [problem for problem in problems if "SubmitRole: arn:aws:iam::aws:policy/ReadOnlyAccess" in problem]
    assert [problem for problem in problems if "Spare: no function has this role" in problem]


def test_a_statement_that_the_check_does_not_understand_is_refused(stack: dict[str, Any], sources: Sources) -> None:
    for change in ({"Effect": "Deny"}, {"NotResource": "*"}):
        mutated = copy.deepcopy(stack)
        statements(mutated)[0][1].update(change)
        with pytest.raises(ValueError, match="only Allow, Action, Resource, Condition are understood"):
            Check(mutated, sources).run(FEW[:1])


@pytest.mark.parametrize(
    ("file", "code", "operation"),
    [
        ("submit/sources/sqs.rs", "self.sqs.purge_queue().send().await", "sqs PurgeQueue"),
        ("submit/outcome.rs", "Object::get(&self.s3, location)", "s3 GetObject"),
        ("metrics.rs", "aws_sdk_s3::operation::put_object::PutObjectInput::builder()", "s3 PutObject"),
        ("destinations/queue.rs", "self.sqs\n    .receive_message()\n    .send()", "sqs ReceiveMessage"),
    ],
)
def test_a_call_of_which_nobody_has_said_what_it_takes_is_refused(
    stack: dict[str, Any], changed: Sources, file: str, code: str, operation: str
) -> None:
    changed.code[file] += code
    with pytest.raises(ValueError, match=rf"src/{file}: {operation}: CALLS in tests/template/needed.py"):
        Check(stack, changed)


def test_a_call_that_is_gone_is_named_and_its_right_is_too_much(stack: dict[str, Any], changed: Sources) -> None:
    changed.code["collect/forget.rs"] = changed.code["collect/forget.rs"].replace(".delete_object()", ".nothing()")
    problems = Check(stack, changed).run(FEW)
    assert any("needed.py: src/collect/forget.rs calls no DeleteObject any more" in problem for problem in problems)
    assert any("CollectRole is allowed s3:DeleteObject" in problem for problem in problems)


def test_a_call_in_a_comment_or_in_a_test_is_none(changed: Sources) -> None:
    before = changed.calls("submit")
    changed.code["submit.rs"] = changed.code["submit.rs"] + "\n"
    fresh = Sources(changed.src, "[dependencies]\naws-sdk-s3 = '1'\n")
    assert {call.service for call in fresh.calls("submit")} == {"s3"}
    assert changed.calls("submit") == before
    queue = changed.src / "destinations" / "queue.rs"
    assert "mod tests" in queue.read_text(encoding="utf-8")
    assert "mod tests" not in changed.code["destinations/queue.rs"]


def test_every_file_is_of_a_program_and_neither_program_reaches_the_other(sources: Sources) -> None:
    submit, collect = sources.reached("submit"), sources.reached("collect")
    unreached = set(sources.code) - submit - collect - {"lib.rs"}
    assert unreached == set()
    assert not [file for file in submit if Path(file).parts[0] == "collect"]
    assert not [file for file in collect if Path(file).parts[0] == "submit"]
    assert {file for file, _ in CALLS} <= submit | collect


def test_a_use_is_read_to_its_leaves() -> None:
    tree = "crate::{\n    aws::{self, Lazy},\n    fault::Fault,\n}"
    assert leaves(tree) == ["crate::aws::self", "crate::aws::Lazy", "crate::fault::Fault"]
    assert leaves("super::Submit") == ["super::Submit"]
