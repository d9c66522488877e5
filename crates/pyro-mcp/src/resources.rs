//! *Resources*: data of an operation under an address.

use std::fmt;
use std::io;
use std::pin::Pin;

use rmcp::model::{ResourceContents, ResourceTemplate};
use serde_json::Value;

/// Resources with addresses of one form, which one operation reads.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// The operation. If it is not a tool, these resources are not offered either.
    pub operation: &'static str,
    /// Returns the template for their addresses.
    pub template: fn() -> ResourceTemplate,
    /// Parses an address; `None` if it does not have this form.
    pub at: fn(uri: &str) -> Option<Box<dyn Readable>>,
}

/// A resource that has not been read yet.
pub trait Readable: fmt::Debug + Send + Sync {
    /// Returns the request to the operation.
    fn request(&self) -> Value;

    /// Returns the contents at the address `uri` from the operation's answer.
    fn contents<'a>(&'a self, uri: &'a str, answer: &'a Value) -> Contents<'a>;
}

/// The future contents of a resource.
pub type Contents<'a> = Pin<Box<dyn Future<Output = io::Result<ResourceContents>> + Send + 'a>>;
