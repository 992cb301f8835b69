//! A local SageMaker async endpoint: the wiring.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use sagemaker_async_emulator::account::Account;
use sagemaker_async_emulator::cli::Options;
use sagemaker_async_emulator::settings::Settings;
use sagemaker_async_emulator::{start, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init();
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(io::stderr(), "sagemaker-async-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::read(&options, Account::from_env())?;
    let listener = TcpListener::bind(&options.listen).await;
    let listener = listener.map_err(|error| format!("--listen {}: {error}", options.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let (emulator, server) = start::open(&options, settings, listener).await?;
    writeln!(io::stdout(), "sagemaker-async-emulator listening on {url}")?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = server => served?,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = end_of_input(), if options.stop_with_stdin => {}
    }
    emulator.end();
    Ok(())
}

async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    // A thread that nobody waits for: the runtime would not end before a task of its own that reads.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
