//! *Resources* are what an operation knows under an address.

use std::fmt;
use std::io;
use std::pin::Pin;

use rmcp::model::{ResourceContents, ResourceTemplate};
use serde_json::Value;

/// Resources with addresses of one form, which are read with one operation.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// The operation. Where it is no tool, there are no such resources either.
    pub operation: &'static str,
    /// How clients make their addresses.
    pub template: fn() -> ResourceTemplate,
    /// What is at an address; nothing if it is none of theirs.
    pub at: fn(uri: &str) -> Option<Box<dyn Readable>>,
}

/// What is at an address, before it is read.
pub trait Readable: fmt::Debug + Send + Sync {
    /// What the operation is asked for.
    fn request(&self) -> Value;

    /// What is at the address `uri`, by the operation's answer.
    fn contents<'a>(&'a self, uri: &'a str, answer: &'a Value) -> Contents<'a>;
}

/// The contents of a resource, to be waited for.
pub type Contents<'a> = Pin<Box<dyn Future<Output = io::Result<ResourceContents>> + Send + 'a>>;
