//! The `pyro-dev` program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pyro_dev::{Error, bench, generate};

/// Tools for those who work on pyro
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo run -p pyro-dev -- generate --check
  cargo run --release -p pyro-dev -- bench cold --count 20")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write docs/reference from the definitions in the code
    Generate {
        /// Only say which files differ, and fail if any does
        #[arg(long)]
        check: bool,
    },
    /// Measure
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Starts from nothing: a machine is booted, runs `true` and is thrown away
    Cold {
        /// How often
        #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// What to boot
        #[arg(long, default_value = "debian:12", value_name = "NAME")]
        environment: String,
        /// The program to measure [default: the one beside this one]
        #[arg(long, value_name = "PATH")]
        program: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(report) => {
            // Whoever closed our output does not want the rest.
            let _ = write!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what is to be printed.
fn run(command: Command) -> Result<String, Error> {
    match command {
        Command::Generate { check: true } => {
            generate::check(&root())?;
            Ok("the reference is up to date\n".into())
        }
        Command::Generate { check: false } => {
            let mut written = generate::write(&root())?;
            written.push(String::new());
            Ok(written.join("\n"))
        }
        Command::Bench(Bench::Cold {
            count,
            environment,
            program,
        }) => {
            let program = match program {
                Some(program) => program,
                None => std::env::current_exe()?.with_file_name("pyro"),
            };
            bench::cold::measure(count, &environment, &program, |line| {
                let _ = writeln!(std::io::stderr(), "{line}");
            })
        }
    }
}

/// The root of the source tree this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
