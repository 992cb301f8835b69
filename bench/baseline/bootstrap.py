"""Lambda's runtime API around `handler` of the module that the first argument names: less than AWS's own does."""

import http.client
import importlib
import json
import os
import sys

handler = importlib.import_module(sys.argv[1]).handler
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
INVOCATION = "/2018-06-01/runtime/invocation/"
while True:
    connection.request("GET", INVOCATION + "next")
    answer = connection.getresponse()
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    result = json.dumps(handler(json.loads(answer.read())))
    connection.request("POST", f"{INVOCATION}{request_id}/response", result)
    connection.getresponse().read()
