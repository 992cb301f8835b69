// Results of sagemaker-async-bridge: what a message's body says, as types. The body's schema is schemas/result.json.

interface About {
  inferenceId: string;
  endpointName: string | undefined;
}

/** The model has answered. */
export interface Completed extends About {
  result: "Completed";
  contentType: string | undefined;
  customAttributes: string | undefined;
  output: Uint8Array;
}

/** The model failed, or the request expired. `status` is SageMaker's word for it, `Failed` as a rule. */
export interface Failed extends About {
  result: "Failed";
  status: string;
  reason: string;
  failureOutput: Uint8Array | undefined;
}

/** The request was not sent to the model and never will be; the message is in the dead-letter queue. */
export interface Rejected extends About {
  result: "Rejected";
  reason: string;
}

/** The answer is overdue. It may still come, as one more result. */
export interface Unanswered extends About {
  result: "Unanswered";
  reason: string;
}

export type Result = Completed | Failed | Rejected | Unanswered;

/** Gives the bytes of an object. */
export type Fetch = (bucket: string, key: string) => Promise<Uint8Array>;

/** As much of a message's body as is read here. */
interface Body {
  invocationStatus: string;
  inferenceId?: string;
  failureReason?: string;
  requestParameters?: { endpointName?: string; customAttributes?: string };
  responseParameters?: {
    contentType?: string;
    contentLength?: number;
    outputLocation?: string;
    failureLocation?: string;
  };
  responseBody?: { content: string; encoding: string };
}

/** What a message's body says, before a large output is fetched. */
export class Notification {
  readonly status: string;
  readonly inferenceId: string;
  readonly #body: Body;

  /** `messageId` stands in for an inference id, though SageMaker always gave one so far. Throws if the body is no result. */
  constructor(body: string, messageId: string) {
    this.#body = parse(body);
    this.status = this.#body.invocationStatus;
    this.inferenceId = this.#body.inferenceId || messageId;
  }

  /** The same for each delivery of this result: its status and its request's inference id. */
  get key(): string {
    return `${this.status}/${this.inferenceId}`;
  }

  /** The result with its output, which `fetch` gets if it is too large for a message. */
  async result(fetch: Fetch): Promise<Result> {
    const { requestParameters: request, responseParameters: response, failureReason } = this.#body;
    const about = { inferenceId: this.inferenceId, endpointName: request?.endpointName };
    const reason = failureReason || this.status;
    switch (this.status) {
      case "Completed": {
        const output = await this.#response(fetch);
        if (!output) throw new Error("a completed result has neither an output nor its location");
        const { contentType } = response ?? {};
        return { result: "Completed", ...about, contentType, customAttributes: request?.customAttributes, output };
      }
      case "Rejected":
      case "Unanswered":
        return { result: this.status, ...about, reason };
      default:
        return { result: "Failed", ...about, status: this.status, reason, failureOutput: await this.#response(fetch) };
    }
  }

  /** What the model said: from the message, or else from where it lies. */
  async #response(fetch: Fetch): Promise<Uint8Array | undefined> {
    const { responseBody, responseParameters } = this.#body;
    if (responseBody) return decoded(responseBody.content, responseBody.encoding);
    const { contentLength, outputLocation, failureLocation } = responseParameters ?? {};
    // A failure output has a length if it is there, and may have a location though it is not.
    const location = outputLocation ?? (contentLength === undefined ? undefined : failureLocation);
    return location === undefined ? undefined : fetch(...bucketAndKey(location));
  }
}

function parse(text: string): Body {
  const body: unknown = JSON.parse(text);
  const isResult = typeof body === "object" && body !== null && "invocationStatus" in body;
  if (!isResult || typeof body.invocationStatus !== "string") {
    throw new Error("the message is no result: it has no invocationStatus");
  }
  return body as Body;
}

/** The bytes of a `responseBody`. */
function decoded(content: string, encoding: string): Uint8Array {
  switch (encoding) {
    case "UTF8":
      return Buffer.from(content, "utf8");
    case "BASE64":
      return Buffer.from(content, "base64");
    default:
      throw new Error(`unknown encoding ${encoding}: it must be UTF8 or BASE64`);
  }
}

/** `s3://bucket/key` or `https://bucket.s3.region.amazonaws.com/key`. A key stands for itself: never URL-decode it. */
function bucketAndKey(location: string): [bucket: string, key: string] {
  const [, bucket, bucketOfUrl, key] = /^(?:s3:\/\/([^/]+)|https:\/\/([^/]+?)\.s3[.-][^/]+)\/(.+)$/s.exec(location) ?? [];
  const name = bucket ?? bucketOfUrl;
  if (!name || !key) throw new Error("the output's location is no S3 object: it must be s3://bucket/key");
  return [name, key];
}
