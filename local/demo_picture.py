"""Runs the demo and draws what it prints, each line at its time.

    python -m local.demo_picture docs/demo.svg

The picture is an SVG whose lines appear as they came; where nothing may move, all of them are there at once.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from local.signals import run_to_its_end
from local.stack import ROOT

COLUMNS = 128
NAME = "demo"
STYLES = {
    r"^\$ .*": "bold",
    r"^\[ *[\d.]+ s\]": "grey62",
    r"^(request|result wanted by) .*": "bold",
    r"\bCompleted\b": "green",
    r"\b(Failed|Rejected)\b": "yellow",
}
MOTION = """
    @keyframes appear {{ from {{ opacity: 0 }} to {{ opacity: 1 }} }}
    @media (prefers-reduced-motion: no-preference) {{ text[class*="-r"] {{ animation: appear 1ms both }} }}
"""


def recorded() -> list[tuple[float, str]]:
    """The demo's lines, each with the second in which it came."""
    begun = time.monotonic()
    command = [sys.executable, "-u", "-m", "local.demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [(time.monotonic() - begun, line.rstrip()) for line in process.stdout]
    if process.returncode:
        sys.exit(f"the demo ended with exit code {process.returncode}:\n" + "\n".join(line for _, line in lines))
    return lines


def drawn(lines: list[tuple[float, str]]) -> str:
    """The picture."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    for _, line in lines:
        text = Text(line)
        for pattern, style in STYLES.items():
            text.highlight_regex(pattern, style)
        console.print(text, no_wrap=True, overflow="ellipsis")
    # No font from another host, and equal lines make an equal file.
    template = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = template.replace("{styles}", "{styles}" + MOTION)
    svg = console.export_svg(title="make demo", theme=MONOKAI, code_format=template, unique_id=NAME)
    return re.sub(
        rf'<text (?=[^>]*clip-path="url\(#{NAME}-line-(\d+)\)")',
        lambda found: f'<text style="animation-delay: {lines[min(int(found[1]), len(lines) - 1)][0]:.1f}s" ',
        svg,
    )


def draw(path: Path) -> int:
    """Runs, and writes the picture."""
    lines = [(0.0, "$ make demo"), *recorded()]
    path.write_text(drawn(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    run_to_its_end(lambda: draw(arguments.path))
