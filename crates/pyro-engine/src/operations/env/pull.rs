//! `env pull`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::environment;
use crate::operation::{Effect, Operation};
use crate::operations::vm;
use crate::pull_choice;
use crate::request::path_text;
use crate::{Context, Engine, Error};

/// Install an environment, or check that it is installed
///
/// An environment of the catalog is built from the Debian archive for which the host's apt is
/// configured; this takes about half a minute. Another name is that of an image: of a registry
/// (`docker.io/library/alpine:3.20`), in a file or directory (`docker-archive:FILE[:TAG]`,
/// `oci-archive:FILE[:TAG]`, `oci-layout:DIRECTORY[:TAG]`), or of Docker or Podman on this host
/// (`docker:NAME`, `podman:NAME`). What is complete and unaltered is not made again.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(
    after_help = "Examples:\n  pyro env pull debian:12\n  pyro env pull debian:12-build --json\n  \
                  pyro env pull docker-archive:app.tar"
)]
pub struct Pull {
    /// Environment to install, for example `debian:12`
    pub environment: String,
    /// Whether to ask what the name of an image stands for now: `always`; `missing`, only if that is
    /// not known yet; `never`, and fail if it is not installed. It does not matter to the catalog
    #[arg(long, default_value_t = pull_choice::always(), value_name = "WHEN", value_parser = pull_choice::CHOICES)]
    #[serde(default = "pull_choice::always")]
    #[schemars(extend("enum" = pull_choice::CHOICES))]
    pub pull: String,
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
        let policy = pull_choice::policy(&self.pull)?;
        let policy = permissions.pull_policy(&self.environment, policy);
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
