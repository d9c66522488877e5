//! The *engine* is what pyro does, without a face: a table of [operations](operation), each one
//! typed request, one typed response and one function. The command line, the MCP server and the
//! Python package read the table; none of them has a rule of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), pyro_engine::Error> {
//! use pyro_engine::{Config, Context, Engine};
//!
//! let engine = Engine::open(Config::from_variables(|name| std::env::var_os(name))?)?;
//! let run = pyro_engine::operation::find("vm_run").expect("the table has it");
//! let request = serde_json::json!({"environment": "debian:12", "command": "uname -r"});
//! let result = engine.call(run, request, Context::default()).await?;
//! # Ok(()) }
//! ```
//!
//! The words are in `docs/glossary.md`.

mod capture;
mod config;
mod context;
mod disk_limit;
mod error;
pub mod hints;
mod instance;
mod lenient;
pub mod operation;
pub mod operations;
mod permissions;
mod request;
mod talk;
pub mod tool;
mod transfer;
pub mod variables;

pub use capture::CommandOutput;
pub use config::{Config, PARK_COMMAND, SUPERVISE_COMMAND};
pub use context::{Context, Event, Listener, OutputStreams};
pub use error::{Error, ErrorKind};
pub use permissions::{HOST_COMPAT, HostDirectories, Permissions};
pub use pyro_chat::Key;
pub use pyro_environment::Progress;
pub use pyro_machine::{
    AcceleratorChoice, AllowList, Piece, Start, check_open_files, descriptor, octets,
    pass_nothing_on, raise_limits,
};
pub use talk::Talk;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use disk_limit::{DiskLimit, Exceeded};
use operation::Entry;
use pyro_environment::Environments;
use pyro_machine::{MachineSpec, Machines};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version that every face reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What operations run on: an environment cache and a place for machines.
#[derive(Debug)]
pub struct Engine {
    environments: Environments,
    machines: Machines,
    config: Config,
}

/// What the keeper of a parked machine is told.
#[derive(Debug, Deserialize, Serialize)]
struct Parked {
    spec: MachineSpec,
    config: Config,
}

impl Engine {
    /// Opens the engine. Creates nothing; removes what machines without an owner have left.
    ///
    /// # Errors
    /// When somebody else can write the directories it works in.
    pub fn open(config: Config) -> Result<Self, Error> {
        pyro_machine::check_open_files()?;
        for directory in [&config.base_dir, &config.cache_dir] {
            pyro_store::check_private_directory(directory)?;
        }
        let engine = Self {
            machines: Machines {
                template_dir: config.cache_dir.join("templates"),
                base_dir: config.base_dir.clone(),
                search_path: config.search_path.clone(),
                accelerator: config.accelerator,
                boot_limit: config.boot_limit,
                active_limit: config.active_limit,
                network_allow: config.network_allow.clone(),
                required_isolation: config.required_isolation.clone(),
            },
            environments: Environments::new(config.cache_dir.clone()),
            config,
        };
        let swept = engine.machines.sweep();
        if swept.removed > 0 {
            tracing::info!(
                swept.removed,
                swept.ended,
                "removed machines without an owner"
            );
        }
        engine.sweep_instances();
        Ok(engine)
    }

    /// Keeps a machine ahead of its use, as what [`PARK_COMMAND`] reads describes it, and returns
    /// when it was used or nobody came for it.
    ///
    /// # Errors
    /// When the description is none, or the machine does not come up.
    pub async fn keep_parked(description: &str) -> Result<(), Error> {
        let parked: Parked = serde_json::from_str(description)
            .map_err(|error| Error::malformed(PARK_COMMAND, &error))?;
        let engine = Self::open(parked.config)?;
        // While this process has one thread. What is parked has no network.
        pyro_machine::confine_keeper(false)
            .map_err(|error| Error::no_supervisor(&format!("it cannot be confined: {error}")))?;
        if engine.check_disk_limit().is_err() {
            // Who wants a machine is told.
            return Ok(());
        }
        let idle = engine.config.parked_idle;
        engine.machines.park(&parked.spec, idle).await?;
        Ok(())
    }

