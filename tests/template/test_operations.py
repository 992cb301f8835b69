"""What is seen while the stack runs: alarms, the dashboard, the canary, traces."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from render import rendered
from resolve import Template, attribute, of_type

from local.dashboard.widgets import lines
from local.stack import ROOT

TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
GIVEN_TOPIC = "arn:aws:sns:us-east-1:123456789012:given"
OWN = "SageMakerAsyncBridge"
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
# Metrics of AWS's and their dimensions, from the page of each service.
AWS = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "QueueName"): {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfEmptyReceives",
        "NumberOfMessagesDeleted",
        "NumberOfMessagesSent",
    },
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", "FunctionName"): {"Duration", "Errors", "Invocations", "Throttles"},
    # https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
    ("AWS/SageMaker", "EndpointName"): {"ApproximateBacklogSize", "HasBacklogWithoutCapacity"},
    ("AWS/SageMaker", "EndpointName,VariantName"): {"NotificationFailures"},
    # https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    ("AWS/SNS", "TopicName"): {"NumberOfNotificationsFailed"},
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    ("AWS/ApiGateway", "ApiId"): {"Count"},
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
    ("AWS/Logs", "LogGroupName"): {"IncomingBytes"},
}
ALARM_ROW = re.compile(r"^\| `(\w+)` \| (?:(.*?) )?\| .{20,} \| .{10,} \|$", re.MULTILINE)
QUERY = re.compile(
    r"SELECT SUM\((\w+)\) FROM SCHEMA\(\"([\w/]+)\", ([\w, ]+)\) WHERE EndpointName = '\$\{EndpointName\}'",
)


def own_metrics() -> dict[str, str]:
    """Names and units of the code's metrics."""
    code = (ROOT / "src/metrics.rs").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^metrics! \{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r'^    (\w+) "(\w+)" \w+$', listed, re.MULTILINE))


def exists(namespace: str, dimension: str, metric: str) -> bool:
    if namespace == OWN:
        return dimension == "EndpointName" and metric in own_metrics()
    return metric in AWS.get((namespace, dimension), ())


@pytest.fixture(scope="module")
def everything(template: Template) -> dict[str, Any]:
    return template.resources(
        EndpointName="demo",
        AllowedEndpointNames="other",
        NotificationDelivery="QUEUE",
        AlarmTopicArn=TOPIC,
        WatchUnanswered="true",
        CanaryMinutes="15",
        Tracing="true",
    )


@pytest.fixture(scope="module")
def alarms(everything: dict[str, Any]) -> dict[str, Any]:
    return of_type(everything, "AWS::CloudWatch::Alarm")


def names(template: Template, **given: str) -> dict[str, Any]:
    """What a stack called `bridge` puts for the references of its dashboard."""
    found = {**template.values(**given), "AWS::Region": "us-east-1", "AWS::StackName": "bridge"}
    for name in template.raw["Resources"]:
        found |= {name: name, f"{name}.QueueName": name, f"{name}.TopicName": name}
    return found


def body(template: Template, **given: str) -> dict[str, Any]:
    dashboard = template.resources(**given)["OperationsDashboard"]["Properties"]
    text = rendered(dashboard["DashboardBody"], names(template, **given))
    assert "${" not in text
    return json.loads(text)


# ---- alarms ----


def test_without_a_topic_there_are_no_alarms(template: Template, direct: dict[str, Any]) -> None:
    assert of_type(direct, "AWS::CloudWatch::Alarm") == {}
    watched = template.resources(EndpointName="demo", AlarmTopicArn=TOPIC)
    assert {entry["Type"] for name, entry in watched.items() if name not in direct} == {"AWS::CloudWatch::Alarm"}


