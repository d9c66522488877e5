//! Why there is no reply.

use std::io;
use std::time::Duration;

/// Why there is no reply. What the server said is part of it, made fit to be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server's address is none.
    #[error("'{url}' is not the address of a model's server: {why}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key cannot be sent. It is not shown.
    #[error("the API key has characters that cannot be sent in a header")]
    Key,
    /// Nobody answers at the address.
    #[error("cannot connect to {authority}")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("{what} did not come within {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The connection ended before the reply did.
    #[error("the connection ended before the reply did")]
    CutOff {
        /// Why, if that is known.
        source: Option<hyper::Error>,
    },
    /// Whatever answers is no server of the web.
    #[error("what answers there does not speak HTTP")]
    NotHttp {
        /// What is wrong with it.
        source: hyper::Error,
    },
    /// The server answered, but with no reply.
    #[error("the server answered with HTTP status {status}: {said}")]
    Refused {
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The server said in its reply that it failed.
    #[error("the server failed: {said}")]
    Failed {
        /// What it said.
        said: String,
    },
    /// The reply has no end.
    #[error("the reply is longer than {limit_bytes} bytes")]
    TooLong {
        /// What is taken.
        limit_bytes: usize,
    },
    /// What came is not JSON.
    #[error("the reply is not JSON but begins with {begins:?}")]
    NotJson {
        /// Its first characters.
        begins: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is JSON, but not of the protocol.
    #[error("the reply has no {missing}")]
    NotAReply {
        /// What should be there.
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

    /// Whether the request cannot have been meant.
    pub fn is_invalid_input(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Key)
    }

    /// What to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Address { .. } => "give one such as http://localhost:11434/v1",
            Self::Key => "check the value of the variable that holds it",
            Self::Unreachable { .. } => {
                "start the server, for example with `ollama serve`, or give its address with \
                 --base-url; proxies are not used"
            }
            Self::TimedOut { .. } => {
                "give the model more time with --timeout-seconds, or take a smaller one with --model"
            }
            Self::Refused {
                status: 401 | 403, ..
            } => "give the server's key; `pyro demo ollama --help` says how",
            Self::Refused { status: 404, .. } => {
                "check --base-url, which ends in /v1 for most servers, and --model; Ollama gets a \
                 model with `ollama pull MODEL`"
            }
            Self::Refused { status: 400, .. } => {
                "if it is about tools, choose a model that supports them with --model"
            }
            Self::CutOff { .. } | Self::Refused { .. } | Self::Failed { .. } => {
                "look into the log of the model's server"
            }
            Self::TooLong { .. } => "choose another model with --model",
            Self::NotHttp { .. } | Self::NotJson { .. } | Self::NotAReply { .. } => {
                "check with --base-url that this is a server of OpenAI's chat completions"
            }
        }
    }
}
