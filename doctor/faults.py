"""AWS's errors in words: which of them end the run, and which right is missing."""

from __future__ import annotations

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

# Every call that the doctor makes, and the action that IAM knows it by. docs/doctor.md has them as policies.
READING = {
    "DescribeStacks": "cloudformation:DescribeStacks",
    "ListStackResources": "cloudformation:ListStackResources",
    "DescribeEndpoint": "sagemaker:DescribeEndpoint",
    "DescribeEndpointConfig": "sagemaker:DescribeEndpointConfig",
    "DescribeModel": "sagemaker:DescribeModel",
    "ListEndpointConfigs": "sagemaker:ListEndpointConfigs",
    "ListModels": "sagemaker:ListModels",
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "ListSubscriptionsByTopic": "sns:ListSubscriptionsByTopic",
    "GetSubscriptionAttributes": "sns:GetSubscriptionAttributes",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "ListEventSourceMappings": "lambda:ListEventSourceMappings",
    "GetFunction": "lambda:GetFunction",
    "GetAccountSettings": "lambda:GetAccountSettings",
    "GetStage": "apigateway:GET",
    "DescribeAlarmsForMetric": "cloudwatch:DescribeAlarmsForMetric",
}
SENDING = {
    "SendMessage": "sqs:SendMessage",
    "DeleteMessage": "sqs:DeleteMessage",
    "ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
    # HeadObject has no action of its own. Without s3:ListBucket S3 answers 403 for an object that is not there.
    "HeadObject": "s3:GetObject",
}
ACTIONS = {**READING, **SENDING}

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# Keys that AWS does not know, or whose signature it does not accept.
UNKNOWN_KEYS = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
SILENT = (ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError)

FATAL = {
    (NoRegionError,): "no Region: set AWS_REGION, or `aws configure set region REGION`",
    (ProfileNotFound,): "{error}: AWS_PROFILE has to name one of those in ~/.aws",
    (NoCredentialsError, PartialCredentialsError): (
        "no credentials: `aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    ),
    (SSOError, TokenRetrievalError, CredentialRetrievalError): (
        "the credentials cannot be had (`aws sso login` may help): {error}"
    ),
}

NAMED_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")


class CannotLookError(Exception):
    """Nothing can be found out at all. The message says why, in one sentence."""


def code_of(error: Exception) -> str:
    """AWS's code of an error, or nothing."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def is_denied(error: Exception) -> bool:
    """Whether the credentials lack a right."""
    return code_of(error) in DENIED


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that what was asked for is not there. SageMaker and CloudFormation have no code for it."""
    message = error.response["Error"].get("Message", "")
    return (
        code_of(error)
        in {"ResourceNotFoundException", "NotFound", "NotFoundException", "NoSuchEntity", "404"}
        | {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
        or "Could not find" in message
        or "does not exist" in message
    )


def in_words(error: Exception) -> str:
    """One sentence for the table."""
    if isinstance(error, ClientError):
        return client_error_in_words(error)
    if isinstance(error, SILENT):
        return f"no answer from {error.kwargs.get('endpoint_url', 'AWS')}"
    if isinstance(error, HTTPClientError):
        return f"the connection to AWS broke: {error.kwargs.get('error', error)}"
    return f"{type(error).__name__}: {error}"


def client_error_in_words(error: ClientError) -> str:
    """What AWS answered; for a refusal, the action that the credentials lack."""
    message = error.response["Error"].get("Message", "")
    if is_denied(error):
        named = NAMED_ACTION.search(message)
        action = named.group(1) if named else ACTIONS.get(error.operation_name, error.operation_name)
        return f"access denied: the credentials lack {action}"
    if code_of(error) in THROTTLED:
        return f"AWS throttles {error.operation_name}: try again"
    return f"{error.operation_name} answered {code_of(error)}: {message}"


def fatal(error: Exception) -> str | None:
    """Why no other call can succeed either; None if others may."""
    for kinds, words in FATAL.items():
        if isinstance(error, kinds):
            return words.format(error=error)
    if code_of(error) in EXPIRED:
        return "the credentials have expired: sign in again"
    if code_of(error) in UNKNOWN_KEYS:
        return f"AWS does not accept the credentials ({code_of(error)}): check the keys, and the clock of this machine"
    return None


def raise_if_fatal(error: BotoCoreError | ClientError) -> None:
    """`CannotLookError` for an error that ends the run."""
    words = fatal(error)
    if words is not None:
        raise CannotLookError(words) from error
