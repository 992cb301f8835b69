"""Commands to paste: lines of the AWS CLI with every name filled in."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

LINE_LIMIT = 110
# What a pasted command needs of the environment that the doctor ran in. Never keys.
ENVIRONMENT = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINT_URL = "AWS_ENDPOINT_URL"


class Shell(str):
    """A text that the shell has to expand, such as `"$TOPIC"`: it is not quoted."""

    __slots__ = ()


def aws(command: str, **options: Any) -> str:
    """`aws("sqs purge-queue", queue_url=url)`: a dict or tuple becomes JSON.

    A list is several words, True an option alone.
    """
    words = command.split()
    parts = [shlex.join(["aws", *words, *endpoint_url(words[0])])]
    for name, value in options.items():
        words = [] if value is True else value if isinstance(value, list) else [value]
        parts.append(" ".join([f"--{name.replace('_', '-')}", *map(quoted, words)]))
    line = " ".join(parts)
    return line if len(line) <= LINE_LIMIT else " \\\n  ".join(parts)


def log(group: str) -> str:
    """What a log group has of the last ten minutes. Version 1 of the CLI has no `logs tail`."""
    return aws(
        "logs filter-log-events",
        log_group_name=group,
        start_time=Shell("$(( ($(date +%s) - 600) * 1000 ))"),
        query="events[].message",
        output="text",
    )


def endpoint_url(service: str) -> list[str]:
    """What leads to another AWS than the public one where the CLI does not look into its environment.

    Version 1 does not for SQS, whose host name it chooses itself:
    https://github.com/aws/aws-cli/blob/develop/awscli/customizations/overridesslcommonname.py
    """
    url = os.environ.get(f"{ENDPOINT_URL}_SQS") or os.environ.get(ENDPOINT_URL)
    return ["--endpoint-url", url] if service == "sqs" and url else []


def quoted(value: Any) -> str:
    """One word for the shell."""
    if isinstance(value, Shell):
        return value
    return shlex.quote(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))


def environment() -> list[str]:
    """`export` lines without which the commands would go elsewhere than the doctor did."""
    names = [name for name in os.environ if name in ENVIRONMENT or name.startswith(ENDPOINT_URL)]
    return [f"export {name}={shlex.quote(os.environ[name])}" for name in sorted(names)]
