"""All files of a release, ready to be uploaded: `make release-check`.

    python -m release.package target/dist target/upload --source-url https://example.com/somebody/it

takes the functions from `target/dist/PROCESSOR/NAME.zip` and writes an archive to deploy for each processor, and the
checksums of these and of all else that lies in the directory already. Equal input, equal bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.archive import ZIP_EPOCH
from local.stack import FUNCTIONS, ROOT
from release.project import Package, ReleaseError, linked, this_package
from release.template import PROCESSORS, released

CHECKSUMS = "SHA256SUMS"
FILE = 0o100644


def archive_name(package: Package, processor: str) -> str:
    """Without `.zip`, it is the directory in the archive too."""
    return f"{package.name}-{package.version}-{processor}"


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """An archive with the files in a directory of its own name. What is an archive already is not compressed again."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{path.stem}/{name}", ZIP_EPOCH)
            entry.external_attr, entry.create_system = FILE << 16, 3
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".zip") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def release_files(functions: Path, processor: str, package: Package) -> dict[str, bytes]:
    """What is deployed, and what a reader of the archive needs."""
    texts = {
        "template.yaml": released((ROOT / "template.yaml").read_text(encoding="utf-8"), processor, package),
        "README.md": linked((ROOT / "README.md").read_text(encoding="utf-8"), package),
        "LICENSE": (ROOT / "LICENSE").read_text(encoding="utf-8"),
    }
    archives = {f"{name}.zip": functions / processor / f"{name}.zip" for name in FUNCTIONS}
    if missing := [str(path) for path in archives.values() if not path.is_file()]:
        raise ReleaseError(f"not built: {', '.join(missing)}")
    return {name: text.encode() for name, text in texts.items()} | {
        name: path.read_bytes() for name, path in archives.items()
    }


def write_release(
    functions: Path, directory: Path, package: Package, *, processors: Sequence[str] = PROCESSORS
) -> None:
    """Writes the archives and the checksums into a directory that may hold more files of the release."""
    directory.mkdir(parents=True, exist_ok=True)
    for processor in processors:
        path = directory / f"{archive_name(package, processor)}.zip"
        write_archive(path, release_files(functions, processor, package))
    published = [path for path in sorted(directory.iterdir()) if path.name != CHECKSUMS]
    of_this_version = re.compile(rf"-{re.escape(package.version)}[-.]")
    if others := [path.name for path in published if not of_this_version.search(path.name)]:
        raise ReleaseError(f"not of version {package.version}: {', '.join(others)}")
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in published)
    (directory / CHECKSUMS).write_text(sums, encoding="utf-8")


def main() -> int:
    """Exit code 1 with a line for what is missing."""
    parser = argparse.ArgumentParser(prog="release.package", description="All files of a release.")
    parser.add_argument("functions", type=Path, help="directory with PROCESSOR/NAME.zip")
    parser.add_argument("directory", type=Path, help="where the files go, and where the wheels and the SBOMs are")
    parser.add_argument("--source-url", default="", help="address of the repository, for links")
    asked = parser.parse_args()
    package = this_package(asked.source_url)
    try:
        write_release(asked.functions, asked.directory, package)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print((asked.directory / CHECKSUMS).read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
