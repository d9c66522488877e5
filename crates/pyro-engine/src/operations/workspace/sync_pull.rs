//! `workspace sync pull`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::places;
use crate::instance::{Instance, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::{is_false, is_zero};
use crate::pull::{Action, OnConflict, Outcome, Reason, Target, Wanted, pull, undo};
use crate::request::{octets_parser, path_text};
use crate::{Context, Engine, Error};

const POLICIES: [&str; 4] = ["fail", "workspace", "host", "markers"];

/// Bring what was changed in a started workspace into a directory of this host
///
/// Each path is compared three ways: how the workspace began, what it is there now, and what it is
/// here. What only the workspace has changed is taken over, what only the host has changed stays,
/// and texts that both have changed are merged line by line. If they cannot be merged, nothing at all
/// is changed and the conflicts are named. All of it is done or nothing, also if this is killed: then
/// the next pull into the directory undoes it. What git runs or obeys (`.git/hooks`, `.git/config`
/// and the like) is left alone unless it is named.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace sync pull 0123456789ab --check\n  \
    pyro workspace sync pull 0123456789ab\n  \
    pyro workspace sync pull 0123456789ab ../copy --on-conflict markers\n  \
    pyro workspace sync pull 0123456789ab --undo")]
pub struct SyncPull {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Directory of this host; without it, the one that the workspace was seeded from
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::DirPath, value_parser = octets_parser())]
    #[serde(default)]
    pub target_path: Option<String>,
    /// Take over only what is at or below this path, absolute or relative to /workspace
    #[arg(long = "path", value_name = "PATH", value_parser = octets_parser())]
    #[serde(default)]
    pub paths: Vec<String>,
    /// What to do where workspace and host have changed the same lines or file: `fail`, take the
    /// version of the `workspace` or of the `host`, or write both into the file between `markers`
    #[arg(long, default_value_t = fail(), value_name = "WHAT", value_parser = POLICIES)]
    #[serde(default = "fail")]
    #[schemars(extend("enum" = POLICIES))]
    pub on_conflict: String,
    /// Only show what would be changed
    #[arg(long)]
    #[serde(default)]
    pub check: bool,
    /// Undo the last pull of this workspace into the directory, if no file that it wrote was
    /// changed since
    #[arg(long, conflicts_with_all = ["paths", "on_conflict"])]
    #[serde(default)]
    pub undo: bool,
}

fn fail() -> String {
    POLICIES[0].into()
}

/// What was taken over.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PulledChanges {
    /// The workspace.
    pub workspace_id: String,
    /// The directory of this host.
    pub target_path: String,
    /// Whether nothing was done, but only shown.
    pub check: bool,
    /// Whether this took a pull back.
    pub undo: bool,
    /// Whether anything in the directory was changed, or would be.
    pub changed: bool,
    /// How many paths there are of each kind.
    pub summary: PullSummary,
    /// What was done about which path. What is the same already is not listed.
    pub entries: Vec<PullEntry>,
    /// Present if there are more: only 5,000 paths are listed, conflicts first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Present if files grew or shrank in the workspace while they were read: how many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed_count: u64,
    /// Present if it cannot be done as it is: there are conflicts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_conflicts: bool,
}

/// How many paths there are of each kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PullSummary {
    /// Those that are new in the directory.
    pub added: u64,
    /// Those that are different.
    pub modified: u64,
    /// Those that are gone.
    pub deleted: u64,
    /// Texts that were merged, with or without marks.
    pub merged: u64,
    /// Those that stay as they are.
    pub kept: u64,
    /// Those that are not taken over: devices, and what must be named.
    pub skipped: u64,
    /// Those that both have changed.
    pub conflicts: u64,
}

/// What is done about a path.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PullEntry {
    /// The path below the directory.
    pub path: String,
    /// `add`, `modify`, `delete`, `merge`, `mark`, `keep`, `skip` or `conflict`.
    pub action: String,
    /// Why, if it is not obvious.
    pub reason: Option<String>,
}

impl Operation for SyncPull {
    const NAME: &'static str = "workspace_sync_pull";
    const COMMAND: &'static [&'static str] = &["workspace", "sync", "pull"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    const HOST_PATHS: &'static [&'static str] = &["target_path"];
    const TOOL_SET: ToolSet = ToolSet::Full;
    type Output = PulledChanges;

    fn exit_status(output: &PulledChanges) -> u8 {
        u8::from(output.has_conflicts)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<PulledChanges, Error> {
        let paths = places(&self.paths)?;
        let on_conflict = match &*self.on_conflict {
            "fail" => OnConflict::Fail,
            "workspace" => OnConflict::Workspace,
            "host" => OnConflict::Host,
            "markers" => OnConflict::Markers,
            other => {
                let message = format!("on_conflict must be one of {POLICIES:?}, not {other:?}");
                return Err(Error::invalid(message));
            }
        };
        let permissions = &context.permissions;
        if !self.check && !permissions.pull {
            let message =
                "changing files of this machine is not allowed by the operator of this server";
            return Err(Error::not_allowed(message)
                .remedy("ask for `check`, and leave the pull to the user"));
        }
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        if !self.undo {
            found.require_started("workspace_sync_pull")?;
        }
        let target_path = match self.target_path {
            Some(path) => path,
            None => seeded_from(&found)?,
        };
        let (open, path) = permissions.open_directory("target_path", &target_path)?;
        let target_path = path_text(&path);
        let target = Target { open, path };
        let outcome = if self.undo {
            undo(engine, &found, target, self.check).await?
        } else {
            let wanted = Wanted {
                paths,
                on_conflict,
                check: self.check,
            };
            pull(engine, &found, target, wanted, &context.listener).await?
        };
        Ok(result(
            self.workspace_id,
            target_path,
            self.check,
            self.undo,
            outcome,
        ))
    }
}

/// The directory that a workspace was seeded from.
fn seeded_from(found: &Instance) -> Result<String, Error> {
    match &found.record.seed {
        Some(seed) if seed.mode == "directory" => Ok(seed.path.clone()),
        _ => {
            let message = format!("workspace {} was not seeded from a directory", found.id());
            Err(Error::invalid(message).remedy("name the directory that is to be changed"))
        }
    }
}

fn result(
    workspace_id: String,
    target_path: String,
    check: bool,
    undo: bool,
    outcome: Outcome,
) -> PulledChanges {
    let count = |action| outcome.count(action);
    let summary = PullSummary {
        added: count(Action::Add),
        modified: count(Action::Modify),
        deleted: count(Action::Delete),
        merged: count(Action::Merge) + count(Action::Mark),
        kept: count(Action::Keep),
        skipped: count(Action::Skip),
        conflicts: count(Action::Conflict),
    };
    let (truncated, changed_count) = (outcome.is_cut(), outcome.changed);
    let listed = outcome.into_listed().into_iter();
    let entries = listed
        .map(|(path, action, reason)| PullEntry {
            path,
            action: name(action).into(),
            reason: reason.map(Reason::text).map(str::to_owned),
        })
        .collect();
    PulledChanges {
        workspace_id,
        target_path,
        check,
        undo,
        changed: summary.added + summary.modified + summary.deleted + summary.merged > 0,
        has_conflicts: summary.conflicts > 0,
        summary,
        entries,
        truncated,
        changed_count,
    }
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Add => "add",
        Action::Modify => "modify",
        Action::Delete => "delete",
        Action::Merge => "merge",
        Action::Mark => "mark",
        Action::Keep => "keep",
        Action::Skip => "skip",
        Action::Conflict => "conflict",
    }
}
