"""Which results have been handled, in a DynamoDB table: a result may be delivered twice, and is to be handled once.

The table has the partition key `id` (String) and, on the attribute `expires`, time to live.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A result may wait 14 days in its queue and 14 more in a dead-letter queue before it is delivered again.
KEEP_SECONDS = 30 * 24 * 60 * 60


class Taken(Enum):
    """Why a result is not to be handled here."""

    DONE = "it has been handled"
    BUSY = "another delivery is being handled now"


class Store(Protocol):
    """What the consumer needs of a store. Of several callers of `begin`, on any machines, it lets one pass."""

    def begin(self, key: str) -> str | Taken:
        """Claims a result: gives the claim's token, or why there is none."""

    def finish(self, key: str, token: str) -> None:
        """The result has been handled. Raises if the claim has run out and another has it."""

    def abandon(self, key: str, token: str) -> None:
        """The result has not been handled, and may be claimed again at once."""


class DynamoDBStore:
    """Conditional writes to one item a result. A claim runs out after `lease_seconds`: its holder may have died."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, lease_seconds: int) -> None:
        self._dynamodb, self._table, self._lease_seconds = dynamodb, table, lease_seconds

    def begin(self, key: str) -> str | Taken:
        """See `Store`."""
        token, now = str(uuid.uuid4()), time.time()
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": key},
                    "token": {"S": token},
                    "lease": {"N": f"{now + self._lease_seconds:.3f}"},
                    "expires": {"N": str(int(now) + KEEP_SECONDS)},
                },
                # `lease` is there until the result is handled. What has expired may take days to be removed.
                ConditionExpression="attribute_not_exists(id) OR lease < :now OR expires < :now",
                ExpressionAttributeValues={":now": {"N": f"{now:.3f}"}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            item = cast("dict[str, Any]", refused.response).get("Item", {})
            return Taken.BUSY if "lease" in item else Taken.DONE
        return token

    def finish(self, key: str, token: str) -> None:
        """See `Store`."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key={"id": {"S": key}},
            UpdateExpression="REMOVE lease",
            ConditionExpression="#token = :token",
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={":token": {"S": token}},
        )

    def abandon(self, key: str, token: str) -> None:
        """See `Store`."""
        # Refused if it has run out and is another's now.
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.delete_item(
                TableName=self._table,
                Key={"id": {"S": key}},
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": token}},
            )
