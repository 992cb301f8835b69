"""`python -m doctor STACK`: exit code 0 if nothing is wrong, 1 if something is, 2 if nothing could be looked at."""

from __future__ import annotations

import argparse
import os
import sys

from doctor.aws import Aws
from doctor.checks import CHECKS
from doctor.faults import CannotLookError
from doctor.finding import Finding, State, cannot_tell
from doctor.report import Report
from doctor.run import examine
from doctor.send.payload import Payload
from doctor.send.run import Options, send
from doctor.stack import Stack

# In the environment, because arguments can be read by everybody on the machine.
TOKEN_VARIABLE = "DOCTOR_TOKEN"
# Where one of these is wrong, a request would only become one more dead letter.
NEEDED_TO_SEND = ("stack", "endpoints", "queues", "mappings", "functions")


def main(arguments: list[str] | None = None, report: Report | None = None) -> int:
    """Looks, sends if asked to, and prints what was found."""
    report = report or Report()
    options = parse(arguments)
    try:
        stack = Stack.find(options.stack, Aws())
        found = examine(stack, report, options.skip)
        findings = [finding for family in found.values() for finding in family]
        if options.send:
            findings += requests(stack, found, options, report)
    except CannotLookError as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2
    report.table(findings)
    report.commands(findings)
    report.summary(findings)
    return 1 if any(finding.state is State.WRONG for finding in findings) else 0


def requests(
    stack: Stack, found: dict[str, list[Finding]], options: argparse.Namespace, report: Report
) -> list[Finding]:
    """The findings of one request of each kind, or why none was sent."""
    hindering = [
        finding.subject
        for family in NEEDED_TO_SEND
        for finding in found.get(family, [])
        if finding.state is State.WRONG
    ]
    if hindering:
        return [cannot_tell("requests", f"not sent: first fix {', '.join(hindering)}")]
    try:
        payload = Payload.of(options.payload, options.content_type, options.accept, options.custom_attributes)
    except OSError as error:
        raise CannotLookError(f"PAYLOAD cannot be read: {error}") from error
    token = os.environ.get(TOKEN_VARIABLE) or None
    return send(stack, Options(payload, token, options.wait), report)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. An option without a value (`make` gives it so) is as good as none."""
    parser = argparse.ArgumentParser(prog="doctor", description="Looks at a deployed stack and changes nothing.")
    parser.add_argument("stack", metavar="STACK", help="name of the CloudFormation stack")
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=sorted(set(CHECKS) - {"stack"}), help="checks to leave out"
    )
    parser.add_argument("--send", action="store_true", help="also send one request of each kind")
    parser.add_argument("--payload", metavar="FILE", help="what the requests carry")
    parser.add_argument("--content-type", metavar="TYPE", help="of the payload; default application/json")
    parser.add_argument("--accept", metavar="TYPE", help="what the model is to answer with")
    parser.add_argument("--custom-attributes", metavar="TEXT", help="passed to the model")
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=120, help="for the answers; default 120")
    options = parser.parse_args(arguments)
    if not options.stack:
        parser.error("STACK is empty: give the stack's name, make doctor STACK=sagemaker-async-bridge")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
