//! The *engine* is what pyro does, without a face: a table of [operations](operation), each one
//! typed request, one typed response and one function. The command line, the MCP server and the
//! Python package read the table; none of them has a rule of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), pyro_engine::Error> {
//! use pyro_engine::{Config, Context, Engine};
//!
//! let engine = Engine::open(Config::from_variables(|name| std::env::var_os(name))?);
//! let run = pyro_engine::operation::find("vm_run").expect("the table has it");
//! let request = serde_json::json!({"environment": "debian:12", "command": "uname -r"});
//! let result = engine.call(run, request, Context::default()).await?;
//! # Ok(()) }
//! ```

mod capture;
mod config;
mod context;
mod error;
pub mod operation;
pub mod operations;
mod request;
pub mod variables;

pub use config::Config;
pub use context::{Context, Event, Listener, OutputStreams};
pub use error::{Error, Kind};
pub use pyro_environment::Progress;
pub use pyro_machine::{AcceleratorChoice, Start};

use operation::Entry;
use pyro_environment::Environments;
use pyro_machine::Machines;
use serde_json::Value;

/// The version that every face reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What operations run on: an environment cache and a place for machines.
#[derive(Debug)]
pub struct Engine {
    environments: Environments,
    machines: Machines,
    start: Start,
}

impl Engine {
    /// Opens the engine. Creates nothing; removes what machines without an owner have left.
    pub fn open(config: Config) -> Self {
        let engine = Self {
            environments: Environments::new(config.cache_dir),
            machines: Machines {
                base_dir: config.base_dir,
                search_path: config.search_path,
                accelerator: config.accelerator,
                boot_limit: config.boot_limit,
            },
            start: config.start,
        };
        let swept = engine.machines.sweep();
        if swept.removed > 0 {
            tracing::info!(
                swept.removed,
                swept.ended,
                "removed machines without an owner"
            );
        }
        engine
    }

    /// Runs one operation. When the context is cancelled, everything the operation started is
    /// ended before this returns.
    ///
    /// Must be awaited on a thread that lives as long as the operation: a VMM dies with the
    /// thread that started it.
    ///
    /// # Errors
    /// The operation's own, [`Kind::InvalidInput`] where the request does not fit it, and
    /// [`Kind::Cancelled`].
    pub async fn call(
        &self,
        entry: &Entry,
        request: Value,
        mut context: Context,
    ) -> Result<Value, Error> {
        let cancelled = context.cancel.clone();
        tokio::select! {
            result = (entry.call)(self, request, &mut context) => result,
            () = cancelled.cancelled() => Err(Error::cancelled(entry.name)),
        }
    }
}
