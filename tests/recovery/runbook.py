"""docs/runbook.md, its sections and their commands, run as a shell does that they are pasted into."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from local.bridge import REGION, ROOT_KEY
from local.stack import ROOT, LocalStack

PAGE = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST, *PARTS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
SECTIONS = {part.split("\n", 1)[0]: part for part in PARTS}
# As the page has it.
STACK = "STACK=sagemaker-async-bridge"
# The AWS CLI 1 takes SQS's address from its command line only, and the doctor's exit code says what it found.
PRELUDE = """
set -euo pipefail
aws() { if [ "$1" = sqs ]; then command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; else command aws "$@"; fi; }
make() { if [ "$1" = doctor ]; then command make "$@" || true; else command make "$@"; fi; }
"""


def functions() -> str:
    """The functions that the commands use."""
    definitions, _look = BLOCK.findall(FIRST)
    return definitions


def blocks(section: str) -> list[str]:
    """The commands of a section."""
    return BLOCK.findall(SECTIONS[section])


def run(stack: LocalStack, environment: dict[str, str], *texts: str) -> str:
    """What commands write to standard output; every one of them has to succeed."""
    assert functions().startswith(STACK)
    script = "\n".join([PRELUDE, functions().replace(STACK, f"STACK={stack.name}"), *texts])
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
    variables = {
        **own,
        **environment,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=variables, check=False, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nof\n" + "\n".join(texts)
    return done.stdout


def environment(stack: LocalStack) -> dict[str, str]:
    """What leads the tools to a stack's AWS, and to nothing of the machine's own."""
    return {
        "AWS_ENDPOINT_URL": stack.url,
        "AWS_ENDPOINT_URL_SAGEMAKER": stack.emulator_url,
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": stack.emulator_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
