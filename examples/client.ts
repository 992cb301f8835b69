// A client of the bridge's HTTP API for Node.js 22 or later, Deno, Bun and browsers. It needs nothing but fetch.
//
//   node examples/client.ts https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com '{"prompt": "Summarize."}'
//
// With HttpAuth JWT give the token as environment variable BRIDGE_TOKEN. With AWS_IAM, the template's default, give a fetch that
// signs (option `fetch`): by itself this client cannot.

export interface CallOptions {
  /** Authorization header of the API, if it asks for one: `Bearer …` with HttpAuth JWT. */
  authorization?: string;
  /**
   * Sends the requests to the API, instead of the global fetch: one that signs them by Signature Version 4 for the service
   * `execute-api`, with HttpAuth AWS_IAM. A browser hides redirects from it, so outputs over 4.5 MB need Node.js, Deno or Bun.
   */
  fetch?: typeof globalThis.fetch;
}

export interface InvokeOptions extends CallOptions {
  /** Endpoint other than the bridge's default one. */
  endpointName?: string;
  contentType?: string;
  /** Repeat the same request under the same key: it gets the first answer again. */
  idempotencyKey?: string;
  /** Seconds to wait for the output in the same call. */
  waitSeconds?: number;
}

/** An input that lies in S3, as `upload` gives it. */
export interface Uploaded {
  inputLocation: string;
}

/** What the bridge said when it did not give an output. */
export class BridgeError extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(`${status} ${type}: ${message}`);
    this.status = status;
    this.type = type;
  }
}

const MAX_TRIES = 5;

/** Has the model answer, however long it takes; resolves to the response that holds the output. */
export async function invoke(
  api: string,
  input: BodyInit | Uploaded,
  options: InvokeOptions = {},
): Promise<Response> {
  const path = options.endpointName ? `/endpoints/${options.endpointName}/async-invocations` : "/invocations";
  const contentType = options.contentType ?? "application/json";
  const headers: Record<string, string> = {
    // The key makes the retries below safe: within a day none of them invokes what was accepted already.
    "idempotency-key": options.idempotencyKey ?? crypto.randomUUID(),
    prefer: `wait=${options.waitSeconds ?? 15}`,
  };
  const request: RequestInit = { method: "POST", headers };
  if (isUploaded(input)) {
    headers["x-amzn-sagemaker-inputlocation"] = input.inputLocation;
    headers["x-amzn-sagemaker-content-type"] = contentType;
  } else {
    headers["content-type"] = contentType;
    request.body = input;
  }
  let answer = await call(`${api}${path}`, request, options);
  // Only a 202 has it: a redirect was followed.
  const location = answer.headers.get("location");
  while (answer.status === 202 && location) {
    await pause(answer);
    answer = await call(location, {}, options);
  }
  return answer;
}

/** Puts a payload of up to 1 GB into S3; resolves to the input to invoke with. */
export async function upload(
  api: string,
  payload: Blob,
  options: CallOptions & { contentType?: string } = {},
): Promise<Uploaded> {
  const headers: Record<string, string> = { "x-upload-content-length": String(payload.size) };
  if (options.contentType) headers["x-amzn-sagemaker-content-type"] = options.contentType;
  const answer = await call(`${api}/uploads`, { method: "POST", headers }, options);
  const { InputLocation, UploadUrl, UploadHeaders } = await answer.json();
  // The length is signed too; fetch sends that of the body by itself.
  const { "content-length": _, ...signed } = UploadHeaders;
  const put = await fetch(UploadUrl, { method: "PUT", headers: signed, body: payload });
  if (!put.ok) throw new BridgeError(put.status, "S3", await put.text());
  return { inputLocation: InputLocation };
}

function isUploaded(input: BodyInit | Uploaded): input is Uploaded {
  return typeof input === "object" && "inputLocation" in input;
}

/** A request to the API, repeated while the bridge or the model's queue asks to come back. */
async function call(url: string, init: RequestInit, options: CallOptions): Promise<Response> {
  const authorization: Record<string, string> = options.authorization ? { authorization: options.authorization } : {};
  const headers = { ...init.headers, ...authorization };
  // What signs a request adds headers that S3 would refuse, so a redirect there is followed by a fetch that does not.
  const redirect = options.fetch ? "manual" : "follow";
  const send = options.fetch ?? fetch;
  for (let tries = 1; ; tries += 1) {
    const answer = await send(url, { ...init, headers, redirect });
    const location = answer.status === 303 && answer.headers.get("location");
    if (location) return call(location, {}, {});
    if (answer.ok) return answer;
    const again = [409, 429, 500, 503].includes(answer.status);
    if (!again || tries === MAX_TRIES) {
      const error = await answer.json().catch(() => ({}));
      const message = error.Message ?? error.message ?? "";
      throw new BridgeError(answer.status, answer.headers.get("x-amzn-errortype") ?? "", message);
    }
    await pause(answer);
  }
}

function pause(answer: Response): Promise<void> {
  const seconds = Number(answer.headers.get("retry-after") ?? 2);
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

// As a program: the API's URL and a payload. A browser has no process.
declare const process: { argv: string[]; env: Record<string, string | undefined>; stdout: { write(text: string): void } };
if (typeof process !== "undefined" && import.meta.url.endsWith(process.argv[1]?.split("/").pop() ?? "-")) {
  const [, , api, payload] = process.argv;
  const token = process.env.BRIDGE_TOKEN;
  const output = await invoke(api, payload, { authorization: token && `Bearer ${token}` });
  process.stdout.write(await output.text());
}
