//! The *MCP frontend*: the engine's operations as the tools of an agent. The names, parameters,
//! results and effects of tools come from the [table](pyro_engine::operations::OPERATIONS); only
//! what other frontends do not have is decided here: which tools a client is shown, how much output
//! it can take, and how a call's progress reaches it.
//!
//! The library prints nothing and reads no variable; the program passes its streams and settings.
//!
//! `docs/glossary.md` defines the words.

mod body;
mod calls;
mod completion;
mod consent;
mod error;
mod guidance;
mod http_transport;
mod id;
mod lines;
mod log;
mod message;
mod output;
mod output_limit;
mod pending;
mod profile;
mod progress;
mod prompt;
mod registration;
mod resources;
mod roots;
mod server;
mod sessions;
mod stdio;
mod tasks;
mod tool;
mod workspace_task;

pub use error::Error;
pub use http_transport::{Endpoint, HttpServer};
pub use profile::Profile;
pub use prompt::{Arguments, Prompt};
pub use registration::{Directories, Host, Registration, Scope};
pub use resources::{Contents, Readable, Resources};
pub use server::Offer;
pub use stdio::{Stdio, serve_stdio};
pub use tool::{Tool, definitions};
