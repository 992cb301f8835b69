//! A local SageMaker async endpoint: the wiring.

use std::io::Write;

use clap::Parser;
use sagemaker_async_emulator::account::Account;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::settings::Settings;
use sagemaker_async_emulator::{start, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    telemetry::init();
    let options = Options::parse();
    let settings = Settings::read(&options, Account::from_env())?;
    let listener = TcpListener::bind(&options.listen).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = start::start(&options, settings, listener).await?;
    writeln!(std::io::stdout(), "sagemaker-async-emulator listening on {url}")?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = server => served?,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
