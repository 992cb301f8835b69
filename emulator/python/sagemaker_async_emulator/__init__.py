"""A local SageMaker asynchronous endpoint for Python tests.

With pytest there is nothing to import: the fixture `sagemaker_async_endpoint` is an `Endpoint`, made as the fixture
`sagemaker_async_config` or the marker `sagemaker_async` say. Elsewhere `running` starts one:

    with sagemaker_async_emulator.running(Config(model="sleep:1")) as endpoint:
        answer = endpoint.runtime.invoke_endpoint_async(EndpointName=endpoint.name, Body=b"x")
        assert endpoint.wait(answer) == b"x"

`binary()` is the path of the emulator's program, which `python -m sagemaker_async_emulator` runs as well.
"""

from ._binary import binary
from ._config import Config
from ._endpoint import Endpoint, InvocationError
from ._model import Model, ModelRequest, ModelResponse
from ._process import StartError
from ._running import running

__all__ = [
    "Config",
    "Endpoint",
    "InvocationError",
    "Model",
    "ModelRequest",
    "ModelResponse",
    "StartError",
    "binary",
    "running",
]
