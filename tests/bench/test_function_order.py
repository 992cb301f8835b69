"""src/bin/functions.ld: what is written, and what a linker makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.function_order import functions, order, pattern
from local.stack import ROOT

SCRIPT = ROOT / "src/bin/functions.ld"
LEGACY = "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"
V0 = "_RNvMNtCslNYArtu3iFV_5alloc6stringNtB2_6String4push"

CALLS = """\
ob=(1) /usr/lib/libc.so.6
fn=(1) malloc
0 1
ob=(2) /build/submit
fn=(2) first
0 1
cob=(1)
cfn=(3) never_of_submit
calls=1 0
0 1
cfn=(4) second
calls=1 0
0 1
fn=(4)
0 1
fn=(5) third'2
0 1
"""


def test_what_ran_is_what_the_binary_itself_ran() -> None:
    assert functions(CALLS.splitlines()) == {"first", "second", "third"}


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (LEGACY, "_ZN4core3fmt9Formatter3pad17h*"),
        (f"{LEGACY}.llvm.1234", "_ZN4core3fmt9Formatter3pad17h*"),
        (V0, "_RNvMNtCs*_5alloc6stringNtB2_6String4push"),
        ("mi_malloc", "mi_malloc"),
    ],
)
def test_nothing_of_one_build_is_left_in_a_name(symbol: str, expected: str) -> None:
    assert pattern(symbol) == expected


def test_functions_of_the_same_cases_lie_together_and_those_of_more_cases_first() -> None:
    cases = {"http": {"all", "http_b", "http_a"}, "queue": {"all", "queue"}}
    unused = {"all": 0, "http_a": 64 * 1024, "http_b": 0, "queue": 0}
    assert order(cases, unused) == ["all", "http_a", "http_b", "queue"]


def test_a_name_that_stands_for_much_else_or_for_nothing_in_the_binary_is_left_out() -> None:
    assert order({"http": {"generic", "of_libc"}}, {"generic": 64 * 1024 + 1}) == []


def test_the_script_holds_no_hash_of_a_build() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert not re.search(r"17h[0-9a-f]{16}E|Cs[0-9A-Za-z]+_\d", text)
    # Both functions are there, and what they share.
    for name in ("bridge..submit..Submit", "bridge..collect..Collect", "hyper..client"):
        assert name in text


def linker(name: str) -> list[str]:
    """A compiler that links with it."""
    if name == "zig":
        return [str(ROOT / ".venv/build/bin/python"), "-m", "ziglang", "cc"]
    compiler = shutil.which("cc")
    assert compiler, "no C compiler: README.md has the prerequisites"
    if name == "bfd":
        return [compiler, "-fuse-ld=bfd"]
    # As rustc calls the one that it brings along.
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    directories = list(Path(sysroot).glob("lib/rustlib/*/bin/gcc-ld"))
    if not directories:
        pytest.skip("this Rust brings no linker along")
    return [compiler, f"-B{directories[0]}", "-fuse-ld=lld"]


@pytest.mark.parametrize("name", ["bfd", "lld", "zig"])
def test_a_linker_puts_together_what_it_names(name: str, tmp_path: Path) -> None:
    names = re.findall(r"\*\(\.text\.(_ZN.+17h)\*\)", SCRIPT.read_text(encoding="utf-8"))
    first, last = (f".text.{name}0123456789abcdefE" for name in (names[0], names[-1]))
    source = "".join(
        f'__attribute__((section("{section}"), used)) int {function}(void) {{ return 0; }}\n'
        for function, section in [("other", ".text.o"), ("cold", ".text.unlikely.c"), ("last", last), ("first", first)]
    )
    (tmp_path / "main.c").write_text(f"{source}int main(void) {{ return other() + last() + first() + cold(); }}\n")
    command = [*linker(name), f"-T{SCRIPT}", "-o", "main", "main.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
    symbols = subprocess.run(["nm", "main"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    at = {columns[2]: int(columns[0], 16) for line in symbols.splitlines() if len(columns := line.split()) == 3}
    assert at["first"] < at["last"] < at["cold"] < at["other"]
