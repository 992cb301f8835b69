// A client of the bridge's HTTP API for Node.js 22 or later, Deno, Bun and browsers. It needs nothing but fetch.
//
//   node examples/client.ts https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com '{"prompt": "Summarize."}'
//
// With HttpAuth JWT give the token as environment variable BRIDGE_TOKEN.

export interface InvokeOptions {
  /** Endpoint other than the bridge's default one. */
  endpointName?: string;
  contentType?: string;
  /** Repeat the same request under the same key as often as you like: it invokes once. */
  idempotencyKey?: string;
  /** Seconds to wait for the output in the same call. */
  waitSeconds?: number;
  /** Authorization header of the API, if it asks for one. */
  authorization?: string;
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
export async function invoke(api: string, payload: BodyInit, options: InvokeOptions = {}): Promise<Response> {
  const authorization: Record<string, string> = options.authorization ? { authorization: options.authorization } : {};
  const path = options.endpointName ? `/endpoints/${options.endpointName}/async-invocations` : "/invocations";
  const headers: Record<string, string> = {
    ...authorization,
    "content-type": options.contentType ?? "application/json",
    // The key makes the retries below safe: none of them invokes a second time.
    "idempotency-key": options.idempotencyKey ?? crypto.randomUUID(),
    prefer: `wait=${options.waitSeconds ?? 15}`,
  };
  let answer = await call(`${api}${path}`, { method: "POST", headers, body: payload });
  // Only a 202 has it; a 303 was followed by fetch itself, which sends the authorization to no other origin.
  const location = answer.headers.get("location");
  while (answer.status === 202 && location) {
    await pause(answer);
    answer = await call(location, { headers: authorization });
  }
  return answer;
}

/** A request, repeated while the bridge or the model's queue asks to come back. */
async function call(url: string, init: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(url, init);
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