    /// Supervises a lasting VM, as what [`SUPERVISE_COMMAND`] reads describes it, and returns when
    /// it is over. News of its start is written to `news`, which is closed when it runs.
    ///
    /// # Errors
    /// When the description is none, or the VM does not come up.
    pub async fn supervise(
        description: &str,
        news: impl std::io::Write + Send,
    ) -> Result<(), Error> {
        instance::supervise(description, news).await
    }

    /// Refuses to begin what takes room when all machines take too much of the host's disk.
    pub(crate) fn check_disk_limit(&self) -> Result<(), Error> {
        DiskLimit::of(&self.config)
            .check()
            .map_err(Exceeded::refused)
    }

    /// Has the next machine of this kind prepared by a process of its own. That it cannot be is
    /// no reason to fail: the next one starts without.
    fn park_successor(&self, spec: &MachineSpec) {
        let Some(program) = &self.config.program else {
            return;
        };
        if self.config.start != Start::Restore || self.config.parked_idle.is_zero() {
            return;
        }
        let parked = Parked {
            spec: MachineSpec {
                network: false,
                ..spec.clone()
            },
            config: self.config.clone(),
        };
        let Ok(description) = serde_json::to_string(&parked) else {
            return;
        };
        match run_detached(
            &self.config,
            program,
            &[PARK_COMMAND],
            &description,
            Stdio::null(),
            Stdio::null(),
        ) {
            Ok(keeper) => reap(keeper),
            Err(error) => tracing::debug!(%error, "no successor is parked"),
        }
    }

    /// Runs one operation. When the context is cancelled, everything the operation started is
    /// ended before this returns.
    ///
    /// Must be awaited on a thread that lives as long as the operation: a VMM dies with the
    /// thread that started it.
    ///
    /// # Errors
    /// The operation's own, [`ErrorKind::InvalidInput`] where the request does not fit it, and
    /// [`ErrorKind::Cancelled`].
    pub async fn call(
        &self,
        entry: &Entry,
        request: Value,
        mut context: Context,
    ) -> Result<Value, Error> {
        context.permissions.check(&request)?;
        let cancelled = context.cancel.clone();
        tokio::select! {
            result = (entry.call)(self, request, &mut context) => result,
            () = cancelled.cancelled() => Err(Error::cancelled(entry.name)),
        }
    }
}

/// For fuzzers only: a supervisor hears a line, or its client does.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn fuzz_supervisor_line(line: &[u8]) {
    instance::fuzz_line(line);
}

/// Starts a process of ours that outlives this one, and is not of its terminal. What it is told
/// goes through its standard input: command lines are for all users of the host to see. Of our
/// environment it gets what it needs: the rest may hold secrets, and it may live long.
fn run_detached(
    config: &Config,
    program: &Path,
    words: &[&str],
    description: &str,
    stdout: Stdio,
    stderr: Stdio,
) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    pyro_machine::inherit_nothing(&mut command);
    let mut child = command
        .args(words)
        .env_clear()
        .envs(config.passed_on.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()?;
    let told = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(description.as_bytes()));
    if let Err(error) = told {
        // It has ended already, which its output says better.
        tracing::debug!(%error, "a process was not told what to do");
    }
    Ok(child)
}

/// Waits, in the background, for a process that may or may not outlive this one: as long as this
/// one lives, it is the only one who can.
fn reap(mut child: Child) {
    let wait = move || {
        let _ = child.wait();
    };
    let waiting = std::thread::Builder::new()
        .name("reaper".into())
        .stack_size(64 * 1024)
        .spawn(wait);
    if let Err(error) = waiting {
        tracing::debug!(%error, "a process is not waited for");
    }
}
