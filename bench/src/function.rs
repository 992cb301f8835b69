//! A function's process: started as Lambda starts it, watched by what the kernel says of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::Result;
use crate::backend::Backend;
use crate::cases::Case;
use crate::runtime_api::RuntimeApi;
use crate::share::{Group, Share};

/// Warm invocations in one run: as many as fit into the time, within these bounds. A run is short because a shared machine's speed
/// changes within seconds, and those who are compared should meet the same one.
const WARM_TIME: Duration = Duration::from_millis(100);
const WARM_AT_LEAST: usize = 2;
const WARM_AT_MOST: usize = 60;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Bridge,
    Floor,
    Python,
    Node,
    RustDefaults,
}

impl Subject {
    /// Who handles every case.
    pub(crate) const MAIN: [Self; 3] = [Self::Bridge, Self::Floor, Self::Python];
    /// Who handles the cases of the comparison.
    pub(crate) const COMPARED: [Self; 5] = [Self::Bridge, Self::Python, Self::Node, Self::RustDefaults, Self::Floor];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Floor => "floor",
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::RustDefaults => "Rust, defaults",
        }
    }

    /// What is deployed.
    pub(crate) fn artefact(self, function: &str) -> PathBuf {
        match self {
            Self::Bridge => Path::new("target/release").join(function),
            Self::Floor => "target/release/floor".into(),
            Self::Python => Path::new("bench/baseline").join(function).with_extension("py"),
            Self::Node => Path::new(NODE_BASELINE).join("dist").join(function).with_extension("cjs"),
            Self::RustDefaults => Path::new("target/baseline/release").join(function),
        }
    }

    /// The command that Lambda would run as `bootstrap`. Another build, if there is one, takes Python's place.
    pub(crate) fn command(self, function: &str, against: Option<&Path>) -> Command {
        let artefact = self.artefact(function);
        match (self, against) {
            (Self::Bridge | Self::Floor | Self::RustDefaults, _) => Command::new(artefact),
            (Self::Python, Some(other)) => Command::new(other.join(function)),
            (Self::Python, None) => {
                let mut command = Command::new(".venv/local/bin/python");
                command.arg("bench/baseline/bootstrap.py").arg(function);
                command
            }
            (Self::Node, _) => {
                let baseline = Path::new(NODE_BASELINE);
                let mut command = Command::new(baseline.join("node"));
                command.args(NODE_FLAGS).arg(baseline.join("bootstrap.mjs")).arg(artefact);
                command
            }
        }
    }
}

/// Where the Makefile bundles Node.js's functions, with a link to the node that runs them.
const NODE_BASELINE: &str = ".venv/baseline";

/// What Lambda's runtime tells node at 256 MB: a twentieth for each half of the young generation, nine tenths for the old one.
const NODE_FLAGS: [&str; 2] = ["--max-semi-space-size=12", "--max-old-space-size=230"];

/// Where the functions find AWS.
pub(crate) struct Environment {
    /// What counts their calls.
    pub(crate) services: Arc<Backend>,
    /// URL of the backend.
    pub(crate) backend: String,
    /// Certificates to trust, for an address of https.
    pub(crate) trust: Option<TrustedCertificates>,
    /// Another build of the bridge, to be measured in Python's place.
    pub(crate) against: Option<PathBuf>,
    /// Variables of the bridge alone, not of what it is compared with.
    pub(crate) with: Vec<(String, String)>,
    /// What invocations get of a processor. Init always gets all of it, as on Lambda.
    pub(crate) share: Option<Share>,
}

/// Certificates that clients trust.
#[derive(Clone)]
pub(crate) struct TrustedCertificates {
    /// All of them.
    pub(crate) bundle: PathBuf,
    /// The one that is missing where a client brings the others along.
    pub(crate) authority: PathBuf,
}

/// What a process did with a case.
pub(crate) struct Run {
    pub(crate) init: Duration,
    pub(crate) init_cpu: Duration,
    pub(crate) first: Duration,
    pub(crate) warm: Vec<Duration>,
    /// CPU of a warm invocation's message.
    pub(crate) cpu: Duration,
    /// Peak resident set.
    pub(crate) memory_bytes: f64,
}

