"""An endpoint that is in service: boto3 clients of it, and what became of its invocations."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import boto3
import botocore.session
from botocore.config import Config as ClientConfig

from ._process import ACCESS_KEY, StartError

BUCKET = "sagemaker"
POLL_SECONDS = 0.02
IN_SERVICE_TIMEOUT_SECONDS = 60.0


class InvocationError(Exception):
    """An invocation did not complete.

    Attributes:
        status: `Failed` or `Expired`.
        reason: The notification's `failureReason`.
        output: The failure output, which is the model's answer if it gave one, else None.
    """

    def __init__(self, status: str, reason: str, output: bytes | None) -> None:
        super().__init__(f"the invocation has {status.lower()}: {reason}")
        self.status, self.reason, self.output = status, reason, output


class Endpoint:
    """A SageMaker asynchronous endpoint in service, in an emulator of its own.

    Attributes:
        name: What `EndpointName` is to be.
        url: The emulator's, for clients of any service it has; in a browser, a page that shows the invocations.
        region: Of its ARNs.
        bucket: A bucket that is there for inputs. The endpoint's outputs are under `output/` and `failure/` in it.
    """

    def __init__(self, url: str, name: str, region: str, directory: Path) -> None:
        self.url, self.name, self.region, self.bucket = url, name, region, BUCKET
        self._directory = directory
        self._clients: dict[str, Any] = {}

    @property
    def runtime(self) -> Any:
        """A boto3 client of `sagemaker-runtime`, which invokes."""
        return self.client("sagemaker-runtime")

    @property
    def sagemaker(self) -> Any:
        """A boto3 client of `sagemaker`, which describes and makes endpoints."""
        return self.client("sagemaker")

    @property
    def s3(self) -> Any:
        """A boto3 client of `s3`, the one where inputs and outputs are."""
        return self.client("s3")

    def client(self, service: str) -> Any:
        """A boto3 client of a service that the emulator has: also `cloudwatch`, `application-autoscaling`, `sts`.

        It tries each call once, so that a fault shows. The client that the code under test makes retries as it is told.
        """
        if service not in self._clients:
            once = ClientConfig(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"})
            self._clients[service] = _session(self.region).client(service, endpoint_url=self.url, config=once)
        return self._clients[service]

    def wait(self, answer: Mapping[str, Any] | str, timeout: float = 30.0) -> bytes:
        """Waits until an invocation has ended, and reads its output.

        Args:
            answer: What `invoke_endpoint_async` returned, or its `OutputLocation`; of any of the emulator's endpoints.
            timeout: Seconds.

        Raises:
            InvocationError: it failed or expired.
            TimeoutError: it is still queued or in progress, or no such invocation was seen.
            botocore.exceptions.ClientError: it completed, but its output is gone (the fault `missing-output`).
        """
        location = answer if isinstance(answer, str) else answer["OutputLocation"]
        inference_id = None if isinstance(answer, str) else answer["InferenceId"]
        deadline = time.monotonic() + timeout
        while True:
            invocation = self._invocation(location, inference_id)
            status = invocation["status"] if invocation else None
            if status == "Completed":
                return self._read(location)
            if invocation and status in ("Failed", "Expired"):
                self._fail(invocation)
            if time.monotonic() > deadline:
                state = f"still {status}" if status else "not among those that the emulator remembers (--history-limit)"
                raise TimeoutError(f"after {timeout:g} s the invocation with the output {location} is {state}")
            time.sleep(POLL_SECONDS)

    def notifications(self) -> list[dict[str, Any]]:
        """SageMaker's notifications so far, the oldest first: the JSON that SNS has as its `Message`."""
        text = notification_file(self._directory).read_text(encoding="utf-8")
        # What stands behind the last newline is still being written.
        return [json.loads(json.loads(line)["Message"]) for line in text.split("\n")[:-1]]

    def wait_for_notification(self, inference_id: str, timeout: float = 30.0) -> dict[str, Any]:
        """Waits until an invocation's notification was sent; the first, if there are several.

        Args:
            inference_id: `InferenceId` of the invocation, the caller's or the one in its answer.
            timeout: Seconds.

        Raises:
            TimeoutError: none was sent.
        """
        deadline = time.monotonic() + timeout
        while True:
            for notification in self.notifications():
                if notification.get("inferenceId") == inference_id:
                    return notification
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout:g} s there is no notification of {inference_id}")
            time.sleep(POLL_SECONDS)

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Puts faults in force for this endpoint from now on, in place of those before; none with `{}`.

        Raises:
            ValueError: there is no such fault, or its number is out of bounds.
        """
        self._ask("PUT", f"/_emulator/faults/{quote(self.name)}", json.dumps(dict(faults)).encode())

    def _endpoints(self) -> list[dict[str, Any]]:
        endpoints: list[dict[str, Any]] = self._ask("GET", "/_emulator/endpoints")["endpoints"]
        return endpoints

    def _invocation(self, output_location: str, inference_id: str | None) -> dict[str, Any] | None:
        """The invocation with this output, found faster by its inference id."""
        wanted = {"limit": "100000"} if inference_id is None else {"limit": "100000", "inferenceId": inference_id}
        for endpoint in self._endpoints():
            path = f"/_emulator/endpoints/{quote(endpoint['endpointName'])}/invocations?{urlencode(wanted)}"
            for invocation in self._ask("GET", path)["invocations"]:
                if invocation["outputLocation"] == output_location:
                    found: dict[str, Any] = invocation
                    return found
        return None

    def _fail(self, invocation: dict[str, Any]) -> NoReturn:
        output = self._read(invocation["failureLocation"]) if invocation["hasOutput"] else None
        reason = invocation["failureReason"] or "it waited longer than its RequestTTLSeconds"
        raise InvocationError(invocation["status"], reason, output)

    def _read(self, location: str) -> bytes:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One call of the emulator's own API."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise ValueError(text.decode())
        return json.loads(text)


def wait_until_in_service(endpoint: Endpoint) -> None:
    """Returns when it takes invocations.

    Raises:
        StartError: it has failed, or its model has not answered `/ping` within a minute.
    """
    deadline = time.monotonic() + IN_SERVICE_TIMEOUT_SECONDS
    while True:
        described = next(each for each in endpoint._endpoints() if each["endpointName"] == endpoint.name)
        if described["status"] == "InService":
            return
        if described["status"] == "Failed":
            raise StartError(f"the endpoint {endpoint.name} has failed: {described['failureReason']}")
        if time.monotonic() > deadline:
            state = f"{described['status']}, its model {described['image']}"
            raise StartError(f"after {IN_SERVICE_TIMEOUT_SECONDS:g} s the endpoint {endpoint.name} is {state}")
        time.sleep(POLL_SECONDS)


def notification_file(directory: Path) -> Path:
    """What the emulator writes notifications to."""
    return directory / "notifications.jsonl"


@lru_cache
def _session(region: str) -> boto3.Session:
    """Shared by all endpoints: reading the services' API models takes longer than starting an emulator."""
    # Neither the user's profile nor the user's configuration counts, nor need they be there.
    nobody = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    return boto3.Session(
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        region_name=region,
        botocore_session=botocore.session.Session(session_vars=nobody),
    )
