//! Tags of models, endpoint configurations and endpoints.

use serde_json::{Value, json};

use crate::control::{config, model};
use crate::running::Running;

const ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:";

fn tag(key: &str, value: &str) -> Value {
    json!({"Key": key, "Value": value})
}

#[tokio::test]
async fn what_is_created_with_tags_has_them_until_it_is_deleted() {
    let running = Running::start(&[]).await;
    let tagged = |mut request: Value| {
        request["Tags"] = json!([tag("team", "search"), tag("cost", "1")]);
        request
    };
    running.done("CreateModel", &tagged(model("Made", "echo"))).await;
    running.done("CreateEndpointConfig", &tagged(config("Made", "Made"))).await;
    running.done("CreateEndpoint", &tagged(json!({"EndpointName": "Made", "EndpointConfigName": "Made"}))).await;
    for (resource, delete, member) in [
        ("endpoint/made", "DeleteEndpoint", "EndpointName"),
        ("endpoint-config/made", "DeleteEndpointConfig", "EndpointConfigName"),
        ("model/made", "DeleteModel", "ModelName"),
    ] {
        let arn = json!({"ResourceArn": format!("{ARN}{resource}")});
        let listed = running.done("ListTags", &arn).await;
        assert_eq!(listed, json!({"Tags": [tag("cost", "1"), tag("team", "search")]}), "{resource}");
        running.done(delete, &json!({member: "Made"})).await;
        let (_, error_type, body) = running.control("ListTags", &arn).await;
        assert_eq!(error_type, "ValidationException");
        assert!(body["message"].as_str().unwrap().starts_with("Could not find "), "{body}");
    }
}

#[tokio::test]
async fn tags_are_added_replaced_and_deleted() {
    let running = Running::start(&[]).await;
    let arn = format!("{ARN}endpoint/demo");
    let add = json!({"ResourceArn": arn, "Tags": [tag("a", "1"), tag("b", "2")]});
    assert_eq!(running.done("AddTags", &add).await, json!({"Tags": [tag("a", "1"), tag("b", "2")]}));
    let add = json!({"ResourceArn": arn, "Tags": [tag("a", "3")]});
    assert_eq!(running.done("AddTags", &add).await, json!({"Tags": [tag("a", "3"), tag("b", "2")]}));
    running.done("DeleteTags", &json!({"ResourceArn": arn, "TagKeys": ["b", "none"]})).await;
    assert_eq!(running.done("ListTags", &json!({"ResourceArn": arn})).await, json!({"Tags": [tag("a", "3")]}));
    let many: Vec<Value> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
    let (_, error_type, _) = running.control("AddTags", &json!({"ResourceArn": arn, "Tags": many})).await;
    assert_eq!(error_type, "ResourceLimitExceeded");
    let (_, _, body) = running.control("AddTags", &json!({"ResourceArn": arn, "Tags": [tag("", "")]})).await;
    assert!(body["message"].as_str().unwrap().contains("'tags.1.member.key'"), "{body}");
}
