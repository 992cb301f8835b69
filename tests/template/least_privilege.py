"""Proves the roles of template.yaml least: every call that the code can make is allowed, and nothing else is.

    python tests/template/least_privilege.py

Reads the calls out of src/ (`sdk_calls`), translates the template as SAM does, and compares, for every combination of
the parameters that decide about rights, what the roles allow with what `needed` says that the calls take.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import boto3
from needed import ACCOUNT, BY_LAMBDA, CALLS, OTHER_VALUES, PARTITION, REGION, WITHOUT_RESOURCE, Function, Right, Stack
from needed import conditions as conditions_of
from render import rendered
from resolve import NO_VALUE, Template, as_list
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from sdk_calls import ROOT, Sources, of_the_project

PSEUDO = {"AWS::Partition": PARTITION, "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": "STACK"}
STATEMENT_KEYS = {"Sid", "Effect", "Action", "Resource", "Condition"}
ENDPOINT = "demo"


def translated(text: str) -> dict[str, Any]:
    """The template as CloudFormation gets it from SAM."""
    source = Template(text.replace("CodeUri: .\n", "CodeUri: s3://bucket/key\n")).raw
    session = boto3.Session(region_name="us-east-1")
    translator = Translator({}, Parser(), boto_session=session)
    return translator.translate(source, {"EndpointName": ENDPOINT})


class Watched(Mapping[str, Any]):
    """Values of the parameters, and which of them were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        self.asked.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Names(Mapping[str, Any]):
    """What a Ref or a GetAtt stands for: a parameter's value, or the name itself in angle brackets."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        return self._values.get(name, f"<{name}>")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Remembered:
    """Rights that depend on parameters, worked out once for each combination of those that they depend on."""

    def __init__(self, work_out: Callable[[Mapping[str, Any]], Iterable[Right]]) -> None:
        self._work_out = work_out
        self._known: dict[tuple[str, ...], dict[tuple[Any, ...], frozenset[Right]]] = {}

    def __call__(self, values: Mapping[str, Any]) -> frozenset[Right]:
        for names, found in self._known.items():
            rights = found.get(tuple(values[name] for name in names))
            if rights is not None:
                return rights
        watched = Watched(values)
        rights = frozenset(self._work_out(watched))
        names = tuple(sorted(watched.asked))
        self._known.setdefault(names, {})[tuple(values[name] for name in names)] = rights
        return rights

    @property
    def parameters(self) -> set[str]:
        """Those that it has turned out to depend on."""
        return {name for names in self._known for name in names}

    @property
    def services(self) -> set[str]:
        """Those of which it has turned out to have rights."""
        return {right.service for found in self._known.values() for rights in found.values() for right in rights}


class Check:
    """The roles of a translated template against the calls of the sources."""

    def __init__(self, template: Mapping[str, Any], sources: Sources) -> None:
        self.template = Template(template)
        self.resources = self.template.raw["Resources"]
        self.functions = {
            logical_id: entry["Metadata"]["BuildProperties"]["Binary"]
            for logical_id, entry in self.resources.items()
            if entry["Type"] == "AWS::Lambda::Function"
        }
        self.roles = {self._role_of(logical_id): logical_id for logical_id in self.functions}
        submit = next(logical_id for logical_id, binary in self.functions.items() if binary == "submit")
        self.needed = {
            role: self._needed(logical_id, sources.calls(self.functions[logical_id]), submit)
            for role, logical_id in self.roles.items()
        }
        self.granted = {role: self._granted(role) for role in self.roles}
        self.problems: list[str] = self._out_of_sight()
        used = {(call.file, call.operation) for binary in self.functions.values() for call in sources.calls(binary)}
        for file, operation in sorted(CALLS.keys() - used):
            self.problems.append(f"needed.py: src/{file} calls no {operation} any more: take it out of CALLS")

    def run(self, combinations: Iterable[Mapping[str, str]] | None = None) -> list[str]:
        """What is wrong, for these values of parameters or for every combination of them."""
        found = dict.fromkeys(self.problems)
        for role, service, given in self._everything() if combinations is None else self._these(combinations):
            values = self.template.values(EndpointName=ENDPOINT, **given)
            for problem in self._compared(role, service, values):
                found.setdefault(problem, f"{problem} (with {described(given)})")
        return [line or problem for problem, line in found.items()]

    def deciding(self) -> set[str]:
        """Parameters that decide about rights: each unit is worked out for every combination of those it asks for."""
        for unit in self._units():
            tried = None
            while tried != unit.parameters:
                tried = unit.parameters
                for given in self._combinations(tried):
                    unit(self.template.values(EndpointName=ENDPOINT, **given))
        return {name for unit in self._units() for name in unit.parameters} - {"EndpointName"}

    def _everything(self) -> Iterable[tuple[str, str, dict[str, str]]]:
        """Each role and service with every combination of the parameters that decide about its rights of that service.

        No right covers one of another service, so that is every combination of all parameters.
        """
        self.deciding()
        for role in self.roles:
            units = [*self.granted[role], *self.needed[role].values()]
            for service in sorted({service for unit in units for service in unit.services}):
                names = {name for unit in units if service in unit.services for name in unit.parameters}
                yield from ((role, service, given) for given in self._combinations(names))

    def _these(self, combinations: Iterable[Mapping[str, str]]) -> Iterable[tuple[str, None, Mapping[str, str]]]:
        return ((role, None, given) for given in combinations for role in self.roles)

    def _combinations(self, names: set[str]) -> Iterable[dict[str, str]]:
        """Every combination of the values of these parameters."""
        if unknown := names - OTHER_VALUES.keys() - {"EndpointName"}:
            raise ValueError(f"needed.py: OTHER_VALUES has no value for {', '.join(sorted(unknown))}")
        defaults = self.template.values()
        pairs = [[(name, defaults[name]), (name, OTHER_VALUES[name])] for name in sorted(names - {"EndpointName"})]
        return (dict(chosen) for chosen in itertools.product(*pairs))

    def _units(self) -> Iterable[Remembered]:
        return itertools.chain(*self.granted.values(), *(units.values() for units in self.needed.values()))

    # ---- what there is ----

    def _role_of(self, logical_id: str) -> str:
        match self.resources[logical_id]["Properties"]["Role"]:
            case {"Fn::GetAtt": [str(role), "Arn"]}:
                return role
        raise ValueError(f"template.yaml: {logical_id}: its Role is not one of this template")

    def _needed(self, logical_id: str, calls: Iterable[Any], submit: str) -> dict[str, Remembered]:
        def unit(rights: Callable[[Function], Iterable[Right]]) -> Remembered:
            def work_out(values: Mapping[str, Any]) -> Iterable[Right]:
                stack = Stack(self.template.raw, lambda node: self._evaluated(node, values))
                return list(rights(Function(stack, logical_id, submit)))

            return Remembered(work_out)

        found = {why: unit(rights) for why, rights in BY_LAMBDA.items()}
        for call in sorted(calls):
            if (call.file, call.operation) not in CALLS:
                raise ValueError(f"{call}: CALLS in tests/template/needed.py does not say which rights it takes")
            found[str(call)] = unit(CALLS[call.file, call.operation])
        return found

    def _granted(self, role: str) -> list[Remembered]:
        inline = [policy["PolicyDocument"] for policy in self.resources[role]["Properties"].get("Policies", [])]
        documents = [(None, document) for document in inline]
        documents += [(name, entry["Properties"]["PolicyDocument"]) for name, entry in self._policies()]
        return [
            Remembered(lambda values, policy=name, node=statement: self._rights(role, policy, node, values))
            for name, document in documents
            for statement in as_list(document["Statement"])
        ]

    def _policies(self) -> list[tuple[str, Mapping[str, Any]]]:
        kinds = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
        return [(name, entry) for name, entry in self.resources.items() if entry["Type"] in kinds]

    def _out_of_sight(self) -> list[str]:
        """Rights that come from where this check does not look."""
        own = {name for name, _ in self._policies()}
        found = [
            f"template.yaml: {role}: {arn} is a policy of somebody else's: write down what it is for"
            for role in self.roles
            for arn in arns_in(self.resources[role]["Properties"].get("ManagedPolicyArns", []))
            if arn not in [{"Ref": name} for name in own]
        ]
        others = {
            name for name, entry in self.resources.items() if entry["Type"] == "AWS::IAM::Role"
        } - self.roles.keys()
        return found + [f"template.yaml: {role}: no function has this role" for role in sorted(others)]

    # ---- evaluation ----

    def _evaluated(self, node: Any, values: Mapping[str, Any]) -> Any:
        decided = self.template.decided(node, values)
        return None if decided in (None, NO_VALUE) else rendered(decided, Names(values))

    def _attached(self, role: str, policy: str, values: Mapping[str, Any]) -> bool:
        """Whether a role has a policy, by the policy's word or by its own."""
        entry = self.resources[policy]
        if "Condition" in entry and not self.template.condition(entry["Condition"], values):
            return False
        roles = self.template.decided(entry["Properties"].get("Roles", []), values)
        arns = self.template.decided(self.resources[role]["Properties"].get("ManagedPolicyArns", []), values)
        return {"Ref": role} in roles or {"Ref": policy} in as_list(arns)

    def _rights(self, role: str, policy: str | None, node: Any, values: Mapping[str, Any]) -> Iterable[Right]:
        if policy is not None and not self._attached(role, policy, values):
            return
        statement = self._evaluated(node, values)
        if statement is None:
            return
        if not statement.keys() <= STATEMENT_KEYS or statement["Effect"] != "Allow":
            raise ValueError(
                f"template.yaml: {statement.get('Sid')}: only Allow, Action, Resource, Condition are understood"
            )
        for action, resource in itertools.product(as_list(statement["Action"]), as_list(statement["Resource"])):
            if exists(action, resource):
                for fulfilled in conditions_of(statement):
                    yield Right(action, resource, fulfilled)

    def _compared(self, role: str, service: str | None, values: Mapping[str, Any]) -> Iterable[str]:
        """What is wrong with a role's rights of a service, or of all."""

        def rights_of(unit: Remembered) -> set[Right]:
            return {right for right in unit(values) if service in (None, right.service)}

        granted: set[Right] = set().union(*map(rights_of, self.granted[role]))
        needed: set[Right] = set()
        for why, unit in self.needed[role].items():
            rights = rights_of(unit)
            needed |= rights
            for right in rights - granted:
                if not any(covers(wider, right) for wider in granted):
                    yield f"template.yaml: {role} lacks {right}: {why}"
        for right in granted - needed:
            yield f"template.yaml: {role} is allowed {right}, which nothing that it does takes"
        for right in granted:
            if "*" in right.action or (right.resource == "*" and right.action not in WITHOUT_RESOURCE):
                yield f"template.yaml: {role} is allowed {right}: AWS knows narrower ones"


