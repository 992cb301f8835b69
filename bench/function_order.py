"""Writes src/bin/functions.ld: the functions that run, in the order in which the linker is to lay them out.

    python bench/function_order.py BINARIES CALLS > src/bin/functions.ld

BINARIES has submit and collect with their symbols, CALLS callgrind's files of them, one for each case that was run.
Functions that more cases call come first. A binary that runs touches few functions of the many that it has. The kernel
maps 64 KiB around each page that is touched, so functions that lie apart cost 64 KiB each, and a read on a cold start.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

BINARIES = ("submit", "collect")
# What the kernel maps around a page: fault_around_bytes. A name is left out if more than that would come along unused.
MAPPED_AT_ONCE = 64 * 1024

HEADER = """\
/* Written by `make function-order`: the functions that the cases of the bench run, those of most cases first. A linker
   puts them together, so that a start reads and maps few pages of the binary (docs/performance.md). A name that the
   binary does not have, or no longer has, does no harm. */
SECTIONS {
  .text.first : {
"""
# Functions that LLVM takes for ones that hardly ever run. Some of them do.
FOOTER = """    *(.text.unlikely.*)
  }
}
INSERT BEFORE .text;
"""


def functions(lines: Iterable[str]) -> set[str]:
    """Symbols of the functions of `submit` or `collect` that ran, from one of callgrind's files.

    https://valgrind.org/docs/manual/cl-format.html: names stand beside their number once, the first time.
    """
    names: dict[tuple[str, str], str] = {}
    binary, ran = "", set[str]()
    for line in lines:
        found = re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.+))?", line)
        if not found:
            continue
        called, kind, number, name = found.groups()
        if name:
            # A recursive call is another function for callgrind.
            names[kind, number] = re.sub(r"'\d+$", "", name)
        if called:
            continue
        if kind == "ob":
            binary = Path(names[kind, number]).name
        elif binary in BINARIES:
            ran.add(names[kind, number])
    return ran


def pattern(symbol: str) -> str:
    """The symbol without what differs from build to build: Rust's hashes, and a number that LLVM may append."""
    legacy = re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", symbol)
    return re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", legacy) if symbol.startswith("_R") else legacy


def sizes(binary: Path) -> Iterator[tuple[str, int]]:
    """The functions of a binary, with their length in bytes."""
    command = ["nm", "--print-size", "--defined-only", str(binary)]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        columns = line.split()
        if len(columns) == 4 and columns[2] in "tTwW":
            yield columns[3], int(columns[1], 16)


def unused_bytes(binary: Path, ran: set[str]) -> Counter[str]:
    """By pattern, the bytes of its functions that did not run: all instances of a generic function have one pattern."""
    unused = Counter[str]()
    for symbol, size in sizes(binary):
        unused[pattern(symbol)] += 0 if symbol in ran else size
    return unused


def order(cases: Mapping[str, set[str]], unused: Mapping[str, int]) -> list[str]:
    """The patterns: those of more cases first, those of the same cases together."""
    run_by = defaultdict[str, list[str]](list)
    for case in sorted(cases):
        for name in {pattern(symbol) for symbol in cases[case]}:
            run_by[name].append(case)
    known = [name for name in run_by if unused.get(name, MAPPED_AT_ONCE + 1) <= MAPPED_AT_ONCE]
    return sorted(known, key=lambda name: (-len(run_by[name]), run_by[name], name))


def main(binaries: Path, calls: Path) -> str:
    """The linker script."""
    cases = {file.stem: functions(file.read_text(encoding="utf-8").splitlines()) for file in calls.glob("*.callgrind")}
    unused = dict[str, int]()
    for binary in BINARIES:
        ran = set().union(*(symbols for case, symbols in cases.items() if case.startswith(binary)))
        for name, size in unused_bytes(binaries / binary, ran).items():
            unused[name] = max(size, unused.get(name, 0))
    return HEADER + "".join(f"    *(.text.{name})\n" for name in order(cases, unused)) + FOOTER


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1]), Path(sys.argv[2])))
