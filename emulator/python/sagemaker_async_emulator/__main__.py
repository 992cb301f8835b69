"""The emulator's program, where its directory is not on the PATH: `python -m sagemaker_async_emulator --help`."""

import os
import sys

from ._binary import binary

if __name__ == "__main__":
    os.execv(binary(), [str(binary()), *sys.argv[1:]])
