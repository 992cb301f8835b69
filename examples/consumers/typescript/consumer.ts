// Takes results from the results queue and writes their outputs into a directory. Needs Node.js 22.18 or later.
//
//   npm ci
//   node consumer.ts "$RESULTS_QUEUE_URL" --table results-handled --directory outputs
//
// Replace `Directory` with what is to be done with a result; docs/consumers.md says what else to decide.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import { parseArgs } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Notification, type Result } from "./results.ts";
import { DynamoDBStore, type Store } from "./store.ts";

const BATCH_LIMIT_MESSAGES = 10;
const WAIT_SECONDS = 20;
const FETCH_LIMIT_MS = 30_000;
const FETCH_LIMIT_BYTES = 64 * 1024 * 1024;

export interface ConsumerOptions {
  sqs: SQSClient;
  s3: S3Client;
  store: Store;
  /** What is to be done with a result. If it rejects, the result comes back. */
  handle: (result: Result) => Promise<void>;
  queueUrl: string;
  /** Longer than a fetch and `handle` take together. What fails comes back after it. */
  visibilitySeconds?: number;
  /** How many results are handled at once. */
  concurrency?: number;
}

/** Handles several results at once, each by itself: one that hangs or fails holds up no other. */
export class Consumer {
  readonly #options: Required<ConsumerOptions>;

  constructor(options: ConsumerOptions) {
    this.#options = { visibilitySeconds: 120, concurrency: BATCH_LIMIT_MESSAGES, ...options };
  }

  /** Goes on until `stop` is aborted; ends when everything that was received has been handled. */
  async run(stop: AbortSignal): Promise<void> {
    const { concurrency } = this.#options;
    const running = new Set<Promise<void>>();
    while (!stop.aborted) {
      if (running.size === concurrency) await Promise.race(running);
      for (const message of await this.#receive(concurrency - running.size)) {
        const processed: Promise<void> = this.#process(message).finally(() => running.delete(processed));
        running.add(processed);
      }
    }
    await Promise.all(running);
  }

  async #receive(free: number): Promise<Message[]> {
    const { sqs, queueUrl, visibilitySeconds } = this.#options;
    const answer = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(free, BATCH_LIMIT_MESSAGES),
        WaitTimeSeconds: WAIT_SECONDS,
        VisibilityTimeout: visibilitySeconds,
      }),
    );
    return answer.Messages ?? [];
  }

  /** Handles a message and deletes it, or leaves it to come back. */
  async #process({ Body = "", MessageId = "", ReceiptHandle }: Message): Promise<void> {
    const { sqs, queueUrl } = this.#options;
    try {
      if (await this.#isHandled(new Notification(Body, MessageId))) {
        await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
      }
    } catch (error) {
      console.error(`message ${MessageId} not handled, it comes back:`, error);
    }
  }

  async #isHandled(notification: Notification): Promise<boolean> {
    const { store, handle } = this.#options;
    const claim = await store.begin(notification.key);
    if (typeof claim === "string") {
      console.error(`${notification.status} of ${notification.inferenceId}: ${claim}`);
      return claim === "done";
    }
    try {
      await handle(await notification.result((bucket, key) => this.#fetch(bucket, key)));
    } catch (error) {
      await store.abandon(notification.key, claim.token);
      throw error;
    }
    await store.finish(notification.key, claim.token);
    return true;
  }

  /** An output of at most FETCH_LIMIT_BYTES, within FETCH_LIMIT_MS. */
  async #fetch(bucket: string, key: string): Promise<Uint8Array> {
    const abortSignal = AbortSignal.timeout(FETCH_LIMIT_MS);
    const object = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { Body, ContentLength = 0 } = await this.#options.s3.send(object, { abortSignal });
    const body = addAbortSignal(abortSignal, Body as Readable);
    if (ContentLength > FETCH_LIMIT_BYTES) {
      body.destroy();
      throw new Error(`the output has more than ${FETCH_LIMIT_BYTES} bytes: stream it`);
    }
    return Buffer.concat(await Array.fromAsync<Buffer>(body));
  }
}

/** Writes what the model said into a file and prints a line for each result. Doing so twice changes nothing. */
export class Directory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async handle(result: Result): Promise<void> {
    const { inferenceId, endpointName } = result;
    const line = { result: result.result, inferenceId, endpointName };
    switch (result.result) {
      case "Completed":
        return print({ ...line, file: await this.#write(`${inferenceId}.out`, result.output) });
      case "Failed": {
        const { status, reason, failureOutput } = result;
        const file = failureOutput && (await this.#write(`${inferenceId}.failure`, failureOutput));
        return print({ ...line, status, reason, file });
      }
      case "Rejected":
      case "Unanswered":
        return print({ ...line, reason: result.reason });
    }
  }

  async #write(name: string, content: Uint8Array): Promise<string> {
    // An inference id may have any character, `/` too.
    const path = join(this.#path, encodeURIComponent(name));
    await writeFile(path, content);
    return path;
  }
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      table: { type: "string" },
      directory: { type: "string" },
      "visibility-seconds": { type: "string", default: "120" },
    },
  });
  const [queueUrl] = positionals;
  if (!queueUrl || !values.table || !values.directory) {
    console.error("usage: node consumer.ts QUEUE_URL --table TABLE --directory DIRECTORY [--visibility-seconds 120]");
    process.exit(2);
  }
  const visibilitySeconds = Number(values["visibility-seconds"]);
  const directory = new Directory(values.directory);
  const consumer = new Consumer({
    sqs: new SQSClient(),
    s3: new S3Client(),
    store: new DynamoDBStore(new DynamoDBClient(), values.table, visibilitySeconds),
    handle: (result) => directory.handle(result),
    queueUrl,
    visibilitySeconds,
  });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await consumer.run(stop.signal);
}
