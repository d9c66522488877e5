//! What earlier pulls of a workspace have made in directories of the host. It is in the directory
//! of the workspace, and removed with it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};

use super::node::Node;
use super::plan::Planned;
use super::transaction::{read_compact, write_compact};
use crate::Error;

/// The name of the record in the directory of a workspace.
pub(super) const FILE: &str = "pulled.json";

/// What was made in one target.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    file: PathBuf,
    target: String,
    record: Record,
}

/// A path that a pull has changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Made {
    /// What it was when the workspace began.
    pub(super) base: Node,
    /// What it was made.
    pub(super) node: Node,
    /// What the workspace had then. It is something else if it was merged.
    pub(super) workspace: Node,
    /// What is known of an earlier pull, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Box<Self>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Record {
    format: u64,
    /// By target, and by path in it.
    targets: BTreeMap<String, BTreeMap<String, Made>>,
}

impl Pulled {
    /// Reads what is known of a target, in the directory of a workspace. A record that cannot be
    /// read is as none: paths that were changed on both sides are conflicts then.
    pub(super) fn read(workspace: &Path, target: &str) -> Self {
        let file = workspace.join(FILE);
        Self {
            record: read_compact(&file).unwrap_or_default(),
            file,
            target: target.to_owned(),
        }
    }

    /// What is known of a path.
    pub(super) fn get(&self, path: &str) -> Option<&Made> {
        self.record.targets.get(&self.target)?.get(path)
    }

    /// All paths of the target.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Made)> {
        self.record.targets.get(&self.target).into_iter().flatten()
    }

    /// Notes what a plan has made.
    pub(super) fn write(&self, plan: &[Planned]) -> Result<(), Error> {
        write_compact(&self.file, &Updated { pulled: self, plan })
    }
}

/// The record with what a plan has made. It is written as it is made: there may be many paths.
struct Updated<'a> {
    pulled: &'a Pulled,
    plan: &'a [Planned],
}

/// The paths of its target.
struct Paths<'a>(&'a Updated<'a>);

impl Serialize for Updated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Record", 2)?;
        record.serialize_field("format", &1)?;
        record.serialize_field("targets", &Targets(self))?;
        record.end()
    }
}

struct Targets<'a>(&'a Updated<'a>);

impl Serialize for Targets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pulled = self.0.pulled;
        let mut targets = serializer.serialize_map(None)?;
        for (target, paths) in &pulled.record.targets {
            if *target != pulled.target {
                targets.serialize_entry(target, paths)?;
            }
        }
        targets.serialize_entry(&pulled.target, &Paths(self.0))?;
        targets.end()
    }
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Updated { pulled, plan } = self.0;
        let made = || {
            plan.iter()
                .filter_map(|planned| Some((planned, planned.change.as_ref()?)))
        };
        let new: HashSet<&str> = made().map(|(planned, _)| &*planned.path).collect();
        let mut paths = serializer.serialize_map(None)?;
        for (path, earlier) in pulled
            .all()
            .filter(|(path, _)| !new.contains(path.as_str()))
        {
            paths.serialize_entry(path, earlier)?;
        }
        for (planned, change) in made() {
            let before = pulled.get(&planned.path).map(|earlier| {
                // Only the last pull can be taken back.
                Box::new(Made {
                    before: None,
                    ..earlier.clone()
                })
            });
            let made = Made {
                base: change.base.clone(),
                node: change.new.clone(),
                workspace: change.workspace.clone(),
                before,
            };
            paths.serialize_entry(&planned.path, &made)?;
        }
        paths.end()
    }
}
