//! The life of an instance: model data, process, health; again when it fails, until it is wanted no more.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::artifacts;
use super::directory::Directory;
use super::health::StartOutcome;
use super::process::Process;
use super::{InstanceGroup, InstanceHandle};

/// "The command sends the SIGTERM signal, then it sends the SIGKILL signal thirty seconds later."
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>
const GRACE: Duration = Duration::from_secs(30);
/// Between tries that fail.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Keeps an instance alive until `ended` is.
pub(super) async fn live(group: Arc<InstanceGroup>, instance: Arc<InstanceHandle>, mut ended: oneshot::Receiver<()>) {
    let mut process = None;
    let directory = tokio::select! {
        directory = group.prepared() => directory,
        _ = &mut ended => return,
    };
    tokio::select! {
        () = group.keep(&instance, &directory, &mut process) => {}
        _ = &mut ended => {}
    }
    // No invocation comes to it any more; those that it runs come to their end.
    instance.is_idle().await;
    if let Some(process) = process {
        process.stop(GRACE).await;
    }
}

impl InstanceGroup {
    /// A directory with the model data, however many tries it takes.
    async fn prepared(&self) -> Arc<Directory> {
        sleep(self.plan.cold_start).await;
        let mut pause = SHORTEST_PAUSE;
        loop {
            let failed = match Directory::make().map(Arc::new) {
                Err(error) => format!("No directory for an instance can be made: {error}"),
                Ok(directory) => match artifacts::fetch(&self.plan, &directory).await {
                    Ok(()) => return directory,
                    Err(reason) => reason,
                },
            };
            self.fail(failed);
            rest(&mut pause).await;
        }
    }

    /// Starts the command whenever it does not run or answer.
    async fn keep(&self, instance: &InstanceHandle, directory: &Directory, place: &mut Option<Process>) {
        let mut pause = SHORTEST_PAUSE;
        let mut deadline = Instant::now() + self.plan.startup_timeout;
        loop {
            match self.start(instance, directory) {
                Err(error) => self.warn_of_start(instance, &format!("cannot be started: {error}")),
                Ok((process, url)) => {
                    let process = place.insert(process);
                    match self.first_answer(process, &url, deadline).await {
                        StartOutcome::Healthy => {
                            self.serve(instance, process, url).await;
                            pause = SHORTEST_PAUSE;
                            deadline = Instant::now() + self.plan.startup_timeout;
                        }
                        StartOutcome::Ended(how) => {
                            self.warn_of_start(instance, &format!("has ended before it answered GET /ping: {how}"));
                        }
                        StartOutcome::Late => {
                            self.warn_of_start(instance, "has not answered GET /ping with 200 in time")
                        }
                    }
                }
            }
            if let Some(process) = place.take() {
                process.kill().await;
            }
            rest(&mut pause).await;
            if Instant::now() >= deadline {
                self.fail(unhealthy(&self.plan.variant));
                deadline = Instant::now() + self.plan.startup_timeout;
            }
        }
    }

    /// Lets invocations come to a process for as long as it answers.
    async fn serve(&self, instance: &InstanceHandle, process: &mut Process, url: String) {
        tracing::info!(endpoint.name = self.plan.endpoint, instance = instance.number, url, "instance in service");
        instance.url.send_replace(Some(url.clone()));
        self.count();
        let why = self.last_answer(process, &url, instance).await;
        instance.url.send_replace(None);
        self.count();
        self.warn(instance, &why);
    }

    fn start(&self, instance: &InstanceHandle, directory: &Directory) -> std::io::Result<(Process, String)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let variables = self.plan.container.variables(port, directory.path(), &self.plan.region);
        let label = format!("{}/{}", self.plan.endpoint, instance.number);
        let process = Process::start(&self.plan.command, variables, directory.path(), &label)?;
        Ok((process, format!("http://127.0.0.1:{port}")))
    }

    fn warn_of_start(&self, instance: &InstanceHandle, what: &str) {
        self.warn(instance, what);
        self.report_trouble(&format!("The model's process {what}. The log has what it wrote."));
    }

    fn warn(&self, instance: &InstanceHandle, what: &str) {
        tracing::warn!(endpoint.name = self.plan.endpoint, instance = instance.number, "the model's process {what}");
    }
}

/// SageMaker's words.
pub(crate) fn unhealthy(variant: &str) -> String {
    format!(
        "The primary container for production variant {variant} did not pass the ping health check. Please check CloudWatch logs for this \
         endpoint."
    )
}

/// Waits, the next time longer.
async fn rest(pause: &mut Duration) {
    sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}
