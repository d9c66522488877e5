//! The *MCP face*: the engine's operations as the tools of an agent. What a tool is called, takes,
//! returns and does comes from the [table](pyro_engine::operations::OPERATIONS); what is decided
//! here is only what the protocol has and other faces have not: which tools a client is shown,
//! how much output it can take, and how news of a call reaches it.
//!
//! The library prints nothing and reads no variable; a program hands it its streams and settings.
//!
//! The words are in `docs/glossary.md`.

mod body;
mod calls;
mod completion;
mod error;
mod guidance;
mod http_transport;
mod id;
mod lines;
mod log;
mod message;
mod output;
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
mod tool;

pub use error::Error;
pub use http_transport::{Endpoint, HttpServer};
pub use profile::Profile;
pub use prompt::{Arguments, Prompt};
pub use registration::{Directories, Host, Registration, Scope};
pub use resources::{Contents, Readable, Resources};
pub use server::Offer;
pub use stdio::{Stdio, serve_stdio};
pub use tool::{Tool, definitions};
