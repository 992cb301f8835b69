"""From a configuration to an endpoint in service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ._config import Config
from ._endpoint import Endpoint, notification_file, wait_until_in_service
from ._model import serving
from ._process import emulator


@contextmanager
def running(config: Config | None = None, directory: Path | None = None) -> Iterator[Endpoint]:
    """Starts an emulator with an endpoint that is in service; with the block it ends, and all that it stored is gone.

    Args:
        config: What the endpoint is like; without it an echo.
        directory: Where the emulator's log and the notifications are written, a temporary one by default.

    Raises:
        StartError: an option is wrong, or the model gives no sign of life.
    """
    config = config or Config()
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = config.model if isinstance(config.model, str) else stack.enter_context(serving(config.model))
        faults = [f"--fault={config.name}:{name}={number}" for name, number in config.faults.items()]
        notify = f"--notify=file={notification_file(directory)}"
        options = [f"--endpoint={config.name}={model}", notify, *faults, *config.options]
        url = stack.enter_context(emulator(options, directory, config.region))
        endpoint = Endpoint(url, config.name, config.region, directory)
        wait_until_in_service(endpoint)
        yield endpoint
