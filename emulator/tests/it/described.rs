//! What is described is what was given, and what became of it.

use serde_json::{Value, json};

use crate::control::{config, model};
use crate::running::{Running, found};

/// Two variants, weighed.
fn weighed(name: &str) -> Value {
    let variant = |name: &str, instances: u32, weight: f64| {
        json!({
            "VariantName": name, "ModelName": "made", "InstanceType": "ml.m5.large", "InitialInstanceCount": instances,
            "InitialVariantWeight": weight,
        })
    };
    let mut request = config(name, "made");
    request["ProductionVariants"] = json!([variant("blue", 1, 2.0), variant("green", 2, 0.5)]);
    request
}

async fn deployed(config: &Value) -> Running {
    let running = Running::start(&[]).await;
    running.done("CreateModel", &model("made", "1.dkr.ecr.us-east-1.amazonaws.com/model:latest")).await;
    running.done("CreateEndpointConfig", config).await;
    let request = json!({"EndpointName": "made", "EndpointConfigName": config["EndpointConfigName"]});
    running.done("CreateEndpoint", &request).await;
    running
}

impl Running {
    async fn described(&self) -> Value {
        self.done("DescribeEndpoint", &json!({"EndpointName": "made"})).await
    }

    /// Waits until the endpoint may be changed again.
    async fn settled(&self) {
        let look = async || (self.described().await["EndpointStatus"] == "InService").then_some(());
        found("an endpoint in service", look).await;
    }

    /// Name, weight and instances of each variant.
    async fn shares(&self) -> Vec<(String, f64, u64)> {
        let described = self.described().await;
        let share = |variant: &Value| {
            assert_eq!(variant["CurrentWeight"], variant["DesiredWeight"]);
            let name = variant["VariantName"].as_str().unwrap().to_owned();
            (name, variant["DesiredWeight"].as_f64().unwrap(), variant["DesiredInstanceCount"].as_u64().unwrap())
        };
        described["ProductionVariants"].as_array().unwrap().iter().map(share).collect()
    }
}

fn share(name: &str, weight: f64, instances: u64) -> (String, f64, u64) {
    (name.to_owned(), weight, instances)
}

#[tokio::test]
async fn an_endpoint_is_described_as_its_configuration_was_given() {
    let mut request = weighed("whole");
    request["AsyncInferenceConfig"] = json!({"OutputConfig": {"S3OutputPath": "s3://bucket/o", "KmsKeyId": "alias/k"}});
    request["DataCaptureConfig"] = json!({
        "EnableCapture": true, "InitialSamplingPercentage": 20, "DestinationS3Uri": "s3://bucket/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    });
    request["ProductionVariants"][0]["RoutingConfig"] = json!({"RoutingStrategy": "RANDOM"});
    let mut shadow = request["ProductionVariants"][0].clone();
    shadow["VariantName"] = "shadow".into();
    request["ShadowProductionVariants"] = json!([shadow]);
    let described = deployed(&request).await.described().await;
    assert_eq!(described["AsyncInferenceConfig"], request["AsyncInferenceConfig"]);
    assert_eq!(
        described["DataCaptureConfig"],
        json!({
            "EnableCapture": true, "CaptureStatus": "Started", "CurrentSamplingPercentage": 20,
            "DestinationS3Uri": "s3://bucket/captured", "KmsKeyId": "",
        })
    );
    assert_eq!(described["ProductionVariants"][0]["RoutingConfig"], json!({"RoutingStrategy": "RANDOM"}));
    assert_eq!(described["ShadowProductionVariants"][0]["VariantName"], "shadow");
    let images = &described["ProductionVariants"][1]["DeployedImages"][0];
    assert_eq!(images["SpecifiedImage"], "1.dkr.ecr.us-east-1.amazonaws.com/model:latest");
    let resolved = images["ResolvedImage"].as_str().unwrap();
    assert!(resolved.starts_with("1.dkr.ecr.us-east-1.amazonaws.com/model@sha256:"), "{resolved}");
}

#[tokio::test]
async fn defaults_are_described_where_nothing_was_given() {
    let running = deployed(&config("plain", "made")).await;
    let described = running.done("DescribeEndpointConfig", &json!({"EndpointConfigName": "plain"})).await;
    assert_eq!(described["ProductionVariants"][0]["InitialVariantWeight"], 1.0);
    let described = running.done("DescribeModel", &json!({"ModelName": "made"})).await;
    assert_eq!(described["PrimaryContainer"]["Mode"], "SingleModel");
    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "demo"})).await;
    let topics = json!({"SuccessTopic": "arn:success", "ErrorTopic": "arn:error"});
    assert_eq!(described["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"], topics);
}

