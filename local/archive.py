"""From binaries to what CloudFormation takes: function archives, and the template that names them."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

# Any fixed moment makes equal binaries equal archives; ZIP knows none before 1980.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o100755

# `Binary: NAME` of a function's Metadata and the `CodeUri: .` that follows it in the same resource.
CODE_URI = re.compile(r"^( +Binary: (?P<binary>[\w-]+)\n(?:(?! +Type:).*\n)*? +CodeUri: )\.$", re.MULTILINE)


# An alarm on a query, which the local AWS does not know, with the comment above it.
QUERY_ALARM = re.compile(
    r"^(?:  # .*\n)*  \w+:\n    Type: AWS::CloudWatch::Alarm\n(?:    .*\n)*?      Metrics:\n(?:    .*\n)*\n?",
    re.MULTILINE,
)


def function_archive(binary: Path) -> bytes:
    """ZIP with the binary as executable `bootstrap`; equal binaries, equal bytes. Not compressed, it stays here."""
    entry = zipfile.ZipInfo("bootstrap", ZIP_EPOCH)
    entry.external_attr = EXECUTABLE << 16
    entry.create_system = 3  # Unix, else the mode is ignored
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, stripped(binary))
    return packed.getvalue()


def source_archive(name: str, source: str) -> bytes:
    """ZIP with one module, as a function in Python is deployed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, source)
    return packed.getvalue()


def stripped(binary: Path) -> bytes:
    """The binary without debug information where a `strip` is at hand (a tenth of the bytes), else as it is."""
    strip = shutil.which("strip")
    if strip is None:
        return binary.read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / binary.name
        done = subprocess.run([strip, "-S", "-o", str(copy), str(binary)], capture_output=True, check=False)
        return (copy if done.returncode == 0 else binary).read_bytes()


def with_code_uris(template: str, uris: Mapping[str, str]) -> str:
    """The template with `CodeUri: .` of each function replaced by the `s3://` URI of its binary's archive.

    Nothing else changes. `uris`: binary name to URI; every function of the template must find its own there.
    """
    rewritten, count = CODE_URI.subn(lambda found: found.group(1) + uris[found.group("binary")], template)
    expected = len(re.findall(r"^ +CodeUri:", template, re.MULTILINE))
    if count != expected or count == 0:
        raise ValueError(f"template.yaml: {count} of {expected} functions have Metadata Binary followed by CodeUri: .")
    return rewritten


def without_query_alarms(template: str) -> str:
    """The template without its alarms on queries and metric math, which ministack refuses, and the stack with them."""
    return QUERY_ALARM.sub("", template)
