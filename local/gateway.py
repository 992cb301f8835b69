"""Requests to the bridge's HTTP API, signed as API Gateway's AWS_IAM authorization asks for."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# Longer than any function runs.
REQUEST_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers (names in lower case) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def call(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    credentials: Credentials | None,
    region: str,
) -> HttpAnswer:
    """One request; signed with SigV4 for the service `execute-api` unless `credentials` is None."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    if credentials is not None:
        SigV4Auth(credentials, "execute-api", region).add_auth(request)
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=REQUEST_TIMEOUT_SECONDS)
    try:
        connection.request(method, target, body=body, headers=dict(request.headers.items()))
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return HttpAnswer(answer.status, names, answer.read())
    finally:
        connection.close()
