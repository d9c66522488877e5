//! The `pyro-dev` program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use pyro_dev::bench::steady::Steady;
use pyro_dev::soak::Soak;
use pyro_dev::{Error, Report, bench, generate};

/// The number of rounds for computing programs in the whole benchmark: a round takes most of a
/// minute.
const STEADY_COUNT: u32 = 5;

/// Tools for developers of pyro
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo run -p pyro-dev -- generate --check
  cargo run --release -p pyro-dev -- bench --count 20
  cargo run --release -p pyro-dev -- soak --count 1000")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write docs/reference from the definitions in the code
    Generate {
        /// Only list the files that differ, and fail if there are any
        #[arg(long)]
        check: bool,
    },
    /// Measure whole runs, and other programs for comparison if they are installed
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        #[command(subcommand)]
        one: Option<Bench>,
        /// Number of measurements
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Directory with another QEMU, which alternates with the installed one in measurements of
        /// computing programs
        #[arg(long = "qemu", value_name = "DIRECTORY")]
        other_qemus: Vec<PathBuf>,
        /// Also write docs/benchmarks.md and the table in README.md
        #[arg(long)]
        write: bool,
        #[command(flatten)]
        program: Program,
    },
    /// Run many machines, several at a time, and fail if one hangs, fails or leaves something
    /// behind
    Soak {
        /// How many
        #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// Number of concurrent runs
        #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        parallel: u32,
        /// Number of threads that compute meanwhile, so that machines have to wait for a processor
        #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1000))]
        busy: u32,
        /// Environment to run in
        #[arg(long, default_value = "debian:12", value_name = "NAME")]
        environment: String,
        /// Seconds after which a run counts as hanging
        #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
        #[command(flatten)]
        program: Program,
    },
}

#[derive(Debug, clap::Args)]
struct Program {
    /// Program to test [default: the one beside this one]
    #[arg(long = "pyro", value_name = "PATH")]
    path: Option<PathBuf>,
}

impl Program {
    fn path(self) -> Result<PathBuf, Error> {
        match self.path {
            Some(path) => Ok(path),
            None => Ok(std::env::current_exe()?.with_file_name("pyro")),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Measure how fast programs compute in a running machine, compared with the host, podman and
    /// runsc
    Steady {
        /// Number of measurements
        #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Directory with another QEMU, which alternates with the installed one
        #[arg(long = "qemu", value_name = "DIRECTORY")]
        other_qemus: Vec<PathBuf>,
        /// Also write the section in docs/benchmarks.md and in README.md
        #[arg(long)]
        write: bool,
        #[command(flatten)]
        program: Program,
    },
    /// Measure workspaces: transfers of files, differences, published ports
    Workspaces {
        /// Number of measurements
        #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Environment of the workspaces
        #[arg(long, default_value = "debian:12", value_name = "NAME")]
        environment: String,
        #[command(flatten)]
        program: Program,
    },
    /// Measure cold starts: a machine is booted, runs `true` and is discarded
    Cold {
        /// Number of measurements
        #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Environment to boot
        #[arg(long, default_value = "debian:12", value_name = "NAME")]
        environment: String,
        #[command(flatten)]
        program: Program,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(report) => {
            // The reader of our output is gone and does not want the rest.
            let _ = write!(std::io::stdout(), "{}", report.text);
            if report.good {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the report.
fn run(command: Command) -> Result<Report, Error> {
    match command {
        Command::Generate { check: true } => {
            generate::check(&root())?;
            Ok(Report::good("the reference is up to date\n"))
        }
        Command::Generate { check: false } => {
            let mut written = generate::write(&root())?;
            written.push(String::new());
            Ok(Report::good(written.join("\n")))
        }
        Command::Bench {
            one:
                Some(Bench::Cold {
                    count,
                    environment,
                    program,
                }),
            ..
        } => bench::cold::measure(count, &environment, &program.path()?, print_line)
            .map(Report::good),
        Command::Bench {
            one:
                Some(Bench::Workspaces {
                    count,
                    environment,
                    program,
                }),
            ..
        } => bench::workspaces::alone(count, &environment, &program.path()?).map(Report::good),
        Command::Bench {
            one:
                Some(Bench::Steady {
                    count,
                    other_qemus,
                    write,
                    program,
                }),
            ..
        } => steady(count, &other_qemus, write, &program.path()?),
        Command::Bench {
            one: None,
            count,
            other_qemus,
            write,
            program,
        } => {
            let path = program.path()?;
            let report = bench::all::measure(count, &path, print_line)?;
            if write {
                std::fs::write(root().join("docs/benchmarks.md"), &report)?;
            }
            let steady = steady(count.min(STEADY_COUNT), &other_qemus, write, &path)?;
            Ok(Report::good(report + "\n" + &steady.text))
        }
        Command::Soak {
            count,
            parallel,
            busy,
            environment,
            limit,
            program,
        } => {
            let config = pyro_engine::Config::from_variables(|name| std::env::var_os(name))?;
            let soak = Soak {
                count,
                parallel,
                busy,
                environment: &environment,
                limit: Duration::from_secs(limit),
                templates: &config.cache_dir.join("templates"),
            };
            soak.run(&program.path()?, print_line)
        }
    }
}

/// Measures the steady state, and writes the result to the documents.
fn steady(count: u32, other_qemus: &[PathBuf], write: bool, pyro: &Path) -> Result<Report, Error> {
    let steady = Steady {
        count,
        pyro,
        other_qemus,
    };
    let found = steady.measure(print_line)?;
    if write {
        let (report, readme) = (root().join("docs/benchmarks.md"), root().join("README.md"));
        let text = std::fs::read_to_string(&report)?;
        std::fs::write(&report, bench::steady::with_section(&text, &found.section))?;
        let text = std::fs::read_to_string(&readme)?;
        std::fs::write(&readme, bench::steady::with_summary(&text, &found.summary)?)?;
    }
    Ok(Report::good(found.section))
}

fn print_line(line: &str) {
    // Ignores a closed stream.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The root of the source tree this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
