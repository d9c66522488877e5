//! The *error* of finding, fetching or reading an image.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Digest;

/// Why an image could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is not the name of an image.
    #[error("'{text}' is not the name of an image: {problem}")]
    Reference {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },

    /// The registry has no such image, or does not show it to this user.
    #[error("{registry} has no image '{image}'{}", or_login(*asks_for_login))]
    NotFound {
        /// The registry.
        registry: String,
        /// The image.
        image: String,
        /// Whether the registry answers so to whoever is not logged in.
        asks_for_login: bool,
    },

    /// The registry does not accept the user.
    #[error("{registry} refuses access to '{image}' ({status}){}", colon(said))]
    Refused {
        /// The registry.
        registry: String,
        /// The image.
        image: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said.
        said: String,
    },

    /// Too many requests.
    #[error("{registry} refuses more requests for now (429){}", colon(said))]
    RateLimited {
        /// The registry.
        registry: String,
        /// When it wants to be asked again, if it said so.
        retry_after: Option<Duration>,
        /// What the registry said.
        said: String,
    },

    /// The registry does not work.
    #[error("{registry} answered with status {status}{}", colon(said))]
    Status {
        /// The registry.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// When it wants to be asked again, if it said so.
        retry_after: Option<Duration>,
        /// What the registry said.
        said: String,
    },

    /// The registry could not be reached.
    #[error("cannot connect to {host}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why not.
        source: io::Error,
    },

    /// A connection ended, or what came over it was no HTTP.
    #[error("the connection to {host} broke")]
    Broken {
        /// The host.
        host: String,
        /// How.
        source: hyper::Error,
    },

    /// The registry sent less than the blob has, or not the part that was asked for.
    #[error("{host} sent less than it should")]
    Incomplete {
        /// The host.
        host: String,
    },

    /// Nothing came for too long.
    #[error("{host} sent nothing for {} s", limit.as_secs())]
    Silent {
        /// The host.
        host: String,
        /// How long.
        limit: Duration,
    },

    /// The registry sent a client somewhere it must not go.
    #[error("{registry} redirects to {target}: {problem}")]
    Redirect {
        /// The registry.
        registry: String,
        /// Where to.
        target: String,
        /// Why that is refused.
        problem: &'static str,
    },

    /// The registry asks for a login in a way that is not known or not safe.
    #[error("{registry} asks for a login in a way that cannot be followed: {problem}")]
    Challenge {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A file with credentials could not be used, or a helper that has them failed.
    #[error("the credentials for {registry} cannot be read: {problem}")]
    Credentials {
        /// The registry.
        registry: String,
        /// What is wrong, without anything secret.
        problem: String,
    },

    /// The image is only there for other platforms.
    #[error(
        "the image has nothing for linux/amd64, only for: {}",
        or_nothing(platforms)
    )]
    Platform {
        /// Those it is there for.
        platforms: Vec<String>,
    },

    /// The image is of a kind that is not known.
    #[error("{what} cannot be used")]
    Unsupported {
        /// What it is.
        what: String,
    },

    /// What came is not what its digest says.
    #[error("the content of {digest} arrived damaged: its digest is {found}")]
    Damaged {
        /// What was asked for.
        digest: Digest,
        /// What came.
        found: Digest,
    },

    /// The image contradicts itself.
    #[error("the image is not valid: {problem}")]
    Invalid {
        /// How.
        problem: String,
    },

    /// A document of the image is none.
    #[error("the {what} of the image cannot be read")]
    Document {
        /// Which one.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },

    /// An archive or a layout is none, is damaged, or does not have all of an image.
    #[error("{archive} has {problem}")]
    Archive {
        /// The archive.
        archive: String,
        /// What is wrong.
        problem: String,
    },

    /// An archive has no image of that name.
    #[error("{archive} has no image '{image}'; it has: {known}")]
    NotInArchive {
        /// The archive.
        archive: String,
        /// The name.
        image: String,
        /// The names of those that it has.
        known: String,
    },

    /// An archive has several images, any of which may be meant.
    #[error("{archive} has {count} images that may be meant; it has: {known}")]
    Several {
        /// The archive.
        archive: String,
        /// How many.
        count: usize,
        /// Their names.
        known: String,
    },

    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn unsupported(what: String) -> Self {
        Self::Unsupported { what }
    }

    pub(crate) fn invalid(problem: String) -> Self {
        Self::Invalid { problem }
    }

    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Returns a stable word for the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "image_name_invalid",
            Self::NotFound { .. } | Self::NotInArchive { .. } | Self::Several { .. } => {
                "image_not_found"
            }
            Self::Refused { .. } | Self::Challenge { .. } => "registry_refused",
            Self::RateLimited { .. } => "registry_rate_limited",
            Self::Status { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Incomplete { .. }
            | Self::Silent { .. }
            | Self::Redirect { .. } => "registry_unavailable",
            Self::Credentials { .. } => "registry_credentials_unusable",
            Self::Platform { .. } => "image_platform_missing",
            Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::Invalid { .. }
            | Self::Document { .. }
            | Self::Archive { .. } => "image_invalid",
            Self::Io { .. } => "cache_unusable",
        }
    }

    /// Returns what the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Reference { .. } => {
                "Write it as [HOST[:PORT]/]REPOSITORY[:TAG], for example docker.io/library/debian:12."
                    .into()
            }
            Self::NotFound {
                registry,
                asks_for_login: true,
                ..
            } => format!(
                "Check the name, or log in: `docker login {registry}` or `podman login {registry}`."
            ),
            Self::NotFound { .. } => "Check the name and the tag.".into(),
            Self::Refused { registry, .. } => format!(
                "Log in as somebody who may read it: `docker login {registry}` or `podman login {registry}`."
            ),
            Self::RateLimited { registry, .. } => format!(
                "Wait and try again; what was downloaded is kept. Whoever is logged in may often \
                 ask more: `docker login {registry}`."
            ),
            Self::Status { .. }
            | Self::Broken { .. }
            | Self::Incomplete { .. }
            | Self::Silent { .. } => {
                "Try again later; what was downloaded is kept.".into()
            }
            Self::Unreachable { host, .. } => format!(
                "Check the name, the network and the proxy. If {host} has a certificate of your own \
                 authority, put the authority's into /etc/docker/certs.d/{host}/ca.crt; if it has no \
                 TLS, name it in PYRO_INSECURE_REGISTRIES."
            ),
            Self::Redirect { .. } | Self::Challenge { .. } => {
                "Ask whoever runs the registry, or name another one.".into()
            }
            Self::Credentials { registry, .. } => format!(
                "Log in again: `docker login {registry}` or `podman login {registry}`."
            ),
            Self::Platform { .. } => "Use an image that was built for linux/amd64.".into(),
            Self::Unsupported { .. } => "Use another image or tag.".into(),
            Self::Damaged { .. } | Self::Invalid { .. } | Self::Document { .. } => {
                "Try again; if it stays so, the image has to be pushed again by whoever made it.".into()
            }
            Self::Archive { .. } => {
                "Write the archive again, for linux/amd64 and with all layers.".into()
            }
            Self::NotInArchive { .. } | Self::Several { .. } => {
                "Append the name of one of them after a colon, or its tag.".into()
            }
            Self::Io { .. } => "Check its permissions and the free space.".into(),
        }
    }

    /// Whether trying again right away may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Broken { .. }
            | Self::Incomplete { .. }
            | Self::Silent { .. }
            | Self::RateLimited { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 500 | 502 | 503 | 504),
            Self::Unreachable { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::UnexpectedEof
            ),
            _ => false,
        }
    }

    /// When the registry wants to be asked again, if it said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Status { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}

fn colon(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

fn or_login(asks_for_login: bool) -> &'static str {
    if asks_for_login {
        ", or shows it only to users who are logged in"
    } else {
        ""
    }
}

fn or_nothing(platforms: &[String]) -> String {
    if platforms.is_empty() {
        "nothing at all".into()
    } else {
        platforms.join(", ")
    }
}
