//! What the emulator tells of itself: metrics, endpoints, invocations.

use aws_sdk_sagemakerruntime::primitives::Blob;
use reqwest::Method;
use serde_json::Value;

use crate::running::{Running, found};

impl Running {
    async fn text(&self, path: &str) -> String {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap().text().await.unwrap()
    }

    async fn invoke(&self, endpoint: &str, id: &str) {
        let call = self.client().invoke_endpoint_async().endpoint_name(endpoint).inference_id(id);
        call.content_type("text/html").body(Blob::new("<b>x")).send().await.unwrap();
    }

    /// The newest invocation of an endpoint, once it has this status.
    async fn newest(&self, endpoint: &str, status: &str) -> Value {
        let look = async || {
            let (_, list) = self.own(Method::GET, &format!("endpoints/{endpoint}/invocations"), &Value::Null).await;
            Some(list["invocations"][0].clone()).filter(|newest| newest["status"] == status)
        };
        found(&format!("an invocation that is {status}"), look).await
    }
}

#[tokio::test]
async fn metrics_have_cloudwatchs_names_and_say_what_has_happened() {
    let running = Running::start(&["--endpoint=down=fail:503"]).await;
    running.invoke("demo", "a").await;
    running.invoke("broken", "b").await;
    running.invoke("down", "c").await;
    running.notification(3).await;
    let metrics = running.text("/metrics").await;
    let labels = |endpoint: &str| format!("{{EndpointName=\"{endpoint}\",VariantName=\"AllTraffic\"}}");
    for expected in [
        "# TYPE ApproximateBacklogSize gauge".to_owned(),
        "ApproximateBacklogSize{EndpointName=\"demo\"} 0".to_owned(),
        "ApproximateBacklogSizePerInstance{EndpointName=\"demo\"} 0".to_owned(),
        "HasBacklogWithoutCapacity{EndpointName=\"demo\"} 0".to_owned(),
        format!("InvocationsProcessed{} 1", labels("demo")),
        format!("InvocationFailures{} 0", labels("demo")),
        format!("InvocationFailures{} 1", labels("broken")),
        format!("Invocation4XXErrors{} 1", labels("broken")),
        format!("Invocation5XXErrors{} 1", labels("down")),
        format!("ExpiredRequests{} 0", labels("demo")),
        format!("NotificationFailure{} 0", labels("demo")),
        format!("TimeInBacklog_count{} 1", labels("demo")),
    ] {
        assert!(metrics.lines().any(|line| line == expected), "{expected}\n{metrics}");
    }
}

#[tokio::test]
async fn a_backlog_without_instances_shows() {
    let running = Running::start(&["--cold-start=3600", "--endpoint=cold=echo"]).await;
    running.invoke("cold", "a").await;
    let metrics = running.text("/metrics").await;
    assert!(metrics.contains("HasBacklogWithoutCapacity{EndpointName=\"cold\"} 1\n"), "{metrics}");
    assert!(metrics.contains("ApproximateBacklogSize{EndpointName=\"cold\"} 1\n"), "{metrics}");
    assert!(metrics.contains("ApproximateBacklogSizePerInstance{EndpointName=\"cold\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn endpoints_and_invocations_are_listed_and_retried() {
    let running = Running::start(&["--failure-location=s3://bucket/failure"]).await;
    running.invoke("demo", "a").await;
    running.invoke("broken", "b").await;
    let completed = running.newest("demo", "Completed").await;
    assert_eq!((&completed["inferenceId"], &completed["inputBytes"]), (&"a".into(), &4.into()));
    assert!(completed["outputLocation"].as_str().unwrap().starts_with("s3://bucket/output/"));
    assert!(completed["endedTime"].as_u64().unwrap() >= completed["receivedTime"].as_u64().unwrap());
    let failed = running.newest("broken", "Failed").await;
    assert!(failed["failureReason"].as_str().unwrap().contains("client error (400)"));
    let (_, list) = running.own(Method::GET, "endpoints", &Value::Null).await;
    let demo = list["endpoints"].as_array().unwrap().iter().find(|endpoint| endpoint["endpointName"] == "demo");
    let demo = demo.unwrap();
    assert_eq!((&demo["status"], &demo["capacity"], &demo["completed"]), (&"InService".into(), &4.into(), &1.into()));

    let (status, retried) = running.own(Method::POST, "endpoints/demo/invocations/1/retry", &Value::Null).await;
    assert_eq!((status, &retried["number"], &retried["inferenceId"]), (200, &2.into(), &"a".into()));
    running.notification(3).await;
    let (_, one) = running.own(Method::GET, "endpoints/demo/invocations/2", &Value::Null).await;
    assert_eq!(one["status"], "Completed");
    let (_, list) = running
        .own(Method::GET, "endpoints/demo/invocations?limit=1&inferenceId=a&status=Completed", &Value::Null)
        .await;
    assert_eq!(list["invocations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_output_is_shown_as_text_whatever_it_claims_to_be() {
    let running = Running::start(&[]).await;
    running.invoke("demo", "a").await;
    running.newest("demo", "Completed").await;
    let answer = reqwest::get(format!("{}/_emulator/endpoints/demo/invocations/1/output", running.url)).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), "<b>x");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let running = Running::start(&[]).await;
    for path in ["endpoints/none/invocations", "endpoints/demo/invocations/9", "endpoints/demo/invocations/9/output"] {
        let (status, answer) = running.own(Method::GET, path, &Value::Null).await;
        assert_eq!((status, answer["message"].is_string()), (404, true), "{path}");
    }
    let (status, _) = running.own(Method::POST, "endpoints/demo/invocations/9/retry", &Value::Null).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_retry_from_another_sites_page_is_refused() {
    let running = Running::start(&[]).await;
    running.invoke("demo", "a").await;
    let url = format!("{}/_emulator/endpoints/demo/invocations/1/retry", running.url);
    let answer = reqwest::Client::new().post(url).header("content-type", "text/plain").send().await.unwrap();
    assert_eq!(answer.status(), 415);
}

#[tokio::test]
async fn the_page_allows_itself_alone() {
    let running = Running::start(&[]).await;
    let answer = reqwest::get(&running.url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("innerHTML") && !page.contains("src=") && !page.contains("href="), "nothing from outside");
}
