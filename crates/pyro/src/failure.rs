//! A *failure* of a command that is not an operation.

/// The error message.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) cause: Option<String>,
    pub(crate) remedy: Option<String>,
}

impl From<pyro_engine::Error> for Failure {
    fn from(error: pyro_engine::Error) -> Self {
        Self {
            message: error.message,
            cause: error.cause,
            remedy: error.remedy,
        }
    }
}

impl From<pyro_mcp::Error> for Failure {
    fn from(error: pyro_mcp::Error) -> Self {
        if let pyro_mcp::Error::Engine(error) = error {
            return error.into();
        }
        let cause = std::error::Error::source(&error);
        Self {
            message: error.to_string(),
            cause: cause.map(ToString::to_string),
            remedy: Some(error.remedy().into()),
        }
    }
}
