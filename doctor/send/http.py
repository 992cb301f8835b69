"""Requests to the HTTP API, as its HttpAuth wants them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# API Gateway gives up after 30.
TIMEOUT_SECONDS = 35


@dataclass(frozen=True)
class Answer:
    """Status, and headers whose names are in lower case. The body, an output perhaps, is nobody's business here."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Caller:
    """Who calls: `credentials` sign (AWS_IAM), `token` is a bearer's (JWT), neither for NONE."""

    region: str
    credentials: Credentials | None = None
    token: str | None = None

    def call(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request; `OSError` when there is no answer. Redirects are answers."""
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
        if self.credentials is not None:
            SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        if self.token is not None:
            request.headers["Authorization"] = f"Bearer {self.token}"
        prepared = urllib.request.Request(url, body or None, dict(request.headers.items()), method=method)
        try:
            with OPENER.open(prepared, timeout=TIMEOUT_SECONDS) as answer:
                return Answer(answer.status, lower(answer.headers))
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, lower(answer.headers))
        except HTTPException as error:
            raise OSError(f"no HTTP answer: {type(error).__name__}") from error


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A large output is a redirect to a presigned URL, which need not be fetched."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """None of them is followed."""


OPENER = urllib.request.build_opener(NoRedirect)


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by names in lower case."""
    return {name.lower(): value for name, value in headers.items()}
