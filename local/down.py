"""`make down`: ends what `make up` left running, to the last process."""

from __future__ import annotations

import sys

from local.stack import stop_detached
from local.up import STATE, load_state


def main() -> int:
    """Exit code 0 when nothing of it runs any more, also when nothing did."""
    state = load_state()
    if state is None:
        print("nothing is up")
        return 0
    stop_detached(state)
    STATE.unlink()
    print("down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
