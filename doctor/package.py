"""A function's package, as far as to tell for which processor it was built."""

from __future__ import annotations

import tempfile
import time
import urllib.request
import zipfile
from typing import IO

ENTRY = "bootstrap"
# e_ident's magic, and e_machine behind it: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ELF_MAGIC, MACHINE_AT = b"\x7fELF", 18
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}

CHUNK_BYTES = 1 << 20
# Lambda takes 250 MB of a package, unpacked: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PACKAGE_LIMIT_BYTES = 262_144_000
DOWNLOAD_SECONDS = 60


class PackageError(Exception):
    """The package is not one of this project's. The message says why."""


def architecture(location: str, timeout_seconds: float) -> str:
    """The architecture of the `bootstrap` in the package at GetFunction's `Code.Location`.

    `OSError` when it cannot be had, `PackageError` when it has no such program. `timeout_seconds`: for each read.
    """
    with tempfile.TemporaryFile() as package:
        download(location, package, timeout_seconds)
        try:
            with zipfile.ZipFile(package) as archive, archive.open(ENTRY) as entry:
                header = entry.read(MACHINE_AT + 2)
        except (zipfile.BadZipFile, KeyError) as error:
            raise PackageError(f"the package has no {ENTRY}: {error}") from error
    if not header.startswith(ELF_MAGIC) or len(header) < MACHINE_AT + 2:
        raise PackageError(f"the package's {ENTRY} is not a Linux program")
    machine = int.from_bytes(header[MACHINE_AT:], "little")
    return MACHINES.get(machine, f"an unknown processor (e_machine {machine:#x})")


def download(location: str, target: IO[bytes], timeout_seconds: float) -> None:
    """The presigned URL's content; it is in no message, because whoever has it has the code."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    try:
        with urllib.request.urlopen(location, timeout=timeout_seconds) as answer:
            while chunk := answer.read(CHUNK_BYTES):
                target.write(chunk)
                if target.tell() > PACKAGE_LIMIT_BYTES:
                    raise PackageError("the package is larger than Lambda takes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"took more than {DOWNLOAD_SECONDS} s")
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise OSError(f"the package cannot be downloaded: {reason}") from None
