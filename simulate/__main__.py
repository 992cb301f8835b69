"""Simulates a day and prints what came out.

make simulate
make simulate PARAMETERS=examples/simulation.toml RATE=5 SET="endpoint.max_instances=8 traffic.bursts=2"
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from simulate.parameters import ParameterError, read
from simulate.pipeline import simulate
from simulate.report import summary, text


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 2 for parameters that cannot be."""
    parser = argparse.ArgumentParser(prog="simulate", description="Simulates the pipeline for a day.")
    parser.add_argument("parameters", nargs="?", type=Path, help="a TOML file; see examples/simulation.toml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.NAME=VALUE", help="over what the file says"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a picture, .svg or .png")
    options = parser.parse_args(arguments)
    try:
        parameters = read(options.parameters, options.set)
    except ParameterError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    run = simulate(parameters)
    figures = summary(run)
    print(text(figures))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        # It takes a second to load, and only .venv/simulate has it.
        from simulate.plot import plot  # noqa: PLC0415

        plot(run, options.plot)
        print(f"\nplot: {options.plot}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
