//! What earlier pulls of a workspace have made in directories of the host. It is in the directory
//! of the workspace, and removed with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pyro_store::{read_record, write_record};
use serde::{Deserialize, Serialize};

use super::node::Node;
use super::transaction::Step;
use crate::Error;

const FILE: &str = "pulled.json";

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
            record: read_record(&file).unwrap_or_default(),
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

    /// Notes what was made.
    pub(super) fn write(
        mut self,
        made: impl IntoIterator<Item = (String, Made)>,
    ) -> Result<(), Error> {
        self.record.format = 1;
        self.record
            .targets
            .entry(self.target)
            .or_default()
            .extend(made);
        Ok(write_record(&self.file, &self.record)?)
    }

    /// Notes that these steps of the last pull were undone.
    pub(super) fn step_back(mut self, steps: &[Step]) -> Result<(), Error> {
        let paths = self.record.targets.entry(self.target).or_default();
        for step in steps {
            if let Some(made) = paths.remove(&step.path)
                && let Some(before) = made.before
            {
                paths.insert(step.path.clone(), *before);
            }
        }
        Ok(write_record(&self.file, &self.record)?)
    }
}
