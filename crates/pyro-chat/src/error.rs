//! *Errors* of requests to a model's server.

use std::io;
use std::time::Duration;

/// Why a request to the model's server failed. Text from the server is escaped for display.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server's address is invalid.
    #[error("'{url}' is not the address of a model's server: {why}")]
    Address {
        /// The given address.
        url: String,
        /// The reason.
        why: &'static str,
    },
    /// The key cannot be sent. It is not shown.
    #[error("the API key has characters that cannot be sent in a header")]
    Key,
    /// No server accepts connections at the address.
    #[error("cannot connect to {authority}")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// The reason.
        source: io::Error,
    },
    /// The server did not answer in time.
    #[error("{what} did not come within {} s", limit.as_secs())]
    TimedOut {
        /// The awaited event.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before the reply did.
    #[error("the connection ended before the reply did")]
    CutOff {
        /// The reason, if known.
        source: Option<hyper::Error>,
    },
    /// The server does not speak HTTP.
    #[error("the server does not speak HTTP")]
    NotHttp {
        /// The reason.
        source: hyper::Error,
    },
    /// The server answered with an error status.
    #[error("the server answered with HTTP status {status}: {said}")]
    Refused {
        /// The status.
        status: u16,
        /// The server's message.
        said: String,
    },
    /// The server reported an error in its reply.
    #[error("the server failed: {said}")]
    Failed {
        /// The server's message.
        said: String,
    },
    /// The reply is longer than the limit.
    #[error("the reply is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// The reply is not JSON.
    #[error("the reply is not JSON but begins with {begins:?}")]
    NotJson {
        /// Its first characters.
        begins: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// The reply is JSON, but lacks a required field.
    #[error("the reply has no {missing}")]
    NotAReply {
        /// The missing field.
        missing: &'static str,
    },
}

impl Error {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "model_address_invalid",
            Self::Key => "model_key_invalid",
            Self::Unreachable { .. } => "model_unreachable",
            Self::TimedOut { .. } => "model_timed_out",
            Self::CutOff { .. } => "model_reply_cut_off",
            Self::Refused { .. } => "model_refused",
            Self::Failed { .. } => "model_failed",
            Self::TooLong { .. } => "model_reply_too_long",
            Self::NotHttp { .. } | Self::NotJson { .. } | Self::NotAReply { .. } => {
                "model_reply_invalid"
            }
        }
    }

    /// Whether the request is invalid.
    pub fn is_invalid_input(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Key)
    }

    /// What to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Address { .. } => "use an address such as http://localhost:11434/v1",
            Self::Key => "check the value of the environment variable PYRO_MODEL_API_KEY",
            Self::Unreachable { .. } => {
                "start the server, for example with `ollama serve`, or give its address with \
                 --base-url; proxies are not used"
            }
            Self::TimedOut { .. } => {
                "give the model more time with --timeout-seconds, or use a smaller one with --model"
            }
            Self::Refused {
                status: 401 | 403, ..
            } => "set PYRO_MODEL_API_KEY to the server's key",
            Self::Refused { status: 404, .. } => {
                "check --base-url, which ends in /v1 for most servers, and --model; Ollama gets a \
                 model with `ollama pull MODEL`"
            }
            Self::Refused { status: 400, .. } => {
                "if it is about tools, choose a model that supports them with --model"
            }
            Self::CutOff { .. } | Self::Refused { .. } | Self::Failed { .. } => {
                "check the log of the model's server"
            }
            Self::TooLong { .. } => "choose another model with --model",
            Self::NotHttp { .. } | Self::NotJson { .. } | Self::NotAReply { .. } => {
                "check that --base-url is the address of a server with OpenAI's chat completions API"
            }
        }
    }
}
