//! `env list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// List the environments that can be booted and whether each is installed
#[derive(Clone, Debug, Default, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env list\n  pyro env list --json")]
pub struct List {}

/// The environments.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct EnvironmentList {
    /// Version of the catalog.
    pub catalog_version: String,
    /// The environments, by name.
    pub environments: Vec<Environment>,
}

impl Operation for List {
    const NAME: &'static str = "vm_list_environments";
    const COMMAND: &'static [&'static str] = &["env", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = EnvironmentList;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<EnvironmentList, Error> {
        Ok(EnvironmentList {
            catalog_version: pyro_environment::CATALOG_VERSION.into(),
            environments: engine
                .environments
                .statuses()?
                .into_iter()
                .map(Into::into)
                .collect(),
        })
    }
}
