//! `env pull`

use pyro_environment::PullPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::environment;
use crate::operation::{Effect, Operation};
use crate::operations::vm;
use crate::request::path_text;
use crate::{Context, Engine, Error};

/// Install an environment, or check that it is installed
///
/// The environment is built from the Debian archive for which the host's apt is configured; this
/// takes about half a minute. A complete and unaltered environment is not built again.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(
    after_help = "Examples:\n  pyro env pull debian:12\n  pyro env pull debian:12-build --json"
)]
pub struct Pull {
    /// Environment to install, for example `debian:12`
    pub environment: String,
}

/// An installed environment.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Pulled {
    /// Its description.
    #[serde(flatten)]
    pub environment: Environment,
    /// Its kernel.
    pub kernel_image: String,
    /// The image of its root file system.
    pub rootfs_image: String,
    /// The source from which it was built.
    pub source: String,
}

impl Operation for Pull {
    const NAME: &'static str = "env_pull";
    const COMMAND: &'static [&'static str] = &["env", "pull"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    const OPEN_WORLD: bool = true;
    type Output = Pulled;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Pulled, Error> {
        let permissions = &context.permissions;
        let policy = permissions.pull_policy(&self.environment, PullPolicy::Always);
        let ready =
            environment::ready(engine, &context.listener, &self.environment, policy).await?;
        vm::prepare_template(engine, &ready).await;
        Ok(Pulled {
            environment: engine.environments.status(&self.environment)?.into(),
            kernel_image: path_text(&ready.kernel),
            rootfs_image: path_text(&ready.rootfs),
            source: ready.source,
        })
    }
}
