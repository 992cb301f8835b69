"""The roles may do what the functions do, and nothing else; so may everybody else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from render import rendered
from resolve import Template, as_list, attribute, of_type, statements

TAKE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
TOPIC = "arn:aws:sns:us-east-1:123456789012:given"
TOPICS = [{"Ref": "SuccessTopic"}, {"Ref": "ErrorTopic"}]
ENDPOINT = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/${EndpointName}"


def grants(resources: dict[str, Any], role: str) -> list[tuple[list[str], list[Any]]]:
    return [(as_list(entry["Action"]), as_list(entry["Resource"])) for entry in statements(resources, role).values()]


def allowing(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in policy["PolicyDocument"]["Statement"] if entry["Effect"] == "Allow"]


READ = (["s3:GetObject"], [{"Fn::Sub": "${Bucket.Arn}/output/*"}, {"Fn::Sub": "${Bucket.Arn}/failure/*"}])
LIST = (["s3:ListBucket"], [attribute("Bucket")])
SEND = (["sqs:SendMessage"], [attribute("ResultsQueue")])


def test_submit_may_take_requests_invoke_read_outputs_and_keep_inputs_records_and_dead_letters(
    direct: dict[str, Any],
) -> None:
    assert grants(direct, "SubmitRole") == [
        (LOG, [attribute("SubmitLogGroup")]),
        (TAKE, [attribute("RequestQueue")]),
        (["sagemaker:InvokeEndpointAsync"], [{"Fn::Sub": ENDPOINT}]),
        (["s3:PutObject"], [{"Fn::Sub": "${Bucket.Arn}/input/*"}]),
        READ,
        LIST,
        LIST,
        (["s3:GetObject"], [{"Fn::Sub": "${Bucket.Arn}/input/uploads/*"}]),
        (["s3:GetObject", "s3:PutObject"], [{"Fn::Sub": "${Bucket.Arn}/idempotency/*"}]),
        LIST,
        (["sqs:SendMessage"], [attribute("RequestDeadLetterQueue")]),
        (["sqs:SendMessage"], [attribute("EventDeadLetterQueue")]),
        SEND,
    ]


def test_collect_may_read_outputs_send_results_and_keep_failed_invocations(direct: dict[str, Any]) -> None:
    assert grants(direct, "CollectRole") == [
        (LOG, [attribute("CollectLogGroup")]),
        (["sqs:SendMessage"], [attribute("NotificationDeadLetterQueue")]),
        READ,
        LIST,
        LIST,
        SEND,
    ]


def test_collect_by_queue_takes_notifications_too(template: Template) -> None:
    resources = template.resources(EndpointName="demo", NotificationDelivery="QUEUE", ResultFormat="raw")
    assert grants(resources, "CollectRole") == [
        (LOG, [attribute("CollectLogGroup")]),
        (TAKE, [attribute("NotificationQueue")]),
        (["sqs:SendMessage"], [attribute("NotificationDeadLetterQueue")]),
        READ,
        LIST,
        LIST,
        SEND,
        (["s3:PutObject"], [{"Fn::Sub": "${Bucket.Arn}/results/*"}]),
    ]


def test_listing_is_bound_to_the_prefixes_that_are_read(direct: dict[str, Any]) -> None:
    for role in ("SubmitRole", "CollectRole"):
        found = statements(direct, role)
        assert found["TellMissingOutputs"]["Condition"] == {"StringLikeIfExists": {"s3:prefix": "output/*"}}
        assert found["TellMissingFailures"]["Condition"] == {"StringLikeIfExists": {"s3:prefix": "failure/*"}}
    own = statements(direct, "SubmitRole")["TellMissingUploadsAndRecords"]
    assert own["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["input/uploads/*", "idempotency/*"]}}


def test_a_key_of_the_user_s_may_decrypt_outputs_and_no_other_may(template: Template, direct: dict[str, Any]) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    resources = template.resources(EndpointName="demo", OutputKmsKeyArn=key)
    for role in ("SubmitRole", "CollectRole"):
        decrypt = statements(resources, role)["DecryptOutputs"]
        assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", {"Ref": "OutputKmsKeyArn"})
        assert "DecryptOutputs" not in statements(direct, role)


def test_given_locations_are_read_instead_of_the_stack_s_own(template: Template) -> None:
    resources = template.resources(EndpointName="demo", OutputLocation="s3://a/p/", FailureLocation="s3://b/q/")
    read = statements(resources, "CollectRole")["ReadOutputs"]["Resource"]
    assert statements(resources, "SubmitRole")["ReadOutputs"]["Resource"] == read
    for entry, parameter in zip(read, ("OutputLocation", "FailureLocation"), strict=True):
        partition, location, everything = entry["Fn::Join"][1]
        assert partition == {"Fn::Sub": "arn:${AWS::Partition}:s3:::"}
        assert location == {"Fn::Join": ["", {"Fn::Split": ["s3://", {"Ref": parameter}]}]}
        assert everything == "*"


def test_further_endpoints_are_named_one_by_one_and_only_in_this_region(template: Template) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/mixed"
    resources = template.resources(EndpointName="Mixed", AllowedEndpointNames="a,b", EndpointArns=arn)
    found = statements(resources, "SubmitRole")
    further = found["InvokeAllowedEndpoints"]
    prefix, names = further["Resource"]["Fn::Split"][1]["Fn::Join"][1]
    assert prefix == "arn:*:sagemaker:*:*:endpoint/"
    assert names["Fn::Join"] == [f",{prefix}", {"Fn::Split": [",", {"Ref": "AllowedEndpointNames"}]}]
    assert further["Condition"] == {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}
    assert found["InvokeEndpointsByArn"]["Resource"] == {"Fn::Split": [",", {"Ref": "EndpointArns"}]}


def test_both_functions_may_send_to_what_reply_to_names_and_only_if_it_is_set(
    template: Template, direct: dict[str, Any]
) -> None:
    arns = "arn:aws:sqs:us-east-1:123456789012:a,arn:aws:sqs:us-east-1:123456789012:b"
    resources = template.resources(EndpointName="demo", ReplyToArns=arns)
    policy = resources["ReplyPolicy"]["Properties"]
    assert policy["Roles"] == [{"Ref": "SubmitRole"}, {"Ref": "CollectRole"}]
    (reply,) = policy["PolicyDocument"]["Statement"]
    assert (reply["Effect"], reply["Action"]) == ("Allow", ["sqs:SendMessage", "sns:Publish", "events:PutEvents"])
    assert reply["Resource"] == {"Fn::Split": [",", {"Ref": "ReplyToArns"}]}
    assert "ReplyPolicy" not in direct
    for function in ("SubmitFunction", "CollectFunction"):
        variables = resources[function]["Properties"]["Environment"]["Variables"]
        assert variables["BRIDGE_REPLY_TO_ARNS"] == {"Ref": "ReplyToArns"}
        assert "BRIDGE_REPLY_TO_ARNS" not in direct[function]["Properties"]["Environment"]["Variables"]


def test_both_functions_may_end_tasks_and_callbacks_of_those_that_are_named_and_no_other(template: Template) -> None:
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:orders"
    function = "arn:aws:lambda:us-east-1:123456789012:function"
    tasks = template.resources(EndpointName="demo", StateMachineArns=machine)["ReplyPolicy"]["Properties"]
    assert tasks["Roles"] == [{"Ref": "SubmitRole"}, {"Ref": "CollectRole"}]
    (end,) = tasks["PolicyDocument"]["Statement"]
    assert end["Action"] == ["states:SendTaskSuccess", "states:SendTaskFailure"]
    assert rendered(end["Resource"], {"StateMachineArns": machine}) == [machine]
    given = {"DurableFunctionArns": f"{function}:a,{function}:b"}
    callbacks = template.resources(EndpointName="demo", **given)["ReplyPolicy"]["Properties"]
    (end,) = callbacks["PolicyDocument"]["Statement"]
    operation = "lambda:SendDurableExecutionCallback"
    assert end["Action"] == [f"{operation}Success", f"{operation}Failure"]
    assert rendered(end["Resource"], given) == [f"{function}:a:*", f"{function}:b:*"]


@pytest.mark.parametrize("delivery", ["DIRECT", "QUEUE"])
def test_no_statement_allows_any_action_or_any_resource(template: Template, delivery: str) -> None:
    resources = template.resources(EndpointName="demo", NotificationDelivery=delivery, ResultFormat="raw")
    for role in ("SubmitRole", "CollectRole"):
        assert "ManagedPolicyArns" not in resources[role]["Properties"]
        for actions, targets in grants(resources, role):
            assert [action for action in actions if "*" in action] == []
            assert "*" not in targets


def test_only_lambda_assumes_the_roles(direct: dict[str, Any]) -> None:
    for role in of_type(direct, "AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (statement["Principal"], statement["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


def test_the_bucket_is_private_and_talks_tls(direct: dict[str, Any]) -> None:
    bucket = direct["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (statement,) = direct["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement == only_over_tls("s3:*", [attribute("Bucket"), {"Fn::Sub": "${Bucket.Arn}/*"}])


def only_over_tls(action: str, resource: Any) -> dict[str, Any]:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    denied = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
    return {"Sid": "OnlyOverTls", **denied, "Condition": condition}


def test_every_queue_and_every_topic_talks_tls_only(template: Template) -> None:
    for given in (
        {},
        {"NotificationDelivery": "QUEUE", "S3Requests": "true"},
        {"SuccessTopicArn": TOPIC},
        {"ErrorTopicArn": TOPIC},
    ):
        resources = template.resources(EndpointName="demo", **given)
        queues = of_type(resources, "AWS::SQS::QueuePolicy").values()
        topics = of_type(resources, "AWS::SNS::TopicPolicy").values()
        assert sorted(policy["Queues"][0]["Ref"] for policy in queues) == sorted(of_type(resources, "AWS::SQS::Queue"))
        assert sorted(policy["Topics"][0]["Ref"] for policy in topics) == sorted(of_type(resources, "AWS::SNS::Topic"))
        for policy in queues:
            (queue,) = policy["Queues"]
            assert only_over_tls("sqs:*", attribute(queue["Ref"])) in policy["PolicyDocument"]["Statement"]
        for policy in topics:
            # SNS takes no other action in a topic's policy that publishing is part of.
            assert only_over_tls("sns:Publish", policy["Topics"][0]) in policy["PolicyDocument"]["Statement"]


def test_only_this_account_publishes_to_the_created_topics(direct: dict[str, Any]) -> None:
    policies = of_type(direct, "AWS::SNS::TopicPolicy")
    assert [policy["Topics"] for policy in policies.values()] == [[topic] for topic in TOPICS]
    for policy in policies.values():
        (statement,) = allowing(policy)
        assert statement["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")


def test_only_the_two_topics_send_to_the_notification_queues(queued: dict[str, Any]) -> None:
    policies = [policy for policy in of_type(queued, "AWS::SQS::QueuePolicy").values() if allowing(policy)]
    targets = [policy["Queues"][0]["Ref"] for policy in policies]
    assert sorted(targets) == ["NotificationDeadLetterQueue", "NotificationQueue"]
    for policy in policies:
        (statement,) = allowing(policy)
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPICS}}
        assert statement["Resource"] == attribute(policy["Queues"][0]["Ref"])


def test_whoever_invokes_a_function_is_named_with_its_arn(direct: dict[str, Any]) -> None:
    permissions = of_type(direct, "AWS::Lambda::Permission").values()
    named = {(entry["FunctionName"]["Ref"], entry["Principal"], str(entry["SourceArn"])) for entry in permissions}
    api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/*"
    assert named == {
        ("SubmitFunction", "apigateway.amazonaws.com", str({"Fn::Sub": api})),
        ("CollectFunction", "sns.amazonaws.com", str(TOPICS[0])),
        ("CollectFunction", "sns.amazonaws.com", str(TOPICS[1])),
    }


def test_the_template_names_no_account_region_or_partition(text: str) -> None:
    code = "\n".join(line.split(" #")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert re.findall(r"\barn:aws[a-z-]*:|\b\d{12}\b|\b(?:us|eu|ap)-[a-z]+-\d\b", code) == []
