//! Commands that never serve. Time jumps; the processes are real, and take theirs.

use super::*;

const FAILED: &str = "The primary container for production variant AllTraffic did not pass the ping health check. Please check CloudWatch \
                      logs for this endpoint.";

/// Lets time pass until something is so, for processes a little of their own time too.
async fn until(endpoint: &Endpoint, what: impl Fn(&Core) -> bool) {
    for _ in 0..100_000 {
        if endpoint.with(|core| what(core)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
        pass(0.1).await;
    }
    panic!("{:?}", endpoint.with(|core| (core.status, core.trouble.clone())));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_whose_command_never_answers_ping_fails_in_sagemakers_words() {
    for command in ["exec:exit 3", "exec:/no/such/program", "exec:exec sleep 600"] {
        let stage = stage(&json!({}));
        let deployment = Deployment { startup_timeout: Duration::from_secs(60), ..deployment(command, 2, 1) };
        let endpoint = stage.endpoint(deployment, Scaling::default(), Origin::Created);
        pass(30.0).await;
        assert_eq!(endpoint.with(|core| core.status), EndpointStatus::Creating, "{command}");
        until(&endpoint, |core| core.status == EndpointStatus::Failed).await;
        assert_eq!(endpoint.with(|core| core.failure_reason.clone()).as_deref(), Some(FAILED), "{command}");
        assert!(matches!(endpoint.invoke_with(Parameters::default()), Err(Refusal::NotInService)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_to_a_command_that_never_answers_is_taken_back() {
    let stage = stage(&json!({}));
    let endpoint = stage.endpoint(deployment("echo", 1, 1), Scaling::default(), CONFIGURED);
    endpoint.update(Deployment { startup_timeout: Duration::from_secs(60), ..deployment("exec:exit 3", 1, 1) });
    endpoint.invoke("meanwhile");
    until(&endpoint, |core| core.status == EndpointStatus::InService).await;
    assert_eq!(endpoint.with(|core| core.failure_reason.clone()).as_deref(), Some(FAILED));
    endpoint.invoke("after");
    pass(1.0).await;
    let ended: Vec<_> = stage.statuses().into_iter().filter(|(id, _)| !id.is_empty()).collect();
    assert_eq!(ended, [("meanwhile".into(), "Completed".into()), ("after".into(), "Completed".into())]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_the_command_line_says_why_it_has_no_instance_and_goes_on_trying() {
    let stage = stage(&json!({}));
    let deployment = Deployment { startup_timeout: Duration::from_secs(60), ..deployment("exec:exit 3", 1, 1) };
    let endpoint = stage.endpoint(deployment, Scaling::default(), CONFIGURED);
    endpoint.invoke("waits");
    let trouble = |core: &Core, word: &str| core.trouble.as_ref().is_some_and(|trouble| trouble.contains(word));
    until(&endpoint, |core| trouble(core, "has ended before it answered GET /ping: exit status: 3")).await;
    until(&endpoint, |core| trouble(core, "did not pass the ping health check")).await;
    assert_eq!((endpoint.with(|core| core.status), endpoint.load()), (EndpointStatus::InService, (1, 0, 0)));
}
