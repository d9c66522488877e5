//! `env remove`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::users::users;
use crate::operation::{Effect, Operation, ToolSet};
use crate::{Context, Engine, Error, Event};

/// Remove an installed environment from the cache
///
/// One that a workspace or a VM uses is not removed. An image that has several names goes with the
/// last of them, together with the layers that no other image has.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env remove debian:12-build\n  \
                        pyro env remove docker.io/library/alpine:3.20 --json")]
pub struct Remove {
    /// Environment to remove, for example `debian:12-build`
    pub environment: String,
}

/// What was removed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Removed {
    /// The environment.
    pub environment: String,
    /// Names of the removed directories, sorted; none if the image has other names.
    pub deleted_environment_dirs: Vec<String>,
    /// How many bytes are free again on the disk, about.
    pub freed_bytes: u64,
}

impl Operation for Remove {
    const NAME: &'static str = "env_remove";
    const COMMAND: &'static [&'static str] = &["env", "remove"];
    const EFFECT: Effect = Effect::Destructive;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Removed;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Removed, Error> {
        let users = users(engine, context);
        let name = &self.environment;
        let progress = |progress| {
            context.listener.report(Event::Building {
                environment: name.clone(),
                progress,
            });
        };
        let removed = engine.environments.remove(name, &users, &progress).await?;
        let mut deleted = removed.directories;
        deleted.extend(engine.machines.prune_templates());
        deleted.sort();
        Ok(Removed {
            environment: self.environment,
            deleted_environment_dirs: deleted,
            freed_bytes: removed.bytes,
        })
    }
}
