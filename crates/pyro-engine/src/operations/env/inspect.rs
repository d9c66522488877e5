//! `env inspect`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Show what an environment consists of and where it is installed
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env inspect debian:12\n  \
                        pyro env inspect debian:12-build --json")]
pub struct Inspect {
    /// Environment to show, for example `debian:12`
    pub environment: String,
}

impl Operation for Inspect {
    const NAME: &'static str = "env_inspect";
    const COMMAND: &'static [&'static str] = &["env", "inspect"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Environment;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Environment, Error> {
        Ok(engine.environments.status(&self.environment)?.into())
    }
}
