//! A local SageMaker async endpoint: the wiring.

use std::io::Write;

use clap::Parser;
use sagemaker_async_emulator::account::Account;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::context::Context;
use sagemaker_async_emulator::notifier::Notifier;
use sagemaker_async_emulator::settings::Settings;
use sagemaker_async_emulator::store::Store;
use sagemaker_async_emulator::{Emulator, aws, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let options = Options::parse();
    let settings = Settings::read(&options, Account::from_env())?;
    let listener = TcpListener::bind(&options.listen).await?;
    let address = listener.local_addr()?;
    let config = aws::config().await;
    let store = Store::Aws(aws::s3(&config));
    let notifier = Notifier::Sns(aws_sdk_sns::Client::new(&config));
    let context = Context::new(&settings, store, notifier);
    let emulator = Emulator::start(settings, context);
    writeln!(std::io::stdout(), "sagemaker-async-emulator listening on http://{address}")?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = server::serve(listener, emulator) => served?,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
