//! The *error* of a server that cannot start, or of a registration that fails. Errors of calls are
//! the engine's, and are sent to the client.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server or a registration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine could not be opened.
    #[error("{0}")]
    Engine(#[from] pyro_engine::Error),
    /// The process lacks a resource that every server needs.
    #[error("cannot {action}")]
    Resource {
        /// The action.
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// Anyone who can reach the address could run commands.
    #[error("{address} can be reached from other machines, and no token was given")]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The token is too short, or cannot be sent in a header.
    #[error("the token must be {least} or more printable ASCII characters without spaces")]
    Token {
        /// The minimum length.
        least: usize,
    },
    /// The host could not read its own configuration.
    #[error("{} is not the {format} that {host} reads: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The expected format.
        format: &'static str,
        /// The host.
        host: &'static str,
        /// The error.
        reason: String,
    },
    /// A host's configuration cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Error {
    /// What to do next.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Engine(error) => error.remedy.as_deref().unwrap_or_default(),
            Self::Resource { .. } => "look at the limits of this process: `ulimit -a`",
            Self::Listen { .. } => "choose another address or port with --listen",
            Self::Exposed { .. } => {
                "give a token with --token-file or PYRO_MCP_TOKEN, or listen on 127.0.0.1"
            }
            Self::Token { .. } => "for example: head -c 32 /dev/urandom | base64 > token",
            Self::Unreadable { .. } => {
                "nothing was changed; add what the command prints without --write by hand"
            }
            Self::File { .. } => "nothing was changed; look at the file and its directory",
        }
    }
}
