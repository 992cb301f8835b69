//! The engine on a clock that jumps: no test here waits, and none depends on the machine's speed.

mod programs;

use std::time::Duration;

use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_sns::operation::publish::PublishOutput;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use serde_json::{Value, json};

use super::async_config::AsyncConfig;
use super::ledger::{Limits, Status};
use super::origin::Origin;
use super::*;
use crate::account::Account;
use crate::faults::Faults;
use crate::instances::container::Container;
use crate::model::Model;
use crate::notifier::{Notifier, Sink};
use crate::store::Store;

/// Inference id and status of each notification in order, or the name of another event.
type Published = Arc<Mutex<Vec<(String, String)>>>;

struct Stage {
    context: Arc<Context>,
    published: Published,
}

fn stage(plan: &Value) -> Stage {
    let published = Published::default();
    let seen = Arc::clone(&published);
    let put = mock!(aws_sdk_s3::Client::put_object).then_output(|| PutObjectOutput::builder().build());
    let publish = mock!(aws_sdk_sns::Client::publish).match_requests(move |input| {
        let message: Value = serde_json::from_str(input.message().unwrap()).unwrap();
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let status = if text("invocationStatus").is_empty() { text("eventName") } else { text("invocationStatus") };
        seen.lock().unwrap().push((text("inferenceId"), status));
        true
    });
    let publish = publish.then_output(|| PublishOutput::builder().build());
    let context = Context {
        account: Account::default(),
        store: Store::Aws(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put])),
        notifier: Notifier { sinks: vec![Sink::Sns(mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&publish]))] },
        spool: crate::body::Spool::default(),
        durable: None,
        http: reqwest::Client::new(),
        faults: Faults::new(serde_json::from_value(plan.clone()).unwrap()),
        limits: Limits::default(),
    };
    Stage { context: Arc::new(context), published }
}

fn deployment(model: &str, instances: u32, concurrency: u32) -> Deployment {
    Deployment {
        config_name: "config".to_owned(),
        variant: "AllTraffic".to_owned(),
        image: "image".to_owned(),
        container: Container::default(),
        model: model.parse::<Model>().unwrap(),
        instances,
        startup_timeout: Duration::from_secs(480),
        asynchronous: Some(AsyncConfig {
            output: "s3://bucket/output/".parse().ok(),
            failure: None,
            success_topic: Some("success".to_owned()),
            error_topic: Some("error".to_owned()),
            include: Vec::new(),
            concurrency,
        }),
        weight: 1.0,
        others: Vec::new(),
        config: serde_json::Map::new(),
        models: std::collections::BTreeMap::new(),
        policy: None,
    }
}

const CONFIGURED: Origin = Origin::Configured { throttled: 0 };

impl Stage {
    fn endpoint(&self, deployment: Deployment, scaling: Scaling, origin: Origin) -> Arc<Endpoint> {
        Endpoint::launch("demo", deployment, scaling, origin, &self.context)
    }

    fn statuses(&self) -> Vec<(String, String)> {
        self.published.lock().unwrap().clone()
    }
}

impl Endpoint {
    fn invoke(&self, id: &str) -> u64 {
        let parameters = Parameters { inference_id: Some(id.to_owned()), ..Parameters::default() };
        self.invoke_with(parameters).unwrap()
    }

    fn invoke_with(&self, parameters: Parameters) -> Result<u64, Refusal> {
        let draw = self.context.faults.draw(&self.name, parameters.inference_id.as_deref());
        self.accept(parameters, Some(Bytes::from_static(b"x")), draw).map(|(number, _)| number)
    }

    /// Waiting, running, instances.
    fn load(&self) -> (usize, usize, u32) {
        self.with(|core| (core.ledger.waiting(), core.ledger.running(), core.instances))
    }
}

/// Lets so much time pass for every task.
async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn instances_times_concurrency_run_at_once_and_the_rest_waits() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("sleep:10", 2, 3), Scaling::default(), CONFIGURED);
    for n in 0..10 {
        endpoint.invoke(&n.to_string());
    }
    pass(1.0).await;
    assert_eq!(endpoint.load(), (4, 6, 2));
    pass(10.0).await;
    assert_eq!(endpoint.load(), (0, 4, 2));
    pass(10.0).await;
    assert_eq!((endpoint.load(), stage.statuses().len()), ((0, 0, 2), 10));
}

