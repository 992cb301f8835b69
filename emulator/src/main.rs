//! A local SageMaker async endpoint: the wiring.

use std::io::Write;

use clap::Parser;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::{Emulator, aws, router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    let address = listener.local_addr()?;
    let services = aws::Services::from_env().await;
    let emulator = Emulator::start(options, services)?;
    writeln!(std::io::stdout(), "sagemaker-async-emulator listening on http://{address}")?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = async { axum::serve(listener, router(emulator)).await } => served?,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