#[tokio::test]
async fn variants_are_weighed_and_resized_each() {
    let running = deployed(&weighed("two")).await;
    assert_eq!(running.shares().await, [share("blue", 2.0, 1), share("green", 0.5, 2)]);
    let wanted = json!([
        {"VariantName": "green", "DesiredWeight": 3, "DesiredInstanceCount": 4}, {"VariantName": "blue", "DesiredWeight": 0.5},
    ]);
    let request = json!({"EndpointName": "made", "DesiredWeightsAndCapacities": wanted});
    running.done("UpdateEndpointWeightsAndCapacities", &request).await;
    assert_eq!(running.shares().await, [share("blue", 0.5, 1), share("green", 3.0, 4)]);
}

#[tokio::test]
async fn an_update_retains_what_it_is_asked_to_and_nothing_else() {
    let excluded = |property: &str| json!([{"VariantPropertyType": property}]);
    for (more, expected) in [
        (json!({}), [share("blue", 2.0, 1), share("green", 0.5, 2)]),
        (json!({"RetainAllVariantProperties": true}), [share("blue", 5.0, 3), share("green", 0.5, 4)]),
        (
            json!({"RetainAllVariantProperties": true, "ExcludeRetainedVariantProperties": excluded("DesiredWeight")}),
            [share("blue", 2.0, 3), share("green", 0.5, 4)],
        ),
        (
            json!({"RetainAllVariantProperties": true, "ExcludeRetainedVariantProperties": excluded("DesiredInstanceCount")}),
            [share("blue", 5.0, 1), share("green", 0.5, 2)],
        ),
    ] {
        let running = deployed(&weighed("two")).await;
        let wanted = json!([
            {"VariantName": "blue", "DesiredWeight": 5, "DesiredInstanceCount": 3},
            {"VariantName": "green", "DesiredInstanceCount": 4},
        ]);
        let request = json!({"EndpointName": "made", "DesiredWeightsAndCapacities": wanted});
        running.done("UpdateEndpointWeightsAndCapacities", &request).await;
        running.settled().await;
        running.done("CreateEndpointConfig", &weighed("next")).await;
        let mut request = more.clone();
        request["EndpointName"] = "made".into();
        request["EndpointConfigName"] = "next".into();
        running.done("UpdateEndpoint", &request).await;
        assert_eq!(running.shares().await, expected, "{more}");
    }
}

