"""Both functions: how they are built, configured, logged, and reached."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from resolve import Template, attribute, of_type

from local.stack import ROOT

FUNCTIONS = {"SubmitFunction": "submit", "CollectFunction": "collect"}
GATEWAY_TIMEOUT_SECONDS = 30
# Default quota of an account: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ACCOUNT_CONCURRENCY = 1_000


def known_variables() -> dict[str, str]:
    """From src/config.rs, the one place that reads them: variable to `submit`, `collect` or `both`."""
    source = (ROOT / "src" / "config.rs").read_text(encoding="utf-8")
    constants = dict(re.findall(r'^const (\w+): &str = "(BRIDGE_\w+)";', source, re.MULTILINE))
    rows = re.findall(r'^ +\((\w+), "(submit|collect|both)",', source, re.MULTILINE)
    return {constants[name]: function for name, function in rows}


def variables(resources: dict[str, Any], function: str) -> dict[str, Any]:
    return resources[function]["Properties"]["Environment"]["Variables"]


@pytest.mark.parametrize(("function", "binary"), FUNCTIONS.items())
def test_cargo_lambda_builds_one_binary_for_each_function(direct: dict[str, Any], function: str, binary: str) -> None:
    entry = direct[function]
    assert entry["Metadata"] == {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": binary}}
    assert (ROOT / "src" / "bin" / f"{binary}.rs").is_file()
    properties = entry["Properties"]
    assert (properties["CodeUri"], properties["Handler"], properties["Runtime"]) == (
        ".",
        "bootstrap",
        "provided.al2023",
    )
    assert properties["Architectures"] == [{"Ref": "Architecture"}]
    assert properties["MemorySize"] == {"Ref": "MemorySize"}
    assert "ReservedConcurrentExecutions" not in properties


def test_concurrency_is_reserved_for_submit_alone_whose_callers_may_wait(template: Template) -> None:
    resources = template.resources(EndpointName="demo", ReservedConcurrency="100")
    assert resources["SubmitFunction"]["Properties"]["ReservedConcurrentExecutions"] == {"Ref": "ReservedConcurrency"}
    assert "ReservedConcurrentExecutions" not in resources["CollectFunction"]["Properties"]


def test_waiting_http_callers_hold_little_more_than_half_of_the_default_concurrency(template: Template) -> None:
    defaults = template.values(EndpointName="demo")
    at_once = defaults["ThrottlingRateLimit"] * defaults["MaxWaitSeconds"] + defaults["ThrottlingBurstLimit"]
    assert at_once <= 0.6 * ACCOUNT_CONCURRENCY


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("result_format", ["notification", "raw"])
def test_every_variable_is_one_that_the_function_reads(template: Template, function: str, result_format: str) -> None:
    known = known_variables()
    assert len(known) > 10
    resources = template.resources(EndpointName="demo", ResultFormat=result_format)
    own = [name for name in variables(resources, function) if name.startswith("BRIDGE_")]
    assert own
    assert [name for name in own if known.get(name) not in (FUNCTIONS[function], "both")] == []


ROUTE = "AWS::ApiGatewayV2::Route"
PATHS = [
    "/invocations",
    "/invocations/{token}",
    "/endpoints/{EndpointName}/async-invocations",
    "/uploads",
]


def test_required_variables_are_there(template: Template) -> None:
    resources = template.resources(EndpointName="demo", ResultFormat="raw")
    submit, collect = (variables(resources, function) for function in FUNCTIONS)
    assert submit == {
        "MIMALLOC_PURGE_DELAY": "-1",
        "BRIDGE_ENDPOINT_NAME": {"Ref": "EndpointName"},
        "BRIDGE_ALLOWED_ENDPOINTS": {"Ref": "EndpointName"},
        "BRIDGE_INPUT_LOCATION": {"Fn::Sub": "s3://${Bucket}/input/"},
        "BRIDGE_OUTPUT_LOCATIONS": submit["BRIDGE_OUTPUT_LOCATIONS"],
        "BRIDGE_IDEMPOTENCY_LOCATION": {"Fn::Sub": "s3://${Bucket}/idempotency/"},
        "BRIDGE_DEDUPLICATE": {"Ref": "Deduplicate"},
        "BRIDGE_METRICS": {"Ref": "Metrics"},
        "BRIDGE_INLINE_LIMIT_BYTES": {"Ref": "InlineLimitBytes"},
        "BRIDGE_MAX_WAIT_SECONDS": {"Ref": "MaxWaitSeconds"},
        "BRIDGE_DEAD_LETTER_QUEUE_URL": {"Ref": "RequestDeadLetterQueue"},
        "BRIDGE_RESULTS_QUEUE_URL": {"Ref": "ResultsQueue"},
    }
    assert submit["BRIDGE_OUTPUT_LOCATIONS"]["Fn::Sub"] == [
        "${Output},${Failure}",
        {"Output": {"Fn::Sub": "s3://${Bucket}/output/"}, "Failure": {"Fn::Sub": "s3://${Bucket}/failure/"}},
    ]
    assert collect == {
        "MALLOC_MMAP_THRESHOLD_": "33554432",
        "MALLOC_TRIM_THRESHOLD_": "67108864",
        "BRIDGE_ALLOWED_ENDPOINTS": {"Ref": "EndpointName"},
        "BRIDGE_RESULTS_QUEUE_URL": {"Ref": "ResultsQueue"},
        "BRIDGE_RESULT_FORMAT": {"Ref": "ResultFormat"},
        "BRIDGE_METRICS": {"Ref": "Metrics"},
        "BRIDGE_RESULT_LOCATION": {"Fn::Sub": "s3://${Bucket}/results/"},
    }


def test_further_choices_change_the_variables_they_should(template: Template) -> None:
    given = {
        "AllowedEndpointNames": "a,b",
        "SageMakerRuntimeEndpointUrl": "https://vpce.example",
        "ApiBaseUrl": "https://api.example",
    }
    resources = template.resources(EndpointName="demo", **given)
    submit, collect = (variables(resources, function) for function in FUNCTIONS)
    assert submit["BRIDGE_ALLOWED_ENDPOINTS"] == {"Fn::Sub": "${EndpointName},${AllowedEndpointNames}"}
    assert collect["BRIDGE_ALLOWED_ENDPOINTS"] == submit["BRIDGE_ALLOWED_ENDPOINTS"]
    assert submit["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] == {"Ref": "SageMakerRuntimeEndpointUrl"}
    assert submit["BRIDGE_API_URL"] == {"Ref": "ApiBaseUrl"}
    assert "BRIDGE_RESULT_LOCATION" not in collect


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_to_a_group_of_its_own_for_a_limited_time(direct: dict[str, Any], function: str) -> None:
    logging = direct[function]["Properties"]["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    group = direct[logging["LogGroup"]["Ref"]]
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionInDays"}
    groups = of_type(direct, "AWS::Logs::LogGroup").values()
    assert len({entry["LogGroupName"]["Fn::Sub"] for entry in groups}) == len(groups) == 3


def test_every_route_leads_to_submit_with_the_chosen_authorization(direct: dict[str, Any]) -> None:
    routes = of_type(direct, ROUTE).values()
    assert {route["RouteKey"] for route in routes} == {f"ANY {path}" for path in PATHS}
    for route in routes:
        assert route["AuthorizationType"] == {"Ref": "HttpAuth"}
        assert route["Target"] == {"Fn::Sub": "integrations/${SubmitIntegration}"}
        assert "AuthorizerId" not in route
    integration = direct["SubmitIntegration"]["Properties"]
    assert integration["IntegrationUri"] == attribute("SubmitFunction")
    assert (integration["IntegrationType"], integration["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    assert integration["TimeoutInMillis"] == GATEWAY_TIMEOUT_SECONDS * 1000
    assert direct["SubmitFunction"]["Properties"]["Timeout"] == GATEWAY_TIMEOUT_SECONDS


def test_a_preflight_needs_no_authorization_and_everything_else_does(template: Template) -> None:
    resources = template.resources(EndpointName="demo", CorsAllowOrigins="https://app.example")
    routes = of_type(resources, ROUTE).values()
    by_key = {route["RouteKey"]: route["AuthorizationType"] for route in routes}
    assert by_key == {
        **{f"ANY {path}": {"Ref": "HttpAuth"} for path in PATHS},
        **{f"OPTIONS {path}": "NONE" for path in PATHS},
    }


def test_cors_lets_pages_of_the_given_origins_use_all_that_the_api_has(template: Template) -> None:
    resources = template.resources(EndpointName="demo", CorsAllowOrigins="https://a.example,https://b.example")
    cors = resources["HttpApi"]["Properties"]["CorsConfiguration"]
    assert cors["AllowOrigins"] == {"Fn::Split": [",", {"Ref": "CorsAllowOrigins"}]}
    assert "AllowCredentials" not in cors
    (rule,) = resources["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedMethods"], rule["AllowedHeaders"]) == (["GET", "HEAD", "PUT"], ["*"])
    without = template.resources(EndpointName="demo")
    assert "CorsConfiguration" not in without["HttpApi"]["Properties"]
    assert "CorsConfiguration" not in without["Bucket"]["Properties"]


def test_the_stage_throttles(direct: dict[str, Any]) -> None:
    assert direct["HttpApiStage"]["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottlingRateLimit"},
        "ThrottlingBurstLimit": {"Ref": "ThrottlingBurstLimit"},
    }


def test_jwt_tokens_are_checked_for_issuer_and_audience(template: Template) -> None:
    given = {"HttpAuth": "JWT", "JwtIssuer": "https://issuer.example", "JwtAudience": "a,b"}
    resources = template.resources(EndpointName="demo", **given)
    for route in of_type(resources, ROUTE).values():
        assert route["AuthorizerId"] == {"Ref": "JwtAuthorizer"}
    authorizer = resources["JwtAuthorizer"]["Properties"]
    assert authorizer["AuthorizerType"] == "JWT"
    assert authorizer["JwtConfiguration"] == {
        "Issuer": {"Ref": "JwtIssuer"},
        "Audience": {"Fn::Split": [",", {"Ref": "JwtAudience"}]},
    }
    assert "JwtAuthorizer" not in template.resources(EndpointName="demo")


@pytest.mark.parametrize("auth", ["AWS_IAM", "NONE"])
def test_an_authorizer_that_routes_may_still_refer_to_is_not_deleted_when_the_authorization_changes(
    template: Template, auth: str
) -> None:
    resources = template.resources(
        EndpointName="demo", HttpAuth=auth, JwtIssuer="https://issuer.example", JwtAudience="a"
    )
    assert "JwtAuthorizer" in resources
    assert not [route for route in of_type(resources, ROUTE).values() if "AuthorizerId" in route]


@pytest.mark.parametrize("origins", ["", "*"], ids=["without CORS", "with CORS"])
def test_no_two_changes_of_the_api_happen_at_once(template: Template, origins: str) -> None:
    resources = template.resources(EndpointName="demo", CorsAllowOrigins=origins)
    routes = of_type(resources, ROUTE)
    after = {name: resources[name].get("DependsOn") for name in routes}
    last = ["InvocationsRoute"]
    while following := [name for name, before in after.items() if before == last[-1]]:
        last += following
        assert len(following) == 1, "two routes wait for the same one"
    assert after["InvocationsRoute"] is None, "it waits for the integration, to which it refers"
    assert sorted(last) == sorted(routes)
    stage = resources["HttpApiStage"]
    assert stage["DependsOn"] == "UploadsRoute"
    assert stage["Metadata"]["After"] == ({"Ref": last[-1]} if origins else "")


def test_the_access_log_is_json_without_paths_and_query_strings(direct: dict[str, Any]) -> None:
    stage = direct["HttpApiStage"]["Properties"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"$context.routeKey", "$context.status", "$context.requestId"} <= set(logged.values())
    assert [value for value in logged.values() if re.search(r"path|query|header|request\.", value)] == []


def test_delivered_directly_a_notification_is_tried_three_times_then_kept(
    direct: dict[str, Any], queued: dict[str, Any]
) -> None:
    config = direct["CollectInvokeConfig"]["Properties"]
    assert config["MaximumRetryAttempts"] == 2
    assert config["DestinationConfig"]["OnFailure"] == {"Destination": attribute("NotificationDeadLetterQueue")}
    assert not [name for name in direct if name.startswith("NotificationQueue")]
    assert queued["CollectInvokeConfig"] == direct["CollectInvokeConfig"], "some may wait when the delivery changes"


def test_a_request_that_nobody_waits_for_is_tried_three_times_then_kept(direct: dict[str, Any]) -> None:
    config = direct["SubmitInvokeConfig"]["Properties"]
    assert (config["FunctionName"], config["Qualifier"]) == ({"Ref": "SubmitFunction"}, "$LATEST")
    assert config["MaximumRetryAttempts"] == 2
    assert config["DestinationConfig"]["OnFailure"] == {"Destination": attribute("EventDeadLetterQueue")}


TOPIC = "arn:aws:sns:us-east-1:123456789012:"
SUBSCRIPTION = "AWS::SNS::Subscription"


@pytest.mark.parametrize(
    ("delivery", "protocol", "target"), [("DIRECT", "lambda", "CollectFunction"), ("QUEUE", "sqs", "NotificationQueue")]
)
def test_each_topic_has_one_subscription_with_a_dead_letter_queue(
    template: Template, delivery: str, protocol: str, target: str
) -> None:
    resources = template.resources(EndpointName="demo", NotificationDelivery=delivery)
    found = of_type(resources, SUBSCRIPTION).values()
    assert [entry["TopicArn"] for entry in found] == [{"Ref": "SuccessTopic"}, {"Ref": "ErrorTopic"}]
    for entry in found:
        assert (entry["Protocol"], entry["Endpoint"]) == (protocol, attribute(target))
        assert entry["RedrivePolicy"] == {"deadLetterTargetArn": attribute("NotificationDeadLetterQueue")}
        assert entry.get("RawMessageDelivery", False) == (protocol == "sqs")


@pytest.mark.parametrize("delivery", ["DIRECT", "QUEUE"])
@pytest.mark.parametrize(
    ("success", "error", "subscriptions"),
    [("", "", 2), (TOPIC + "both", TOPIC + "both", 1), (TOPIC + "a", TOPIC + "b", 2), (TOPIC + "a", "", 2)],
    ids=["created", "one for both", "two", "one created"],
)
def test_given_topics_are_used_and_only_missing_ones_created(
    template: Template, delivery: str, success: str, error: str, subscriptions: int
) -> None:
    given = {"SuccessTopicArn": success, "ErrorTopicArn": error, "NotificationDelivery": delivery}
    resources = template.resources(EndpointName="demo", **given)
    assert len(of_type(resources, "AWS::SNS::Topic")) == (success, error).count("")
    found = of_type(resources, SUBSCRIPTION)
    assert len(found) == subscriptions
    for name in found:
        assert set(resources[name].get("DependsOn", [])) <= set(resources), "depends on what exists"


def test_the_template_is_ascii_and_small_enough_to_be_passed_by_url(text: str) -> None:
    assert text.isascii()
    assert len(text) <= 1_000_000
