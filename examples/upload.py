#!/usr/bin/env python3
"""Sends a file of any size up to 1 GB to a model behind the bridge's HTTP API and writes what it answers.

    python3 examples/upload.py "$API_URL" recording.wav --content-type audio/wav --sign

--sign is for an API with HttpAuth AWS_IAM, the template's default. It needs botocore (pip install botocore) and finds
credentials and region where the AWS CLI does. With HttpAuth JWT leave it out and put the token into the environment
variable BRIDGE_TOKEN; with NONE leave out both. Then nothing but Python is needed.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.session
except ImportError:
    botocore = None

CHUNK_BYTES = 1024 * 1024

Headers = Mapping[str, str]
# Method, URL and headers of a request without a body: the headers that the API lets in.
Authorize = Callable[[str, str, Headers], Headers]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect to the caller: the token for the API must not be sent on to S3."""

    def redirect_request(self, *_: Any) -> None:
        """Follows nothing."""


OPENER = urllib.request.build_opener(NoRedirect)


def call(method: str, url: str, headers: Headers, body: IO[bytes] | bytes | None = None) -> Any:
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


def with_token(_method: str, _url: str, headers: Headers) -> Headers:
    """HttpAuth JWT, or NONE where there is no token."""
    token = os.environ.get("BRIDGE_TOKEN")
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


def with_signature() -> Authorize:
    """HttpAuth AWS_IAM: Signature Version 4 for the service execute-api."""
    if botocore is None:
        sys.exit("--sign needs botocore: pip install botocore")
    session = botocore.session.Session()
    credentials = session.get_credentials()
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if credentials is None or region is None:
        sys.exit("--sign needs AWS credentials and a region where the AWS CLI looks for them: aws configure")

    def sign(method: str, url: str, headers: Headers) -> Headers:
        request = botocore.awsrequest.AWSRequest(method, url, headers=dict(headers), data=b"")
        botocore.auth.SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        return dict(request.headers.items())

    return sign


def upload(api: str, file: Path, content_type: str, authorize: Authorize) -> str:
    """Puts a file into S3, a megabyte at a time. Returns its InputLocation."""
    url = f"{api}/uploads"
    announced = {
        "X-Amzn-SageMaker-Content-Type": content_type,
        "X-Upload-Content-Length": str(file.stat().st_size),
    }
    upload = json.load(expect(call("POST", url, authorize("POST", url, announced), b""), 201))
    with file.open("rb") as body:
        # Content type and length are signed: S3 takes this file and no other. S3 wants no authorization but the URL.
        expect(call("PUT", upload["UploadUrl"], upload["UploadHeaders"], body), 200)
    return upload["InputLocation"]


def wait_for_output(accepted: Any, authorize: Authorize) -> Any:
    """Follows `Location` until there is an output."""
    answer = expect(accepted, 200, 202, 303)
    url = answer.headers["Location"]
    while answer.status == 202:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = expect(call("GET", url, authorize("GET", url, {})), 200, 202, 303)
    if answer.status == 303:
        answer = expect(call("GET", answer.headers["Location"], {}), 200)
    return answer


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("api", help="the stack's output ApiUrl")
    parser.add_argument("file", type=Path)
    parser.add_argument("--content-type", default="application/octet-stream")
    parser.add_argument("--sign", action="store_true", help="sign with AWS credentials, for HttpAuth AWS_IAM")
    parser.add_argument("--output", type=Path, help="where the output goes; default: standard output")
    options = parser.parse_args()
    authorize = with_signature() if options.sign else with_token
    api = options.api.rstrip("/")

    location = upload(api, options.file, options.content_type, authorize)
    print(f"uploaded to {location}", file=sys.stderr)
    url = f"{api}/invocations"
    request = {
        "X-Amzn-SageMaker-InputLocation": location,
        "X-Amzn-SageMaker-Content-Type": options.content_type,
        "Prefer": "wait=15",
    }
    output = wait_for_output(call("POST", url, authorize("POST", url, request), b""), authorize)
    with options.output.open("wb") if options.output else os.fdopen(1, "wb") as target:
        shutil.copyfileobj(output, target, CHUNK_BYTES)


if __name__ == "__main__":
    main()
