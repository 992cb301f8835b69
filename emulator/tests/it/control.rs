//! The control plane over its JSON protocol.

use aws_sdk_sagemakerruntime::primitives::Blob;
use serde_json::{Value, json};

use crate::running::Running;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:success";

pub(crate) fn model(name: &str, image: &str) -> Value {
    json!({"ModelName": name, "PrimaryContainer": {"Image": image}, "Tags": [{"Key": "a", "Value": "b"}]})
}

pub(crate) fn config(name: &str, model: &str) -> Value {
    json!({
        "EndpointConfigName": name,
        "ProductionVariants": [{
            "VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 2, "InstanceType": "ml.g5.xlarge",
        }],
        "AsyncInferenceConfig": {
            "OutputConfig": {"S3OutputPath": "s3://bucket/created/", "NotificationConfig": {"SuccessTopic": TOPIC}},
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 3},
        },
    })
}

impl Running {
    /// Status, type and body of an operation's answer.
    pub(crate) async fn control(&self, operation: &str, request: &Value) -> (u16, String, Value) {
        let request = reqwest::Client::new()
            .post(&self.url)
            .header("x-amz-target", format!("SageMaker.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .body(request.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.headers().contains_key("x-amzn-requestid"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        (status, body["__type"].as_str().unwrap_or_default().to_owned(), body)
    }

    pub(crate) async fn done(&self, operation: &str, request: &Value) -> Value {
        let (status, _, body) = self.control(operation, request).await;
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    pub(crate) async fn create(&self, name: &str, image: &str) {
        self.done("CreateModel", &model(name, image)).await;
        self.done("CreateEndpointConfig", &config(name, name)).await;
        self.done("CreateEndpoint", &json!({"EndpointName": name, "EndpointConfigName": name})).await;
    }
}

#[tokio::test]
async fn an_endpoint_is_created_tested_invoked_described_and_deleted() {
    let running = Running::start(&["--image=*/broken:*=fail"]).await;
    running.create("Made", "1.dkr.ecr.us-east-1.amazonaws.com/model:latest").await;
    let (topic, test) = running.notification(1).await;
    assert_eq!((topic.as_str(), &test["eventName"]), (TOPIC, &"TestNotification".into()));
    let call = running.client().invoke_endpoint_async().endpoint_name("Made").body(Blob::new("x")).send().await;
    assert!(call.unwrap().output_location().unwrap().starts_with("s3://bucket/created/"));
    assert_eq!(running.notification(2).await.1["invocationStatus"], "Completed");

    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "Made"})).await;
    assert_eq!(described["EndpointArn"], "arn:aws:sagemaker:us-east-1:000000000000:endpoint/made");
    assert_eq!((&described["EndpointStatus"], &described["EndpointConfigName"]), (&"InService".into(), &"Made".into()));
    assert_eq!(described["ProductionVariants"][0]["CurrentInstanceCount"], 2);
    assert_eq!(described["AsyncInferenceConfig"]["OutputConfig"]["NotificationConfig"]["SuccessTopic"], TOPIC);
    assert!(described["CreationTime"].is_f64() && described.get("FailureReason").is_none());
    let described = running.done("DescribeModel", &json!({"ModelName": "Made"})).await;
    assert!(described["PrimaryContainer"]["Image"].is_string() && described.get("Tags").is_none());
    let described = running.done("DescribeEndpointConfig", &json!({"EndpointConfigName": "Made"})).await;
    assert_eq!(described["ProductionVariants"][0]["InstanceType"], "ml.g5.xlarge");

    running.done("CreateModel", &model("mapped", "1.dkr.ecr.us-east-1.amazonaws.com/broken:1")).await;
    running.done("CreateEndpointConfig", &config("second", "mapped")).await;
    running.done("UpdateEndpoint", &json!({"EndpointName": "Made", "EndpointConfigName": "second"})).await;
    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "Made"})).await;
    assert_eq!(described["EndpointConfigName"], "second");
    let capacity = json!([{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]);
    let request = json!({"EndpointName": "Made", "DesiredWeightsAndCapacities": capacity});
    running.done("UpdateEndpointWeightsAndCapacities", &request).await;
    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "Made"})).await;
    assert_eq!(described["ProductionVariants"][0]["DesiredInstanceCount"], 0);

    for (operation, member) in [
        ("DeleteEndpoint", "EndpointName"),
        ("DeleteEndpointConfig", "EndpointConfigName"),
        ("DeleteModel", "ModelName"),
    ] {
        assert_eq!(running.done(operation, &json!({member: "Made"})).await, Value::Null);
        let (status, error_type, body) = running.control(operation, &json!({member: "Made"})).await;
        assert_eq!((status, error_type.as_str()), (400, "ValidationException"));
        assert!(body["message"].as_str().unwrap().starts_with("Could not find "), "{body}");
    }
}

