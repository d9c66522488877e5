//! Makes an environment ready and tells what happens: `pull CACHE_DIR NAME`, `pull CACHE_DIR
//! --list`, `pull CACHE_DIR --prune`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::error::Error as _;
use std::process::ExitCode;
use std::time::Instant;

use pyro_environment::{Environments, Error, PullPolicy, Settings, Users};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(cache), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: pull CACHE_DIR NAME|--list|--prune");
        return ExitCode::from(2);
    };
    let environments = Environments::new(cache.into(), Settings::default());
    let start = Instant::now();
    let outcome = tokio::select! {
        outcome = act(&environments, &name) => outcome,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("cancelled");
            return ExitCode::from(130);
        }
    };
    eprintln!("{:.4} s", start.elapsed().as_secs_f64());
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error[{}]: {error}", error.code());
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("caused by: {cause}");
        source = cause.source();
    }
    for line in error.output() {
        eprintln!("  | {line}");
    }
    eprintln!("hint: {}", error.remedy());
    ExitCode::FAILURE
}

async fn act(environments: &Environments, name: &str) -> Result<(), Error> {
    match name {
        "--list" => {
            for status in environments.statuses()? {
                println!("{} {:?}", status.name, status.installation);
            }
            println!("{:?}", environments.kernels()?);
        }
        "--prune" => println!("{:?}", environments.prune(&Users::default(), None)?),
        _ => println!(
            "{:#?}",
            environments
                .ready(name, PullPolicy::Missing, &|news| eprintln!("{news:?}"))
                .await?
        ),
    }
    Ok(())
}