#[tokio::test(start_paused = true)]
async fn what_waits_longer_than_its_ttl_expires_even_though_nothing_is_free() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("sleep:500", 1, 1), Scaling::default(), CONFIGURED);
    endpoint.invoke("first");
    let ttl = Some(Duration::from_secs(60));
    let parameters = Parameters { inference_id: Some("second".to_owned()), request_ttl: ttl, ..Parameters::default() };
    let number = endpoint.invoke_with(parameters).unwrap();
    pass(59.0).await;
    assert_eq!(endpoint.load(), (1, 1, 1));
    pass(2.0).await;
    assert_eq!(stage.statuses(), [("second".to_owned(), "Expired".to_owned())]);
    endpoint.with(|core| {
        assert_eq!(core.ledger.get(number).unwrap().status, Status::Expired);
        assert_eq!((core.ledger.totals.expired_requests, core.ledger.totals.failures), (1, 1));
    });
}

#[tokio::test(start_paused = true)]
async fn what_runs_longer_than_its_timeout_expires_and_frees_the_instance() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("sleep:1000", 1, 1), Scaling::default(), CONFIGURED);
    endpoint.invoke("by default after 900 seconds");
    pass(899.0).await;
    assert_eq!(endpoint.load(), (0, 1, 1));
    pass(2.0).await;
    assert_eq!((endpoint.load(), stage.statuses()[0].1.as_str()), ((0, 0, 1), "Expired"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_endpoint_scales_to_zero_and_work_brings_it_back_after_a_cold_start() {
    let stage = stage(&json!({}));
    let scaling = Scaling { cold_start: Duration::from_secs(30), to_zero_after: Some(Duration::from_secs(100)) };
    let endpoint = stage.endpoint(deployment("sleep:5", 2, 1), scaling, CONFIGURED);
    assert_eq!(endpoint.load(), (0, 0, 0));
    pass(31.0).await;
    assert_eq!(endpoint.load(), (0, 0, 2));
    pass(90.0).await;
    endpoint.invoke("work keeps the instances");
    pass(90.0).await;
    assert_eq!(endpoint.load(), (0, 0, 2));
    pass(30.0).await;
    assert_eq!(endpoint.load(), (0, 0, 0));
    endpoint.invoke("work brings them back");
    pass(29.0).await;
    assert_eq!(endpoint.load(), (1, 0, 0));
    pass(2.0).await;
    assert_eq!(endpoint.load(), (0, 1, 2));
    pass(5.0).await;
    assert_eq!(stage.statuses().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_created_endpoint_is_tested_and_in_service_after_its_cold_start() {
    let stage = stage(&json!({}));
    let scaling = Scaling { cold_start: Duration::from_secs(30), to_zero_after: None };
    let endpoint = stage.endpoint(deployment("echo", 1, 1), scaling, Origin::Created);
    pass(1.0).await;
    assert_eq!(endpoint.with(|core| core.status), EndpointStatus::Creating);
    assert!(matches!(endpoint.invoke_with(Parameters::default()), Err(Refusal::NotInService)));
    assert_eq!(stage.statuses(), vec![(String::new(), "TestNotification".to_owned()); 2]);
    pass(30.0).await;
    assert_eq!(endpoint.with(|core| core.status), EndpointStatus::InService);
    endpoint.invoke("i");
    pass(1.0).await;
    assert_eq!(stage.statuses()[2], ("i".to_owned(), "Completed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_update_serves_as_before_until_it_is_ready() {
    let stage = stage(&json!({}));
    let scaling = Scaling { cold_start: Duration::from_secs(30), to_zero_after: None };
    let endpoint = stage.endpoint(deployment("echo", 1, 1), scaling, CONFIGURED);
    pass(31.0).await;
    endpoint.update(deployment("fail", 3, 1));
    endpoint.invoke("before");
    pass(1.0).await;
    assert_eq!(endpoint.with(|core| core.status), EndpointStatus::Updating);
    pass(30.0).await;
    endpoint.invoke("after");
    pass(1.0).await;
    assert_eq!((endpoint.with(|core| core.status), endpoint.load()), (EndpointStatus::InService, (0, 0, 3)));
    let ended: Vec<_> = stage.statuses().into_iter().filter(|(id, _)| !id.is_empty()).collect();
    assert_eq!(ended, [("before".into(), "Completed".into()), ("after".into(), "Failed".into())]);
}

#[tokio::test(start_paused = true)]
async fn capacity_can_be_set_to_zero_where_the_backlog_stays_and_back() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
    endpoint.resize(0);
    endpoint.invoke("i");
    pass(100.0).await;
    assert_eq!(endpoint.load(), (1, 0, 0));
    endpoint.resize(2);
    pass(1.0).await;
    assert_eq!((endpoint.load(), endpoint.with(|core| core.status)), ((0, 0, 2), EndpointStatus::InService));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_endpoint_ends_what_runs_and_forgets_what_waits() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("sleep:10", 1, 1), Scaling::default(), CONFIGURED);
    endpoint.invoke("runs");
    endpoint.invoke("waits");
    pass(1.0).await;
    endpoint.delete();
    assert!(matches!(endpoint.invoke_with(Parameters::default()), Err(Refusal::NotInService)));
    pass(20.0).await;
    assert_eq!(stage.statuses(), [("runs".to_owned(), "Completed".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_a_new_invocation_with_the_same_id_and_payload() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
    let first = endpoint.invoke("i");
    pass(1.0).await;
    let second = endpoint.retry(first).unwrap();
    pass(1.0).await;
    let (first, second) =
        endpoint.with(|core| (core.ledger.get(first).unwrap().clone(), core.ledger.get(second).unwrap().clone()));
    assert_eq!((second.status, &second.invocation.inference_id), (Status::Completed, &"i".to_owned()));
    assert_ne!(first.invocation.output_location, second.invocation.output_location);
    assert!(matches!(endpoint.retry(99), Err(Refusal::Forgotten)));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_never_healthy_fails_the_endpoint_in_sagemakers_words() {
    let stage = stage(&json!({}));
    let unhealthy = Deployment { startup_timeout: Duration::from_secs(60), ..deployment("http://127.0.0.1:1", 1, 1) };
    let endpoint = stage.endpoint(unhealthy, Scaling::default(), Origin::Created);
    pass(120.0).await;
    let (status, reason) = endpoint.with(|core| (core.status, core.failure_reason.clone()));
    assert_eq!(status, EndpointStatus::Failed);
    assert!(
        reason.unwrap().starts_with("The primary container for production variant AllTraffic did not pass the ping")
    );
}

#[tokio::test(start_paused = true)]
async fn notifications_are_lost_duplicated_late_and_overtaken_on_demand() {
    for (fault, expected) in [
        (json!({"lost-notification": 1}), vec![]),
        (json!({"duplicate-notification": 1}), vec!["a", "a", "b", "b"]),
        (json!({"delayed-notification": 1, "delay-seconds": 50}), vec!["a", "b"]),
    ] {
        let is_late = fault.get("delay-seconds").is_some();
        let stage = stage(&json!({"all": fault}));
        let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
        endpoint.invoke("a");
        endpoint.invoke("b");
        pass(49.0).await;
        assert_eq!(stage.statuses().is_empty(), is_late || expected.is_empty());
        pass(49.0).await;
        let ids: Vec<_> = stage.statuses().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reordered_notification_comes_after_the_next_one_or_after_a_while() {
    let stage = stage(&json!({"all": {"reordered-notification": 0.5}}));
    let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
    let ids: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for id in &ids {
        endpoint.invoke(id);
        pass(1.0).await;
    }
    pass(60.0).await;
    let mut seen: Vec<_> = stage.statuses().into_iter().map(|(id, _)| id).collect();
    assert_ne!(seen, ids);
    seen.sort_by_key(|id| id.parse::<u32>().unwrap());
    assert_eq!(seen, ids);
}

#[tokio::test(start_paused = true)]
async fn a_missing_output_is_not_stored_though_it_is_told() {
    let stage = stage(&json!({"all": {"missing-output": 1}}));
    let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
    let number = endpoint.invoke("i");
    pass(1.0).await;
    assert_eq!(stage.statuses(), [("i".to_owned(), "Completed".to_owned())]);
    let record = endpoint.with(|core| core.ledger.get(number).unwrap().clone());
    assert_eq!((record.has_output, record.faults), (false, vec![Fault::MissingOutput]));
    assert_eq!(stage.context.faults.report().1[&Fault::MissingOutput], 1);
}
