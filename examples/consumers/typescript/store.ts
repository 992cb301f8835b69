// Which results have been handled, in a DynamoDB table: a result may be delivered twice, and is to be handled once.
//
// The table has the partition key `id` (String) and, on the attribute `expires`, time to live.
import { randomUUID } from "node:crypto";
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";

/** A result may wait 14 days in its queue and 14 more in a dead-letter queue before it is delivered again. */
const KEEP_SECONDS = 30 * 24 * 60 * 60;

/** A claim, or why there is none: the result has been handled, or another delivery is being handled now. */
export type Claim = { token: string } | "done" | "busy";

/** What the consumer needs of a store. */
export interface Store {
  /** Claims a result. Of several callers, on any machines, it lets one pass. */
  begin(key: string): Promise<Claim>;
  /** The result has been handled. Throws if the claim has run out and another has it. */
  finish(key: string, token: string): Promise<void>;
  /** The result has not been handled, and may be claimed again at once. */
  abandon(key: string, token: string): Promise<void>;
}

/** Conditional writes to one item a result. A claim runs out after `leaseSeconds`: its holder may have died. */
export class DynamoDBStore implements Store {
  readonly #dynamodb: DynamoDBClient;
  readonly #table: string;
  readonly #leaseSeconds: number;

  constructor(dynamodb: DynamoDBClient, table: string, leaseSeconds: number) {
    this.#dynamodb = dynamodb;
    this.#table = table;
    this.#leaseSeconds = leaseSeconds;
  }

  async begin(key: string): Promise<Claim> {
    const token = randomUUID();
    const now = Date.now() / 1000;
    const claim = new PutItemCommand({
      TableName: this.#table,
      Item: {
        id: { S: key },
        token: { S: token },
        lease: { N: String(now + this.#leaseSeconds) },
        expires: { N: String(Math.floor(now) + KEEP_SECONDS) },
      },
      // `lease` is there until the result is handled. What has expired may take days to be removed.
      ConditionExpression: "attribute_not_exists(id) OR lease < :now OR expires < :now",
      ExpressionAttributeValues: { ":now": { N: String(now) } },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    });
    try {
      await this.#dynamodb.send(claim);
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      return error.Item?.["lease"] ? "busy" : "done";
    }
    return { token };
  }

  async finish(key: string, token: string): Promise<void> {
    await this.#dynamodb.send(new UpdateItemCommand({ ...this.#own(key, token), UpdateExpression: "REMOVE lease" }));
  }

  async abandon(key: string, token: string): Promise<void> {
    try {
      await this.#dynamodb.send(new DeleteItemCommand(this.#own(key, token)));
    } catch (error) {
      // It has run out and is another's now.
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  }

  #own(key: string, token: string) {
    return {
      TableName: this.#table,
      Key: { id: { S: key } },
      ConditionExpression: "#token = :token",
      ExpressionAttributeNames: { "#token": "token" },
      ExpressionAttributeValues: { ":token": { S: token } },
    };
  }
}
