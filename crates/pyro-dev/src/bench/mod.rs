//! *Benches*: each measures promises of `SPECIFICATION.md` and reports tables in Markdown, with
//! what they were measured on.

use pyro_engine::{Config, Engine};

use crate::Error;

pub mod all;
pub mod cold;
mod containers;
mod host;
mod idle;
mod phases;
mod ports;
mod statistics;
pub mod steady;
pub mod workspaces;

pub use host::Host;
pub use statistics::{Samples, Table};

/// Opens the engine as the program does.
fn engine() -> Result<Engine, Error> {
    let config = Config::from_variables(|name| std::env::var_os(name))?;
    Ok(Engine::open(config)?)
}
