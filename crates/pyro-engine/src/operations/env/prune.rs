//! `env prune`

use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::users::users;
use crate::build::StepCache;
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::request::within;
use crate::{Context, Engine, Error};

const UNUSED_DAYS: RangeInclusive<i64> = 1..=3650;
const SECONDS_OF_A_DAY: u64 = 24 * 3600;

/// Remove cached environments, kernels and templates that are incomplete, damaged or outdated
///
/// So are images that have no name any more, layers that no image needs, and what interrupted pulls
/// have left, and steps of builds that were not used for 14 days. What a workspace or a VM uses is never removed, nor is a complete environment, unless
/// --unused-days asks for it.
#[derive(Clone, Debug, Default, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env prune\n  pyro env prune --unused-days 30 --json")]
pub struct Prune {
    /// Also remove environments that were not used for so many days, 1 to 3650
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    pub unused_days: Option<i64>,
}

/// What was removed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Pruned {
    /// Names of the removed directories, sorted.
    pub deleted_environment_dirs: Vec<String>,
    /// How many were removed.
    pub count: usize,
    /// How many bytes are free again on the disk, about, without those of templates.
    pub freed_bytes: u64,
}

impl Operation for Prune {
    const NAME: &'static str = "env_prune";
    const COMMAND: &'static [&'static str] = &["env", "prune"];
    const EFFECT: Effect = Effect::Destructive;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Pruned;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Pruned, Error> {
        let unused_for = match self.unused_days {
            None => None,
            Some(days) => {
                let days: u64 = within("unused_days", days, &UNUSED_DAYS)?;
                Some(Duration::from_secs(days * SECONDS_OF_A_DAY))
            }
        };
        let users = users(engine, context);
        let environments = engine.environments.clone();
        let removed = off_thread(move || environments.prune(&users, unused_for)).await?;
        let steps = StepCache::new(engine.environments.cache_dir());
        let (steps, bytes) = off_thread(move || steps.prune(unused_for)).await?;
        let mut deleted = removed.directories;
        deleted.extend(steps);
        deleted.extend(engine.machines.prune_templates());
        deleted.sort();
        Ok(Pruned {
            count: deleted.len(),
            deleted_environment_dirs: deleted,
            freed_bytes: removed.bytes + bytes,
        })
    }
}
