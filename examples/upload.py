#!/usr/bin/env python3
"""Sends a file of any size up to 1 GB to a model behind the bridge's HTTP API and writes what it answers.

    python3 examples/upload.py "$API_URL" recording.wav --content-type audio/wav

Needs nothing but Python. The API asks for a token (HttpAuth JWT): put it into the environment variable BRIDGE_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

CHUNK_BYTES = 1024 * 1024


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect to the caller: the token for the API must not be sent on to S3."""

    def redirect_request(self, *_: Any) -> None:
        """Follows nothing."""


OPENER = urllib.request.build_opener(NoRedirect)


def call(method: str, url: str, headers: Mapping[str, str], body: IO[bytes] | bytes | None = None) -> Any:
    """An answer, whatever its status."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    try:
        return OPENER.open(request)
    except urllib.error.HTTPError as answer:
        return answer


def expect(answer: Any, *statuses: int) -> Any:
    """The answer, or the end of the program with what the bridge said."""
    if answer.status not in statuses:
        sys.exit(f"{answer.status}: {answer.read().decode(errors='replace')}")
    return answer


def upload(api: str, file: Path, content_type: str, token: Mapping[str, str]) -> str:
    """Puts a file into S3, a megabyte at a time. Returns its InputLocation."""
    length = str(file.stat().st_size)
    prepared = call(
        "POST", f"{api}/uploads", {**token, "Content-Type": content_type, "X-Upload-Content-Length": length}, b""
    )
    upload = json.load(expect(prepared, 201))
    with file.open("rb") as body:
        # Content type and length are signed: S3 takes this file and no other.
        headers = {"Content-Type": content_type, "Content-Length": length}
        expect(call("PUT", upload["UploadUrl"], headers, body), 200)
    return upload["InputLocation"]


def wait_for_output(accepted: Any, token: Mapping[str, str]) -> Any:
    """Follows `Location` until there is an output."""
    answer = expect(accepted, 200, 202, 303)
    url = answer.headers["Location"]
    while answer.status == 202:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = expect(call("GET", url, token), 200, 202, 303)
    if answer.status == 303:
        answer = expect(call("GET", answer.headers["Location"], {}), 200)
    return answer


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("api", help="the stack's output ApiUrl")
    parser.add_argument("file", type=Path)
    parser.add_argument("--content-type", default="application/octet-stream")
    parser.add_argument("--output", type=Path, help="where the output goes; default: standard output")
    options = parser.parse_args()
    token = {"Authorization": f"Bearer {os.environ['BRIDGE_TOKEN']}"} if "BRIDGE_TOKEN" in os.environ else {}
    api = options.api.rstrip("/")

    location = upload(api, options.file, options.content_type, token)
    print(f"uploaded to {location}", file=sys.stderr)
    headers = {
        **token,
        "X-Amzn-SageMaker-InputLocation": location,
        "X-Amzn-SageMaker-Content-Type": options.content_type,
        "Prefer": "wait=15",
    }
    output = wait_for_output(call("POST", f"{api}/invocations", headers, b""), token)
    with options.output.open("wb") if options.output else os.fdopen(1, "wb") as target:
        shutil.copyfileobj(output, target, CHUNK_BYTES)


if __name__ == "__main__":
    main()
