//! The *engine* is pyro without a frontend: a table of [operations](operation), each one typed
//! request, one typed response and one function. The command line, the MCP server and the Python
//! package read the table; none of them has a rule of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), pyro_engine::Error> {
//! use pyro_engine::{Config, Context, Engine};
//!
//! let engine = Engine::open(Config::from_variables(|name| std::env::var_os(name))?)?;
//! let run = pyro_engine::operations::find("vm_run").expect("the table has it");
//! let request = serde_json::json!({"environment": "debian:12", "command": "uname -r"});
//! let result = engine.call(run, request, Context::default()).await?;
//! # Ok(()) }
//! ```
//!
//! `docs/glossary.md` defines the words.

mod build;
mod code;
mod command;
mod command_line;
mod command_options;
mod comparison;
mod config;
mod context;
mod detached;
mod disk_limit;
mod engine;
mod environment;
mod error;
mod export;
pub mod hints;
mod instance;
mod left_out;
mod lenient;
mod network_policy;
mod off_thread;
pub mod operation;
pub mod operations;
mod output;
mod parking;
mod permissions;
mod port_rule;
mod pull;
mod pull_choice;
mod redactor;
mod registries;
mod request;
mod secrets;
mod signal;
mod talk;
mod temporary_machine;
pub mod tool;
mod transcript;
mod transfer;
pub mod variables;

pub use code::ErrorCode;
pub use command_options::Variables;
pub use config::{Config, PARK_COMMAND, SUPERVISE_COMMAND};
pub use context::{Context, Event, Listener, OutputStreams, Terminal};
pub use engine::{Engine, VERSION};
pub use error::{Error, ErrorKind};
pub use output::CommandOutput;
pub use permissions::{HOST_COMPAT, HostDirectories, Permissions};
pub use port_rule::PortRule;
pub use pyro_chat::Key;
pub use pyro_environment::Progress;
pub use pyro_machine::TerminalSize;
pub use pyro_machine::{
    AcceleratorChoice, AllowList, Piece, Start, check_open_files, close_on_exec, descriptor,
    octets, raise_limits,
};
pub use secrets::{SecretGiven, SecretKind, SecretVariables, SecretsGiven};
pub use talk::Talk;

use operation::Entry;
use parking::Parked;
use pyro_environment::Environments;
use pyro_machine::Machines;
use serde_json::Value;

impl Engine {
    /// Opens the engine. Creates nothing; removes the files of machines without an owner.
    ///
    /// # Errors
    /// When other users can write to its directories.
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
            environments: Environments::new(config.cache_dir.clone(), config.registries.settings()),
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

    /// Keeps a parked machine, as the input of [`PARK_COMMAND`] describes it, and returns when it
    /// was used or its time is over.
    ///
    /// # Errors
    /// When the description is invalid, or the machine does not start.
    pub async fn keep_parked(description: &str) -> Result<(), Error> {
        let parked = Parked::read(description)?;
        Self::open(parked.config)?.park(&parked.spec).await
    }

    /// Supervises an instance, as the input of [`SUPERVISE_COMMAND`] describes it, and returns at
    /// its end. Events of its start are written to `news`, which is closed when it runs.
    ///
    /// # Errors
    /// When the description is invalid, or the VM does not start.
    pub async fn supervise(
        description: &str,
        news: impl std::io::Write + Send,
    ) -> Result<(), Error> {
        let description = instance::Description::read(description)?;
        let engine = Self::open(description.config.clone())?;
        instance::supervise(&engine, &description, news).await
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

/// For fuzzers only: parses a line as a supervisor does, and as its client does.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn fuzz_supervisor_line(line: &[u8]) {
    instance::fuzz_line(line);
}
