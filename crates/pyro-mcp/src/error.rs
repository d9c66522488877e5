//! The *error* of a server that cannot start, or of a registration that cannot be made. What goes
//! wrong in a call is the engine's error, which the client gets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why there is no server, or no registration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine cannot be had.
    #[error("{0}")]
    Engine(#[from] pyro_engine::Error),
    /// The process cannot have what every server needs.
    #[error("cannot {action}")]
    Resource {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Whoever reaches the address could run commands.
    #[error("{address} can be reached from other machines, and no token was given")]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The token is too short, or cannot be sent in a header.
    #[error("the token must be {least} or more printable ASCII characters without spaces")]
    Token {
        /// The shortest one.
        least: usize,
    },
    /// A host's configuration is not what the host itself could read.
    #[error("{} is not the {format} that {host} reads: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// Who reads it.
        host: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A host's configuration cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
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