/// A process that is killed in the end.
pub(crate) struct Function {
    pub(crate) process: Child,
    pub(crate) api: RuntimeApi,
    /// Dropped after the process was waited for, as a group has to be.
    group: Option<Group>,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Function {
    /// Starts `command`, which runs `subject`, in the environment that Lambda would give it.
    pub(crate) fn start(
        mut command: Command,
        subject: Subject,
        around: &Environment,
        runtime: &Handle,
    ) -> Result<Self> {
        let api = RuntimeApi::new(runtime)?;
        command
            .env_clear()
            .envs(FIXED_ENVIRONMENT)
            .envs(TUNING.into_iter().filter(|_| !matches!(subject, Subject::Node | Subject::RustDefaults)))
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("AWS_ENDPOINT_URL", &around.backend)
            .envs(around.with.iter().filter(|_| subject == Subject::Bridge).map(|(name, value)| (name, value)))
            .env("BRIDGE_RESULTS_QUEUE_URL", format!("{}/123456789012/results", around.backend));
        if let Some(TrustedCertificates { bundle, authority }) = &around.trust {
            // Rust's way, boto3's way and Node.js's way to say the same; Node.js has roots of its own and adds this one.
            command.env("SSL_CERT_FILE", bundle).env("AWS_CA_BUNDLE", bundle).env("NODE_EXTRA_CA_CERTS", authority);
        }
        // A pipe, as on Lambda, and read as it fills.
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdout) = process.stdout.take() {
            std::thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
        }
        Ok(Self { process, api, group: None })
    }

    fn cpu(&self) -> Result<Duration> {
        // Nanoseconds on a processor, of each thread. The threads of all that is measured here live as long as the process.
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += times.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    fn peak_memory_bytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.split_whitespace().next().ok_or("an empty VmHWM")?.parse::<f64>()? * 1024.0)
    }
}

/// Starts a function and has it handle a case's event again and again.
pub(crate) fn run(subject: Subject, case: &Case, around: &Environment, runtime: &Handle) -> Result<Run> {
    let event = Bytes::from(case.event.clone());
    let begin = Instant::now();
    let command = subject.command(case.function, around.against.as_deref());
    let mut function = Function::start(command, subject, around, runtime)?;
    let init = function.api.ready()? - begin;
    let init_cpu = function.cpu()?;
    let taken_before = around.services.taken();
    function.group = around.share.map(|share| share.hold(function.process.id())).transpose()?;
    let first = function.api.invoke(event.clone())?;
    let (mut warm, cpu_before, warm_start) = (Vec::new(), function.cpu()?, Instant::now());
    while warm.len() < WARM_AT_LEAST || (warm.len() < WARM_AT_MOST && warm_start.elapsed() < WARM_TIME) {
        warm.push(function.api.invoke(event.clone())?);
    }
    let messages = u32::try_from(warm.len())? * case.messages;
    let (taken, given) = (around.services.taken() - taken_before, u64::from(messages + case.messages));
    if taken != given {
        return Err(format!("of {given} messages {taken} came out").into());
    }
    let cpu = (function.cpu()? - cpu_before) / messages;
    Ok(Run { init, init_cpu, first, warm, cpu, memory_bytes: function.peak_memory_bytes()? })
}

/// As template.yaml sets them, the first for submit, the others for collect; glibc's hold for the floor and for Python as well.
const TUNING: [(&str, &str); 3] =
    [("MIMALLOC_PURGE_DELAY", "-1"), ("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "67108864")];

/// What every function gets: AWS's own variables, and the bridge's.
const FIXED_ENVIRONMENT: [(&str, &str); 14] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLE"),
    ("BRIDGE_ENDPOINT_NAME", "bench"),
    ("BRIDGE_INPUT_LOCATION", "s3://bucket/input/"),
    (
        "BRIDGE_REPLY_TO_ARNS",
        "arn:aws:sqs:us-east-1:123456789012:team-a,arn:aws:sns:us-east-1:123456789012:answers,\
         arn:aws:events:us-east-1:123456789012:event-bus/pipeline",
    ),
];
