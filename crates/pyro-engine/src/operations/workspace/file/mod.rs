//! Files in a workspace, one at a time.

mod list;
mod read;
mod write;

pub use list::{FileListing, List, ListedFile};
pub use read::{FileContent, Read};
pub use write::{Write, WrittenFile};

use pyro_machine::FilePath;

use crate::Error;
use crate::request::{WORKSPACE, workspace_path};

/// Returns the path of a file in a workspace, for results and for the guest.
pub(super) fn place(path: &str) -> Result<(String, FilePath), Error> {
    let absolute = workspace_path("path", path)?;
    let relative = absolute[WORKSPACE.len()..].trim_start_matches('/');
    let file = FilePath {
        root: WORKSPACE.to_owned(),
        path: relative.to_owned(),
    };
    Ok((absolute, file))
}
