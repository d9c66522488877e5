//! `workspace snapshot list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Snapshot, baseline, named};
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// List the snapshots of a workspace
///
/// The first one, `baseline`, has the files that the workspace began with; the others follow, the
/// newest first.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace snapshot list 0123456789ab --json")]
pub struct List {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// The snapshots of a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Snapshots {
    /// The workspace.
    pub workspace_id: String,
    /// How many there are.
    pub count: usize,
    /// `baseline`, then the other snapshots, the newest first.
    pub snapshots: Vec<Snapshot>,
}

impl Operation for List {
    const NAME: &'static str = "snapshot_list";
    const COMMAND: &'static [&'static str] = &["workspace", "snapshot", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Snapshots;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Snapshots, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let mut others: Vec<_> = found
            .snapshots()
            .iter()
            .map(|(name, record)| named(&found, name, record))
            .collect();
        others.sort_by(|one, other| other.created_at.total_cmp(&one.created_at));
        let mut snapshots = vec![baseline(&found)];
        snapshots.extend(others);
        Ok(Snapshots {
            workspace_id: self.workspace_id,
            count: snapshots.len(),
            snapshots,
        })
    }
}