#[tokio::test]
async fn endpoints_of_the_command_line_are_described_and_updated_like_others() {
    let running = Running::start(&["--failure-location=s3://bucket/failure"]).await;
    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "slow"})).await;
    assert_eq!(described["EndpointStatus"], "InService");
    let output = &described["AsyncInferenceConfig"]["OutputConfig"];
    assert_eq!(
        (&output["S3OutputPath"], &output["S3FailurePath"]),
        (&"s3://bucket/output/".into(), &"s3://bucket/failure/".into())
    );
    let described = running.done("DescribeModel", &json!({"ModelName": "slow"})).await;
    assert_eq!(described["PrimaryContainer"]["Image"], "sleep:5");
    running.done("CreateEndpointConfig", &config("other", "demo")).await;
    running.done("UpdateEndpoint", &json!({"EndpointName": "slow", "EndpointConfigName": "other"})).await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let running = Running::start(&[]).await;
    for n in 0..12 {
        running.done("CreateModel", &model(&format!("model-{n:02}"), "echo")).await;
    }
    let first = running.done("ListModels", &json!({"NameContains": "MODEL-", "SortBy": "Name"})).await;
    let names = |page: &Value| -> Vec<String> {
        page["Models"].as_array().unwrap().iter().map(|model| model["ModelName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&first).len(), names(&first)[0].as_str()), (10, "model-11"));
    running.done("DeleteModel", &json!({"ModelName": "model-05"})).await;
    let request = json!({"NameContains": "model-", "SortBy": "Name", "NextToken": first["NextToken"]});
    let second = running.done("ListModels", &request).await;
    assert_eq!((names(&second), second.get("NextToken")), (vec!["model-01".to_owned(), "model-00".to_owned()], None));
    let request = json!({"StatusEquals": "InService", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 2});
    let endpoints = running.done("ListEndpoints", &request).await;
    assert_eq!(
        (&endpoints["Endpoints"][0]["EndpointName"], endpoints["NextToken"].is_string()),
        (&"broken".into(), true)
    );
    let none = running.done("ListEndpoints", &json!({"CreationTimeBefore": 1})).await;
    assert_eq!(none, json!({"Endpoints": []}));
    let configs = running.done("ListEndpointConfigs", &json!({"NameContains": "demo"})).await;
    assert_eq!(configs["EndpointConfigs"][0]["EndpointConfigName"], "demo");
}

#[tokio::test]
async fn what_is_wrong_is_answered_as_sagemaker_does() {
    let running = Running::start(&["--instance-limit=5"]).await;
    running.create("made", "echo").await;
    let changed = |path: &str, value: Value| {
        let mut request = config("new", "made");
        *request.pointer_mut(path).unwrap() = value;
        request
    };
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:";
    let endpoint = |name: &str, config: &str| json!({"EndpointName": name, "EndpointConfigName": config});
    for (operation, request, expected) in [
        ("CreateModel", model("made", "echo"), format!("Cannot create already existing model \"{arn}model/made\".")),
        ("CreateModel", model("a_b", "echo"), "'modelName'".to_owned()),
        ("CreateModel", json!({"ModelName": "a"}), "PrimaryContainer".to_owned()),
        ("CreateEndpointConfig", config("new", "none"), format!("Could not find model \"{arn}model/none\".")),
        ("CreateEndpointConfig", changed("/ProductionVariants", json!([])), "'productionVariants'".to_owned()),
        (
            "CreateEndpointConfig",
            changed("/ProductionVariants/0/InitialInstanceCount", json!(0)),
            "nitialInstanceCount'".to_owned(),
        ),
        (
            "CreateEndpointConfig",
            changed("/AsyncInferenceConfig/OutputConfig/S3OutputPath", json!("bucket")),
            "'asyncInferenceConfig.outputConfig.s3OutputPath'".to_owned(),
        ),
        (
            "CreateEndpointConfig",
            changed("/AsyncInferenceConfig/OutputConfig/NotificationConfig/SuccessTopic", json!("topic")),
            "notificationConfig.successTopic'".to_owned(),
        ),
        (
            "CreateEndpointConfig",
            changed("/AsyncInferenceConfig/ClientConfig/MaxConcurrentInvocationsPerInstance", json!(1001)),
            "'asyncInferenceConfig.clientConfig.maxConcurrentInvocationsPerInstance'".to_owned(),
        ),
        (
            "CreateEndpoint",
            endpoint("new", "none"),
            format!("Could not find endpoint configuration \"{arn}endpoint-config/none\"."),
        ),
        (
            "CreateEndpoint",
            endpoint("made", "made"),
            format!("Cannot create already existing endpoint \"{arn}endpoint/made\"."),
        ),
        ("UpdateEndpoint", endpoint("none", "made"), format!("Could not find endpoint \"{arn}endpoint/none\".")),
        ("DescribeEndpoint", json!({}), "'endpointName'".to_owned()),
        ("ListModels", json!({"MaxResults": 101}), "'maxResults'".to_owned()),
        ("ListModels", json!({"NextToken": "%"}), "NextToken".to_owned()),
        ("ListModels", json!({"CreationTimeAfter": 1e19}), "'creationTimeAfter'".to_owned()),
        (
            "UpdateEndpointWeightsAndCapacities",
            json!({"EndpointName": "made", "DesiredWeightsAndCapacities": [{"VariantName": "other"}]}),
            "\"other\"".to_owned(),
        ),
    ] {
        let (status, error_type, body) = running.control(operation, &request).await;
        assert_eq!((status, error_type.as_str()), (400, "ValidationException"), "{operation} {body}");
        assert!(body["message"].as_str().unwrap().contains(&expected), "{body} / {expected}");
    }
    let (status, error_type, body) = running.control("CreateEndpoint", &endpoint("new", "made")).await;
    assert_eq!((status, error_type.as_str()), (400, "ResourceLimitExceeded"));
    assert!(body["message"].as_str().unwrap().contains("'ml.g5.xlarge for endpoint usage' is 5 Instances"), "{body}");
    let (status, error_type, _) = running.control("CreateTrainingJob", &json!({})).await;
    assert_eq!((status, error_type.as_str()), (400, "UnknownOperationException"));
    let (_, error_type, _) = running.control("ListModels", &json!([])).await;
    assert_eq!(error_type, "SerializationException");
}

#[tokio::test]
async fn an_endpoint_that_is_being_created_is_not_there_yet_and_cannot_be_changed() {
    let running = Running::start(&["--cold-start=3600"]).await;
    running.create("made", "echo").await;
    let described = running.done("DescribeEndpoint", &json!({"EndpointName": "made"})).await;
    assert_eq!(described["EndpointStatus"], "Creating");
    let call = running.client().invoke_endpoint_async().endpoint_name("made").body(Blob::new("x")).send().await;
    assert!(call.unwrap_err().into_service_error().is_validation_error());
    let (_, error_type, body) = running.control("DeleteEndpoint", &json!({"EndpointName": "made"})).await;
    assert_eq!(error_type, "ValidationException");
    assert!(body["message"].as_str().unwrap().starts_with("Cannot update in-progress endpoint"), "{body}");
}

#[tokio::test]
async fn a_real_time_endpoint_takes_no_asynchronous_invocations() {
    let running = Running::start(&[]).await;
    let mut request = config("real-time", "demo");
    request.as_object_mut().unwrap().remove("AsyncInferenceConfig");
    running.done("CreateEndpointConfig", &request).await;
    running.done("CreateEndpoint", &json!({"EndpointName": "real-time", "EndpointConfigName": "real-time"})).await;
    let call = running.client().invoke_endpoint_async().endpoint_name("real-time").body(Blob::new("x")).send().await;
    let error = call.unwrap_err().into_service_error();
    assert!(error.to_string().contains("does not support this inference type"), "{error}");
    let request = json!({"EndpointName": "demo", "EndpointConfigName": "real-time"});
    let (_, error_type, _) = running.control("UpdateEndpoint", &request).await;
    assert_eq!(error_type, "ValidationException");
}
