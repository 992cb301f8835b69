"""What became of a request, as a finding."""

from __future__ import annotations

from doctor.commands import log
from doctor.finding import Finding, cannot_tell, ok, wrong
from doctor.send.mailbox import Mailbox
from doctor.send.requests import BY_HTTP, REJECTED, Request, Sender, log_commands
from doctor.stack import Stack

RETRY = "make doctor STACK={name} SEND=1"


def finding(stack: Stack, request: Request, results: Mailbox, sender: Sender, waited: float) -> Finding:
    """The finding of a request that has been waited for."""
    if request.finding is not None:
        return request.finding
    if request.kind == REJECTED:
        return of_rejected(stack, request, results, waited)
    if request.status is not None:
        return of_result(stack, request, sender)
    if request.dead_letter_after is not None:
        words = (
            f"in the dead-letter queue after {request.dead_letter_after:.1f} s: {request.reason or 'no reason given'}"
        )
        return wrong(request.subject, words, *log_commands(stack, "SubmitFunction"))
    return without_result(stack, request, results, waited)


def of_result(stack: Stack, request: Request, sender: Sender) -> Finding:
    """A result has come; for a request by HTTP, what GET of its Location says too."""
    time = f"result after {request.result_after:.2f} s"
    if request.status == "Rejected":
        words = f"Rejected: {request.reason}, {time}"
        return wrong(request.subject, words, *log_commands(stack, "SubmitFunction"))
    if request.status != "Completed":
        words = f"{request.status}: {request.reason or 'no reason given'}, {time}"
        if sender.payload.is_own:
            give = f"{RETRY.format(name=stack.name)} PAYLOAD=FILE CONTENT_TYPE=TYPE"
            return cannot_tell(request.subject, f"the model does not take the doctor's payload: {words}", give)
        endpoint = stack.parameters["EndpointName"]
        return wrong(request.subject, words, log(f"/aws/sagemaker/Endpoints/{endpoint}"))
    if request.kind != BY_HTTP:
        return ok(request.subject, f"Completed, {time}")
    time = f"202 after {request.accepted_after:.2f} s, {time}"
    status = sender.output_status(request)
    if status in (200, 303):
        return ok(request.subject, f"Completed, {time}, GET of its Location {status}")
    return wrong(
        request.subject, f"GET of its Location answers {status}, {time}", *log_commands(stack, "SubmitFunction")
    )


def without_result(stack: Stack, request: Request, results: Mailbox, waited: float) -> Finding:
    """No result has come; its output tells whether somebody else may have it."""
    if request.output_after is not None:
        words = (
            f"its output arrived at {request.output} after {request.output_after:.1f} s, and its result was not seen: "
        )
        if results.problem is not None:
            return cannot_tell(request.subject, f"{words}{results.problem}")
        words += "another consumer took it first, or collect could not send it"
        return cannot_tell(request.subject, words, *log_commands(stack, "CollectFunction"))
    if results.problem is not None:
        return cannot_tell(request.subject, f"no result: {results.problem}")
    if instances(stack) == 0:
        again = f"{RETRY.format(name=stack.name)} WAIT=900"
        return cannot_tell(
            request.subject, f"no result within {waited:.0f} s: the endpoint has no instance running", again
        )
    words = f"no result within {waited:.0f} s"
    return wrong(request.subject, words, *log_commands(stack, "SubmitFunction", "CollectFunction"))


def of_rejected(stack: Stack, request: Request, results: Mailbox, waited: float) -> Finding:
    """The request that must be rejected: its sender is told, and the message is in the dead-letter queue."""
    if request.status not in (None, "Rejected"):
        return wrong(request.subject, f"it was not: {request.status}", *log_commands(stack, "SubmitFunction"))
    rejected = None if request.result_after is None else f"Rejected after {request.result_after:.2f} s"
    kept = None if request.dead_letter_after is None else f"dead letter after {request.dead_letter_after:.2f} s"
    if rejected and kept:
        return ok(request.subject, f"{rejected}, {kept}")
    if kept:
        return cannot_tell(
            request.subject,
            f"{kept}, and its result was not seen: {results.problem or 'another consumer took it first'}",
        )
    if rejected is None and results.problem is None:
        words = f"neither result nor dead letter within {waited:.0f} s"
        return wrong(request.subject, words, *log_commands(stack, "SubmitFunction"))
    words = f"{rejected or results.problem}, and no dead letter within {waited:.0f} s"
    return wrong(request.subject, words, *log_commands(stack, "SubmitFunction"))


def instances(stack: Stack) -> int:
    """Instances that serve the default endpoint."""
    variants = stack.endpoint(stack.parameters["EndpointName"]).get("ProductionVariants", [])
    return sum(variant.get("CurrentInstanceCount", 0) for variant in variants)