#[tokio::test]
async fn a_deployment_policy_is_told_and_kept_where_that_is_asked_for() {
    let running = deployed(&config("plain", "made")).await;
    let policy = json!({"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}, "WaitIntervalInSeconds": 60}});
    let update = |more: Value| {
        let mut request = json!({"EndpointName": "made", "EndpointConfigName": "plain"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (more, expected) in [
        (json!({"DeploymentConfig": policy}), Some(&policy)),
        (json!({"RetainDeploymentConfig": true}), Some(&policy)),
        (json!({}), None),
    ] {
        running.done("UpdateEndpoint", &update(more)).await;
        assert_eq!(running.described().await.get("LastDeploymentConfig"), expected);
    }
}

#[tokio::test]
async fn arns_have_the_region_that_the_caller_signed_for() {
    let running = Running::start(&[]).await;
    let signature =
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0";
    let request = reqwest::Client::new().post(&running.url).header("x-amz-target", "SageMaker.DescribeEndpoint");
    let answer = request.header("authorization", signature).body(r#"{"EndpointName":"demo"}"#).send().await.unwrap();
    let described: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(described["EndpointArn"], "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/demo");
}

#[tokio::test]
async fn what_sagemaker_refuses_is_refused_before_anything_is_created() {
    let running = Running::start(&[]).await;
    running.done("CreateModel", &model("made", "echo")).await;
    let changed = |change: fn(&mut Value)| {
        let mut request = weighed("new");
        change(&mut request);
        request
    };
    for (request, expected) in [
        (changed(|request| request["ProductionVariants"][1]["VariantName"] = "blue".into()), "\"blue\" is there twice"),
        (
            changed(|request| request["ProductionVariants"][0]["InstanceType"] = "ml.bogus.large".into()),
            "satisfy enum value set: [ml.",
        ),
        (
            changed(|request| drop(request["ProductionVariants"][0].as_object_mut().unwrap().remove("InstanceType"))),
            "Either InstanceType",
        ),
        (
            changed(|request| drop(request["ProductionVariants"][0].as_object_mut().unwrap().remove("ModelName"))),
            "no inference components",
        ),
        (
            changed(|request| {
                request["ProductionVariants"][0]["ServerlessConfig"] =
                    json!({"MemorySizeInMB": 1024, "MaxConcurrency": 1})
            }),
            "One or more endpoint features are not supported using this configuration.",
        ),
        (
            changed(|request| {
                request["ShadowProductionVariants"] =
                    json!([{"VariantName": "s", "ModelName": "none", "InstanceType": "ml.m5.large"}]);
            }),
            "Could not find model \"arn:aws:sagemaker:us-east-1:000000000000:model/none\"",
        ),
        (
            changed(|request| {
                request["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]["SuccessTopic"] =
                    "arn:aws:sns:us-east-1:000000000000:a topic".into();
            }),
            "notificationConfig.successTopic' failed to satisfy constraint",
        ),
    ] {
        let (_, error_type, body) = running.control("CreateEndpointConfig", &request).await;
        assert_eq!(error_type, "ValidationException", "{body}");
        assert!(body["message"].as_str().unwrap().contains(expected), "{body} / {expected}");
    }
    let mut both = model("both", "echo");
    both["Containers"] = json!([both["PrimaryContainer"]]);
    let (_, _, body) = running.control("CreateModel", &both).await;
    assert!(body["message"].as_str().unwrap().starts_with("Only one of PrimaryContainer and Containers"), "{body}");
    for (operation, request, expected) in [
        ("ListModels", json!({"SortBy": "Status"}), "'sortBy'"),
        ("ListEndpoints", json!({"StatusEquals": "Nope"}), "'statusEquals'"),
    ] {
        let (_, _, body) = running.control(operation, &request).await;
        assert!(body["message"].as_str().unwrap().contains(expected), "{body}");
    }
    let configs = running.done("ListEndpointConfigs", &json!({"NameContains": "new"})).await;
    assert_eq!(configs["EndpointConfigs"], json!([]));
}

#[tokio::test]
async fn without_an_output_path_the_notification_alone_has_the_output() {
    let mut request = config("nowhere", "made");
    request["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] = Value::Null;
    request["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]["IncludeInferenceResponseIn"] =
        json!(["SUCCESS_NOTIFICATION_TOPIC"]);
    let running = deployed(&request).await;
    running.notification(1).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("made");
    let accepted = call.body(aws_sdk_sagemakerruntime::primitives::Blob::new("x")).send().await.unwrap();
    assert_eq!(accepted.output_location(), None);
    let (_, notification) = running.notification(2).await;
    assert_eq!(
        (&notification["responseBody"]["content"], &notification["invocationStatus"]),
        (&"eA==".into(), &"Completed".into())
    );
    assert_eq!(notification["responseParameters"].get("outputLocation"), None);
    assert_eq!(running.stored.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_output_path_may_be_s3s_own_url_and_no_other() {
    let mut request = config("url", "made");
    request["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] =
        "https://bucket.s3.us-east-1.amazonaws.com/o".into();
    let running = deployed(&request).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("made");
    let accepted = call.body(aws_sdk_sagemakerruntime::primitives::Blob::new("x")).send().await.unwrap();
    assert!(accepted.output_location().unwrap().starts_with("s3://bucket/o/"), "{accepted:?}");
    request["EndpointConfigName"] = "other".into();
    request["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] = "https://example.com/o".into();
    let (_, _, body) = running.control("CreateEndpointConfig", &request).await;
    assert!(body["message"].as_str().unwrap().ends_with("not to https://example.com/o."), "{body}");
}