def arns_in(node: Any) -> list[Any]:
    """Managed policies that a role may name, whatever the conditions."""
    if isinstance(node, list):
        return [arn for item in node for arn in arns_in(item)]
    if isinstance(node, dict) and "Fn::If" in node:
        return arns_in(node["Fn::If"][1:])
    return [] if node == NO_VALUE else [node]


def exists(action: str, arn: str) -> bool:
    """Whether there is such an action on such a resource: none of a service on another service's."""
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    return service in ("", "*") or action.startswith(f"{service}:")


def covers(wider: Right, right: Right) -> bool:
    """Whether a right contains another, by a resource with a wildcard at its end."""
    same = (wider.action, wider.condition) == (right.action, right.condition)
    return same and wider.resource != "*" and fnmatchcase(right.resource, wider.resource)


def described(given: Mapping[str, str]) -> str:
    """Parameters that are not at their defaults, as a reader would set them."""
    return (
        ", ".join(f"{name}={value}" for name, value in given.items() if OTHER_VALUES.get(name) == value) or "defaults"
    )


if __name__ == "__main__":
    check = Check(translated((ROOT / "template.yaml").read_text(encoding="utf-8")), of_the_project())
    problems = check.run()
    print("\n".join(problems) or f"the roles are least in every combination of {len(check.deciding())} parameters")
    sys.exit(bool(problems))
