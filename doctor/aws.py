"""Calls to AWS: bounded in time, each question asked once, and none that changes anything."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from doctor.faults import SILENT, raise_if_fatal

READING_PREFIXES = ("describe_", "get_", "list_", "simulate_")


@dataclass(frozen=True)
class CallLimits:
    """How long a call may take: each of its tries, and how many there are.

    Rather too long than too short: a message whose sending was only slow is sent twice.
    """

    connect_seconds: float = 3
    read_seconds: float = 15
    tries: int = 2


class Aws:
    """AWS with the credentials at hand. May be used by several threads."""

    def __init__(self, call_limits: CallLimits = CallLimits(), clients: Mapping[str, Any] | None = None) -> None:
        """Nothing is called yet. `clients`: those of some services, instead of new ones."""
        self.call_limits = call_limits
        self._config = Config(
            connect_timeout=call_limits.connect_seconds,
            read_timeout=call_limits.read_seconds,
            retries={"total_max_attempts": call_limits.tries, "mode": "standard"},
            user_agent_extra="sagemaker-async-bridge-doctor",
        )
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = dict(clients or {})
        self._answers: dict[str, Future[Any]] = {}
        self._silent: dict[str, Exception] = {}
        self._lock = threading.Lock()

    @property
    def session(self) -> boto3.Session:
        """boto3's session. It reads AWS_DEFAULT_REGION only, so AWS_REGION, which other SDKs read, is handed over."""
        if self._session is None:
            self._session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
        return self._session

    def client(self, service: str) -> Any:
        """A client of a service. Making one is not thread-safe, using it is."""
        with self._lock:
            if service not in self._clients:
                try:
                    self._clients[service] = self.session.client(service, config=self._config)
                except (BotoCoreError, ValueError) as error:
                    raise_if_fatal(error)
                    raise
            return self._clients[service]

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer of a call that only reads. Whoever asks the same again gets the same, an error too."""
        return self._cached(service, operation, parameters, lambda: self.call(service, operation, **parameters))

    def ask_all(self, service: str, operation: str, field: str, **parameters: Any) -> list[Any]:
        """`field` of every page of an answer."""
        return self._cached(
            service,
            operation,
            parameters,
            lambda: self._guarded(service, lambda: self._pages(service, operation, field, parameters)),
        )

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer of a call, made anew each time."""
        return self._guarded(service, lambda: getattr(self.client(service), operation)(**parameters))

    def _pages(self, service: str, operation: str, field: str, parameters: dict[str, Any]) -> list[Any]:
        pages = self.client(service).get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page.get(field, [])]

    def _cached(self, service: str, operation: str, parameters: dict[str, Any], call: Callable[[], Any]) -> Any:
        if not operation.startswith(READING_PREFIXES):
            raise ValueError(f"{operation} may change something: checks only read")
        question = json.dumps([service, operation, parameters], sort_keys=True)
        with self._lock:
            is_mine = question not in self._answers
            answer = self._answers.setdefault(question, Future())
        if is_mine:
            try:
                answer.set_result(call())
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()

    def _guarded(self, service: str, call: Callable[[], Any]) -> Any:
        """A service that did not answer once is not waited for again: it costs its own checks that time, once."""
        if service in self._silent:
            raise self._silent[service]
        try:
            return call()
        except SILENT as error:
            self._silent[service] = error
            raise
        except (BotoCoreError, ClientError) as error:
            raise_if_fatal(error)
            raise
