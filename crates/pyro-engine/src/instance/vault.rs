//! The *vault* of a supervised VM holds its secrets, in memory only.

use std::sync::Arc;

use pyro_machine::{Answer, Call, Streams, SupervisedMachine};

use crate::Error;
use crate::command_options::CommandOptions;
use crate::redactor::{Forms, Redactor};
use crate::secrets::Secrets;

/// The secrets of one VM.
#[derive(Debug, Default)]
pub(super) struct Vault {
    secrets: Secrets,
    forms: Arc<Forms>,
}

impl Vault {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            forms: Arc::new(Forms::of(&secrets.0)),
            secrets,
        }
    }

    /// Writes the secrets to files in the guest's memory.
    pub(super) async fn bring_to(&self, machine: &SupervisedMachine) -> Result<(), Error> {
        for (name, value) in &self.secrets.0 {
            let call = Call::KeepSecret {
                name: name.clone(),
                bytes: value.len() as u64,
            };
            let mut input = value.as_bytes();
            let streams = Streams {
                stdin: Some(&mut input),
                stdout: &mut tokio::io::sink(),
                stderr: &mut tokio::io::sink(),
                controls: None,
                started: None,
            };
            match machine.call(&call, streams).await? {
                Answer::SecretKept => {}
                other => {
                    return Err(Error::no_supervisor(&format!(
                        "unexpected answer {other:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The environment variables of a command, secrets among them.
    ///
    /// # Errors
    /// When there is no such secret.
    pub(super) fn env(&self, options: &CommandOptions) -> Result<Vec<(String, String)>, Error> {
        let mut env: Vec<_> = options.env.clone().into_iter().collect();
        for (secret, variable) in &options.secret_env {
            let value = self.secrets.0.get(secret);
            let value = value.ok_or_else(|| {
                let known: Vec<_> = self.secrets.0.keys().map(String::as_str).collect();
                Error::no_such_secret(secret, &known)
            })?;
            env.push((variable.clone(), value.clone()));
        }
        Ok(env)
    }

    /// Returns a filter that removes the secrets from one output.
    pub(super) fn redactor(&self) -> Redactor {
        Redactor::new(Arc::clone(&self.forms))
    }

    /// Removes the secrets from a text.
    pub(super) fn redact(&self, text: &str) -> String {
        self.forms.redact(text)
    }
}
