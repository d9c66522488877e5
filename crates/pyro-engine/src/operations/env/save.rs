//! `env save`

use pyro_environment::{Environments, Process, PullPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::environment;
use crate::instance::{Beside, InstanceKind, Reader};
use crate::operation::{Effect, Operation, ToolSet};
use crate::operations::vm;
use crate::{Context, Engine, Error};

/// Save a workspace as an environment of this host
///
/// The environment has the root file system of the workspace as it is now, with everything that was
/// installed, written and left there, and is called `local:NAME`. The workspace goes on, and may be
/// deleted afterwards. What is in the memory of its machine is not saved, such as processes, secrets
/// and the contents of /run. If the name stands for another environment already, that one keeps only
/// its digest as a name.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro env save 0123456789ab mine\n  \
                        pyro run local:mine -- make test\n  \
                        pyro workspace create local:mine --seed-path .")]
pub struct Save {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the environment: lower-case letters, digits, `.`, `_`, `-`, `/` and `:`
    pub name: String,
}

/// An environment that was saved.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Saved {
    /// Its description.
    #[serde(flatten)]
    pub environment: Environment,
    /// The workspace.
    pub workspace_id: String,
    /// How many files, directories, links and other entries it has.
    pub entry_count: u64,
    /// How many sockets were left out.
    pub left_out_count: u64,
}

impl Operation for Save {
    const NAME: &'static str = "env_save";
    const COMMAND: &'static [&'static str] = &["env", "save"];
    const EFFECT: Effect = Effect::Mutating;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Saved;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Saved, Error> {
        let name = Environments::name_to_save(&self.name)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let listener = &context.listener;
        listener.phase("save", "read", ("workspace_id", &self.workspace_id));
        let base = &found.record.environment;
        let reader = Reader::start(engine, &found, Self::NAME, Beside::Running, listener).await?;
        let base = environment::ready(engine, listener, base, PullPolicy::Never).await?;
        let process = base
            .image
            .map_or_else(Process::default, |image| image.process);
        let machine = reader.into_machine();
        let saved = environment::save(engine, listener, machine, "save", &name, process).await?;
        let ready = environment::ready(engine, listener, &name, PullPolicy::Missing).await?;
        vm::prepare_template(engine, &ready).await;
        Ok(Saved {
            environment: engine.environments.status(&name)?.into(),
            workspace_id: self.workspace_id,
            entry_count: saved.entries,
            left_out_count: saved.left_out,
        })
    }
}
