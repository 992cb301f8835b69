//! Faults on demand, by flags and by the runtime API.

use aws_sdk_sagemakerruntime::error::ProvideErrorMetadata;
use aws_sdk_sagemakerruntime::primitives::Blob;
use reqwest::Method;
use serde_json::{Value, json};

use crate::running::Running;

impl Running {
    /// Status and body of a call of the emulator's own API.
    pub(crate) async fn own(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("{}/_emulator/{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    /// What an invocation is answered with: `accepted`, an error's code, or `dropped`.
    async fn outcome(&self, inference_id: &str) -> String {
        let call = self.client().invoke_endpoint_async().endpoint_name("demo").inference_id(inference_id);
        match call.body(Blob::new("x")).send().await {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.code().unwrap_or("dropped").to_owned(),
        }
    }

    /// Of fifty invocations, two of each inference id, all at once.
    async fn outcomes(&self) -> Vec<String> {
        let ids: Vec<String> = (0..25).map(|n| format!("i{n}")).collect();
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let round = ids.iter().map(|id| self.outcome(id));
            outcomes.extend(futures_util::future::join_all(round).await);
        }
        outcomes
    }
}

fn plan() -> Value {
    json!({"seed": 7, "all": {
        "throttling": 0.2, "server-error": 0.2, "dropped-before-acceptance": 0.1, "dropped-after-acceptance": 0.1,
        "latency-p50-seconds": 0.001, "latency-max-seconds": 0.01,
    }})
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_twice() {
    let running = Running::start(&[]).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (status, answer) = running.own(Method::PUT, "faults", &plan()).await;
        assert_eq!((status, &answer["seed"]), (200, &7.into()));
        let outcomes = running.outcomes().await;
        runs.push((outcomes, running.own(Method::GET, "faults", &Value::Null).await.1));
    }
    assert_eq!(runs[0], runs[1]);
    for outcome in ["accepted", "ThrottlingException", "InternalFailure", "ServiceUnavailable", "dropped"] {
        assert!(runs[0].0.iter().any(|other| other == outcome), "{outcome} {:?}", runs[0].0);
    }
    assert!(runs[0].1["injected"]["throttling"].as_u64().unwrap() > 0, "{}", runs[0].1);
    let other = json!({"seed": 8, "all": plan()["all"]});
    running.own(Method::PUT, "faults", &other).await;
    assert_ne!(running.outcomes().await, runs[0].0);
}

#[tokio::test]
async fn flags_and_the_runtime_api_decide_alike() {
    let flags = ["--seed=7", "--fault=throttling=0.2", "--fault=server-error=0.2"];
    let by_flags = Running::start(&flags).await;
    let by_api = Running::start(&[]).await;
    by_api.own(Method::PUT, "faults", &json!({"seed": 7, "all": {"throttling": 0.2, "server-error": 0.2}})).await;
    assert_eq!(by_flags.outcomes().await, by_api.outcomes().await);
}

#[tokio::test]
async fn a_connection_is_dropped_before_or_after_the_invocation_is_accepted() {
    for (fault, notified) in [("dropped-before-acceptance", false), ("dropped-after-acceptance", true)] {
        let running = Running::start(&[&format!("--fault={fault}=1")]).await;
        assert_eq!(running.outcome("i").await, "dropped");
        running.own(Method::DELETE, "faults", &Value::Null).await;
        assert_eq!(running.outcome("j").await, "accepted");
        if notified {
            running.notification(2).await;
        } else {
            assert_eq!(running.notification(1).await.1["inferenceId"], "j");
        }
    }
}

#[tokio::test]
async fn an_endpoint_has_faults_of_its_own_until_they_are_taken_away() {
    let running = Running::start(&["--fault=throttling=1"]).await;
    assert_eq!(running.outcome("i").await, "ThrottlingException");
    let (status, rules) = running.own(Method::PUT, "faults/demo", &json!({"server-error": 1})).await;
    assert_eq!((status, &rules["server-error"], &rules["throttling"]), (200, &1.0.into(), &0.0.into()));
    assert!(["InternalFailure", "ServiceUnavailable"].contains(&running.outcome("i").await.as_str()));
    let (_, plan) = running.own(Method::GET, "faults", &Value::Null).await;
    assert_eq!(plan["endpoints"]["demo"]["server-error"], 1.0);
    assert_eq!(running.own(Method::DELETE, "faults/demo", &Value::Null).await.1["throttling"], 1.0);
    assert_eq!(running.outcome("i").await, "ThrottlingException");
    assert_eq!(running.own(Method::GET, "faults/demo", &Value::Null).await.1["throttling"], 1.0);
}

#[tokio::test]
async fn a_bad_plan_changes_nothing_and_says_why() {
    let running = Running::start(&["--fault=throttling=1"]).await;
    for (path, body) in [("faults", json!({"all": {"throttling": 2}})), ("faults/demo", json!({"throtling": 0.5}))] {
        let (status, answer) = running.own(Method::PUT, path, &body).await;
        assert_eq!(status, 400);
        assert!(answer["message"].is_string());
    }
    assert_eq!(running.outcome("i").await, "ThrottlingException");
}
