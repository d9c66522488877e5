//! `workspace list`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service;
use crate::instance::{Instance, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::{Context, Engine, Error, Event};

/// List the workspaces, the most recently used first
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace list --json")]
pub struct List {}

/// All workspaces.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Workspaces {
    /// How many there are.
    pub count: usize,
    /// The workspaces, the most recently used first.
    pub workspaces: Vec<Listed>,
}

/// A workspace in a list.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Listed {
    /// Its id.
    pub workspace_id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its environment.
    pub environment: String,
    /// `starting`, `started`, `stopped`, `failed` or `expired`.
    pub state: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When it was made or last used, in seconds since the Unix epoch.
    pub last_activity_at: f64,
    /// When its time is over, in seconds since the Unix epoch; null for never.
    pub expires_at: Option<f64>,
    /// How many commands were run in it.
    pub command_count: usize,
    /// How many services it has.
    pub service_count: usize,
    /// How many of them are running.
    pub running_service_count: usize,
}

impl From<&Instance> for Listed {
    fn from(instance: &Instance) -> Self {
        let record = &instance.record;
        let (service_count, running_service_count) = service::counts(instance);
        Self {
            workspace_id: instance.id().to_owned(),
            name: record.name.clone(),
            labels: record.labels.clone(),
            environment: record.environment.clone(),
            state: instance.state.name().into(),
            created_at: record.created_at,
            last_activity_at: instance.last_activity_at(),
            expires_at: record.expires_at,
            command_count: instance.history().sequences().len(),
            service_count,
            running_service_count,
        }
    }
}

impl Operation for List {
    const NAME: &'static str = "workspace_list";
    const COMMAND: &'static [&'static str] = &["workspace", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Workspaces;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Workspaces, Error> {
        let (found, broken) = engine.all_instances(InstanceKind::Workspace);
        for problem in broken {
            context.listener.report(Event::Warning(problem));
        }
        let mut workspaces: Vec<Listed> = found.iter().map(Listed::from).collect();
        workspaces.sort_by(|one, other| other.last_activity_at.total_cmp(&one.last_activity_at));
        Ok(Workspaces {
            count: workspaces.len(),
            workspaces,
        })
    }
}
