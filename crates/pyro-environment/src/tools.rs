//! The *tools* of a build: all that it requires, found.

use std::path::Path;

use crate::Error;
use crate::requirement::{Requirement, look};

/// The programs a build runs directly, found.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    found: Vec<Requirement>,
}

impl Tools {
    /// Finds all requirements, or fails naming every one that is missing.
    pub(crate) fn find() -> Result<Self, Error> {
        let (found, missing): (Vec<_>, Vec<_>) = look()
            .into_iter()
            .partition(|requirement| requirement.path.is_some());
        if missing.is_empty() {
            Ok(Self { found })
        } else {
            Err(Error::ToolsMissing { missing })
        }
    }

    /// Returns the path of a program of the table.
    pub(crate) fn path(&self, tool: &'static str) -> &Path {
        let row = self
            .found
            .iter()
            .find(|requirement| requirement.tool == tool);
        row.and_then(|requirement| requirement.path.as_deref())
            .unwrap_or(Path::new(tool))
    }
}
