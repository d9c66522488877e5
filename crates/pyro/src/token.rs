//! The *token* that HTTP clients of the server must present, as configured by its operator.

use std::env::VarError;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pyro_engine::variables;

use crate::failure::Failure;

/// Reads it from a file that only its owner can access, or from the environment variable.
pub(crate) fn read(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else {
        return in_variable();
    };
    check_private(path)?;
    let token = std::fs::read_to_string(path).map_err(|error| Failure {
        message: format!("cannot read the token in {}", path.display()),
        cause: Some(error.to_string()),
        remedy: None,
    })?;
    Ok(Some(token.trim_end().to_owned()))
}

/// Returns the token of a variable. A value that is not UTF-8 is an error, not a missing token.
fn in_variable() -> Result<Option<String>, Failure> {
    match std::env::var(variables::MCP_TOKEN) {
        Ok(token) => Ok(Some(token)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure {
            message: format!("the token in {} is no text", variables::MCP_TOKEN),
            cause: None,
            remedy: Some("for example: head -c 32 /dev/urandom | base64".into()),
        }),
    }
}

/// Refuses a token file that others can read, or that belongs to another user.
fn check_private(path: &Path) -> Result<(), Failure> {
    let is = std::fs::metadata(path).map_err(|error| Failure {
        message: format!("cannot read the token in {}", path.display()),
        cause: Some(error.to_string()),
        remedy: None,
    })?;
    let own = is.uid() == rustix::process::geteuid().as_raw();
    let others = 0o077;
    if own && is.mode() & others == 0 {
        return Ok(());
    }
    Err(Failure {
        message: format!(
            "others can read the token in {}, or have made it",
            path.display()
        ),
        cause: Some(format!(
            "it belongs to user {} and has mode {:04o}",
            is.uid(),
            is.mode() & 0o7777
        )),
        remedy: Some(format!("chmod 600 {}, and own it", path.display())),
    })
}
