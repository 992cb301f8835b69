//! From the command line to a server: which S3 it uses, where it notifies.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::net::TcpListener;

use crate::cli::Options;
use crate::context::Context;
use crate::durable::Durable;
use crate::embedded::{Embedded, ObjectStorage};
use crate::notifier::{Notifier, Sink, Target};
use crate::settings::Settings;
use crate::state::State;
use crate::store::Store;
use crate::{Emulator, aws, scratch, server};

/// Everything up to the loop that serves: that is the future it gives.
///
/// # Errors
/// When a directory or a file that the options name cannot be used.
pub async fn start(
    options: &Options,
    settings: Settings,
    listener: TcpListener,
) -> Result<impl Future<Output = std::io::Result<()>> + use<>, Box<dyn std::error::Error>> {
    let (_, server) = open(options, settings, listener).await?;
    Ok(server)
}

/// The same, with the emulator that is served.
///
/// # Errors
/// When a directory or a file that the options name cannot be used.
pub async fn open(
    options: &Options,
    settings: Settings,
    listener: TcpListener,
) -> Result<(Arc<Emulator>, impl Future<Output = std::io::Result<()>> + use<>), Box<dyn std::error::Error>> {
    scratch::sweep();
    let (durable, state) = match &options.embedded {
        Some(ObjectStorage::Directory(root)) => opened(root).map_err(|error| not_usable(root, &error))?,
        _ => (None, None),
    };
    let embedded = options.embedded.as_ref().map(Embedded::open).transpose()?;
    let targets = targets(options);
    // Loading it may ask the machine's surroundings for a region; who needs no AWS asks nobody.
    let needs_aws = embedded.is_none() || targets.iter().any(|target| matches!(target, Target::Sns | Target::Sqs(_)));
    let config = if needs_aws { aws::config().await } else { SdkConfig::builder().build() };
    let store = match &embedded {
        None => Store::Aws(aws::s3(&config)),
        Some(s3) => {
            for bucket in settings.buckets() {
                s3.create_bucket(&bucket)?;
            }
            let mut address = listener.local_addr()?;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Store::Own(aws::embedded_s3(&format!("http://{address}")))
        }
    };
    let notifier = notifier(targets, &config).await?;
    let context = Context { durable, ..Context::new(&settings, store, notifier) };
    let emulator = Emulator::resume(state.unwrap_or_default(), settings, context);
    Ok((Arc::clone(&emulator), server::serve(listener, emulator, embedded)))
}

/// What is kept in a directory, with the state that an earlier run has left there.
fn opened(root: &Path) -> std::io::Result<(Option<Durable>, Option<State>)> {
    let durable = Durable::open(root)?;
    let state = durable.state()?;
    Ok((Some(durable), state))
}

fn not_usable(root: &Path, error: &std::io::Error) -> String {
    format!("the directory {} of --embedded: {error}", root.display())
}

fn targets(options: &Options) -> Vec<Target> {
    let default = if options.embedded.is_some() { vec![] } else { vec![Target::Sns] };
    if options.notify.is_empty() { default } else { options.notify.clone() }
}

async fn notifier(targets: Vec<Target>, config: &SdkConfig) -> std::io::Result<Notifier> {
    let mut sinks = Vec::new();
    for target in targets {
        sinks.push(match target {
            Target::Sns => Sink::Sns(aws_sdk_sns::Client::new(config)),
            Target::Sqs(url) => Sink::Sqs(aws_sdk_sqs::Client::new(config), url),
            Target::Webhook(url) => Sink::Webhook(reqwest::Client::new(), url),
            Target::File(path) => Sink::file(&path).await?,
        });
    }
    Ok(Notifier { sinks })
}
