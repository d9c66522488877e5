//! `env prune`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Effect, Operation, ToolSet};
use crate::{Context, Engine, Error};

/// Remove cached environments, kernels and templates that are incomplete, damaged or outdated
///
/// A complete environment of the current catalog is never removed.
#[derive(Clone, Debug, Default, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env prune\n  pyro env prune --json")]
pub struct Prune {}

/// What was removed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Pruned {
    /// Names of the removed directories, sorted.
    pub deleted_environment_dirs: Vec<String>,
    /// How many were removed.
    pub count: usize,
}

impl Operation for Prune {
    const NAME: &'static str = "env_prune";
    const COMMAND: &'static [&'static str] = &["env", "prune"];
    const EFFECT: Effect = Effect::Destructive;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Pruned;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Pruned, Error> {
        let mut deleted = engine.environments.prune()?;
        deleted.extend(engine.machines.prune_templates());
        deleted.sort();
        Ok(Pruned {
            count: deleted.len(),
            deleted_environment_dirs: deleted,
        })
    }
}
