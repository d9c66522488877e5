//! `workspace shell list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shell;
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// List the shells of a workspace, including those that have ended
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace shell list 0123456789ab")]
pub struct List {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// The shells of a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Shells {
    /// The workspace.
    pub workspace_id: String,
    /// How many there are.
    pub count: usize,
    /// How many of them are running.
    pub running_count: usize,
    /// The shells, the oldest first.
    pub shells: Vec<Shell>,
}

impl Operation for List {
    const NAME: &'static str = "shell_list";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Shells;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Shells, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let records = found.shells().all().into_iter();
        let shells: Vec<_> = records.map(|record| Shell::of(&found, record)).collect();
        Ok(Shells {
            workspace_id: self.workspace_id,
            count: shells.len(),
            running_count: shells.iter().filter(|shell| shell.runs()).count(),
            shells,
        })
    }
}
