"""The program for who has Rust: `cargo install` from a checkout, as emulator/README.md has it."""

from __future__ import annotations

from pathlib import Path

from local.stack import EMULATOR, ROOT
from tests.wheel.conftest import run

COMMAND = "cargo install --path emulator --locked"


def test_cargo_installs_it_from_a_checkout(tmp_path: Path) -> None:
    assert f"`{COMMAND}`" in (ROOT / "emulator/README.md").read_text(encoding="utf-8")
    # The profile that the workspace is built with already, and nothing fetched.
    run([*COMMAND.split(), "--debug", "--offline", "--root", str(tmp_path)], ROOT)
    assert run([str(tmp_path / "bin" / EMULATOR), "--version"], tmp_path).startswith(f"{EMULATOR} ")
