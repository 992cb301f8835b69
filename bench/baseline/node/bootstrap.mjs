// Lambda's runtime API around `handler` of the bundle that the first argument names: less than AWS's own client does, which builds
// native code when it is installed.

import http from "node:http";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const invocation = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`;

function call(method, path, body) {
  return new Promise((done, failed) => {
    const request = http.request(invocation + path, { method, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => done({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", failed);
    request.end(body);
  });
}

const { handler } = await import(pathToFileURL(resolve(process.argv[2])));
for (;;) {
  const { headers, body } = await call("GET", "next");
  const answer = JSON.stringify((await handler(JSON.parse(body))) ?? null);
  await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, answer);
}