def test_the_documentation_lists_each_alarm_and_what_it_is_there_with(
    template: Template, alarms: dict[str, Any]
) -> None:
    (section,) = re.findall(r"^## Alarms\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    rows = dict(ALARM_ROW.findall(section))
    assert list(rows) == list(alarms)
    fewest = of_type(
        template.resources(
            EndpointName="demo",
            AlarmTopicArn=TOPIC,
            Metrics="false",
            SuccessTopicArn=GIVEN_TOPIC,
            ErrorTopicArn=GIVEN_TOPIC,
        ),
        "AWS::CloudWatch::Alarm",
    )
    assert [name for name, condition in rows.items() if not condition] == list(fewest)
    for name, condition in rows.items():
        assert ("`Metrics`" in condition) == (alarms[name].get("Namespace") == OWN), name


def test_an_alarm_tells_its_topic_of_its_begin_and_end_and_names_its_section_of_the_runbook(
    alarms: dict[str, Any],
) -> None:
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopicArn"}], name
        what, _, section = alarm["AlarmDescription"].rpartition(" docs/runbook.md#")
        assert (section, what[-1], len(what) > 30) == (name.lower(), ".", True), name


def test_an_alarm_watches_a_metric_that_is_written_by_its_dimension(alarms: dict[str, Any]) -> None:
    for name, alarm in alarms.items():
        if "Metrics" in alarm:
            (query,) = alarm["Metrics"]
            found = QUERY.fullmatch(query["Expression"]["Fn::Sub"])
            assert found is not None
            metric, namespace, dimensions = found.groups()
            assert exists(namespace, dimensions.replace(" ", ""), metric), name
        else:
            (dimension,) = alarm["Dimensions"]
            assert exists(alarm["Namespace"], dimension["Name"], alarm["MetricName"]), name
            assert ("Statistic" in alarm) != ("ExtendedStatistic" in alarm), name


def test_silence_is_no_alarm_but_of_the_canary_and_none_of_a_dead_letter_queue_ends_one(alarms: dict[str, Any]) -> None:
    special = {
        "RequestDeadLetterQueueNotEmpty": "ignore",
        "EventDeadLetterQueueNotEmpty": "ignore",
        "NotificationDeadLetterQueueNotEmpty": "ignore",
        "CanaryUnanswered": "breaching",
    }
    assert {name: alarm["TreatMissingData"] for name, alarm in alarms.items()} == {
        name: special.get(name, "notBreaching") for name in alarms
    }


def test_every_dead_letter_queue_has_an_alarm(everything: dict[str, Any], alarms: dict[str, Any]) -> None:
    queues = [name for name in of_type(everything, "AWS::SQS::Queue") if "DeadLetter" in name]
    watched = [alarm["Dimensions"][0]["Value"] for name, alarm in alarms.items() if name.endswith("NotEmpty")]
    assert watched == [attribute(name, "QueueName") for name in queues]


def test_a_topic_that_was_given_is_watched_by_its_name(template: Template) -> None:
    given = {
        "EndpointName": "demo",
        "AlarmTopicArn": TOPIC,
        "SuccessTopicArn": GIVEN_TOPIC,
        "ErrorTopicArn": GIVEN_TOPIC,
    }
    resources = template.resources(**given)
    assert "ErrorTopicFailures" not in resources
    (dimension,) = resources["SuccessTopicFailures"]["Properties"]["Dimensions"]
    assert rendered(dimension["Value"], template.values(**given)) == "given"


def test_the_time_to_a_result_is_compared_in_the_metric_s_unit(template: Template, alarms: dict[str, Any]) -> None:
    slow = alarms["SlowResults"]
    assert own_metrics()[slow["MetricName"]] == "Milliseconds"
    assert rendered(slow["Threshold"], template.values(EndpointName="demo")) == "1800000"


# ---- the dashboard ----


def test_the_dashboard_goes_with_the_metrics(template: Template, direct: dict[str, Any]) -> None:
    assert "OperationsDashboard" in direct
    for given in ({"Metrics": "false"}, {"Dashboard": "false"}):
        assert "OperationsDashboard" not in template.resources(EndpointName="demo", **given)


@pytest.mark.parametrize("delivery", ["DIRECT", "QUEUE"])
def test_the_dashboard_shows_metrics_that_are_written(template: Template, delivery: str) -> None:
    parameters = {"EndpointName": "demo", "AllowedEndpointNames": "b,c", "NotificationDelivery": delivery}
    shown = body(template, **parameters)
    (variable,) = shown["variables"]
    assert (variable["property"], variable["defaultValue"]) == ("EndpointName", "demo")
    assert [entry["value"] for entry in variable["values"]] == ["demo", "b", "c"]
    waits = []
    for widget in shown["widgets"]:
        properties = widget["properties"]
        assert properties["region"] == "us-east-1"
        entries = list(lines(properties["metrics"]))
        known = {line.options["id"] for line in entries if "id" in line.options}
        for line in entries:
            if line.metric:
                namespace, name, dimension, value = line.metric
                assert exists(namespace, dimension, name), line
                waits += [value] if properties["title"] == "What waits" else []
            else:
                used = set(re.findall(r"\b[a-z]\w*\b", line.options["expression"]))
                assert used
                assert used <= known, line
    assert ("NotificationQueue" in waits) == (delivery == "QUEUE")


def test_the_dashboard_s_parts_fill_rows_and_do_not_overlap(template: Template) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in body(template, EndpointName="demo")["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        taken |= cells
    rows = max(y for _, y in taken) + 1
    # CloudWatch's grid has 24 columns.
    assert taken == {(x, y) for x in range(24) for y in range(rows)}


def test_its_prices_are_those_of_the_documentation(template: Template) -> None:
    (costs,) = [
        entry for entry in body(template, EndpointName="demo")["widgets"] if "costs" in entry["properties"]["title"]
    ]
    expressions = [line.options for line in lines(costs["properties"]["metrics"]) if not line.metric]
    (section,) = re.findall(r"^## The dashboard\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    rows = re.findall(
        r"^\| ([\w ]+) \| .+? \| .*?\$([\d.]+) a (million|thousand|GB)\b(?:.*\$([\d.]+) a GB-second)?.*\|$",
        section,
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == [entry["label"] for entry in expressions]
    for (_, price, unit, by_time), entry in zip(rows, expressions, strict=True):
        factors = {float(number) for number in re.findall(r"\b0\.\d+", entry["expression"])}
        one = float(price) / {"million": 1e6, "thousand": 1e3, "GB": 1e9}[unit]
        assert any(abs(factor - one) < 1e-12 for factor in factors), entry
        assert not by_time or float(by_time) in factors


def test_the_picture_is_of_this_dashboard(template: Template) -> None:
    picture = (ROOT / "docs/dashboard.svg").read_text(encoding="utf-8")
    texts = {html.unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", picture)}
    for widget in body(template, EndpointName="demo")["widgets"]:
        shown = [line.label for line in lines(widget["properties"]["metrics"]) if line.options.get("visible", True)]
        assert {widget["properties"]["title"], *shown} <= texts, "make dashboard"


# ---- the canary ----


def test_off_no_canary_is_sent(template: Template, direct: dict[str, Any]) -> None:
    watched = template.resources(EndpointName="demo", AlarmTopicArn=TOPIC)
    assert not [name for name in {**direct, **watched} if "Canary" in name]


def test_the_canary_is_a_direct_invocation_whose_result_no_consumer_gets(
    template: Template, everything: dict[str, Any]
) -> None:
    rule = everything["CanarySchedule"]["Properties"]
    assert rule["ScheduleExpression"] == {"Fn::Sub": "rate(${CanaryMinutes} minutes)"}
    (target,) = rule["Targets"]
    assert target["Arn"] == attribute("SubmitFunction")
    request = json.loads(template.values(EndpointName="demo")[target["Input"]["Ref"]])
    assert request["ReplyTo"] == "none"
    assert "Body" in request
    assert "EndpointName" not in request
    permission = everything["CanaryMayInvokeSubmit"]["Properties"]
    assert (permission["FunctionName"], permission["Principal"]) == ({"Ref": "SubmitFunction"}, "events.amazonaws.com")
    assert permission["SourceArn"] == attribute("CanarySchedule")


def test_three_canaries_without_an_answer_are_an_alarm(template: Template, alarms: dict[str, Any]) -> None:
    alarm = alarms["CanaryUnanswered"]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["EvaluationPeriods"]) == ("Completed", "Sum", 3)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["Period"] == {"Fn::FindInMap": ["Canary", {"Ref": "CanaryMinutes"}, "Seconds"]}
    minutes = [int(value) for value in template.raw["Parameters"]["CanaryMinutes"]["AllowedValues"]]
    periods = {int(key): entry["Seconds"] for key, entry in template.raw["Mappings"]["Canary"].items()}
    assert periods == {number: 60 * number for number in minutes if number}
    # Above a day, CloudWatch takes periods of at least an hour, and a week in all:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    assert all(3 * period <= (604_800 if period >= 3_600 else 86_400) for period in periods.values())


def test_a_canary_that_nobody_listens_to_is_refused(template: Template) -> None:
    rule = template.raw["Rules"]["CanaryNeedsAlarmAndMetrics"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CanaryMinutes"}, "0"]}]}
    assert [entry["Assert"] for entry in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]},
        {"Fn::Equals": [{"Ref": "Metrics"}, "true"]},
    ]


# ---- traces ----


def test_tracing_is_off_unless_it_is_wanted(direct: dict[str, Any], everything: dict[str, Any]) -> None:
    for function in ("SubmitFunction", "CollectFunction"):
        assert direct[function]["Properties"]["Tracing"] == "PassThrough"
        assert everything[function]["Properties"]["Tracing"] == "Active"
    assert "TracePolicy" not in direct
    policy = everything["TracePolicy"]["Properties"]
    assert policy["Roles"] == [{"Ref": "SubmitRole"}, {"Ref": "CollectRole"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
