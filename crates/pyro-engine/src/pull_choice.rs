//! The *choice* of a caller when an environment is pulled: a word of a request.

use pyro_environment::PullPolicy;

use crate::Error;

/// The words.
pub(crate) const CHOICES: [&str; 3] = ["always", "missing", "never"];

/// The default where an environment is only needed.
pub(crate) fn missing() -> String {
    "missing".into()
}

/// The default where it is asked for by name.
pub(crate) fn always() -> String {
    "always".into()
}

/// Reads a word.
pub(crate) fn policy(word: &str) -> Result<PullPolicy, Error> {
    match word {
        "always" => Ok(PullPolicy::Always),
        "missing" => Ok(PullPolicy::Missing),
        "never" => Ok(PullPolicy::Never),
        _ => Err(Error::invalid(format!(
            "pull must be one of: {}",
            CHOICES.join(", ")
        ))),
    }
}
