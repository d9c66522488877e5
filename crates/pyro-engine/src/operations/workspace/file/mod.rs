//! Files in a workspace, one at a time.

mod list;
mod read;
mod write;

pub use list::{FileListing, List, ListedFile};
pub use read::{FileContent, Read};
pub(crate) use write::read_content;
pub use write::{Write, WrittenFile};

pub(super) use list::listed;
pub(super) use read::Part;

use pyro_machine::{FilePath, FileType};

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

/// Returns paths relative to `/workspace`, for the guest; an empty list, which means everything, if
/// one of them is `/workspace` itself.
pub(super) fn places(paths: &[String]) -> Result<Vec<String>, Error> {
    let relative = paths.iter().map(|path| Ok(place(path)?.1.path));
    let relative = relative.collect::<Result<Vec<_>, Error>>()?;
    if relative.iter().any(String::is_empty) {
        return Ok(Vec::new());
    }
    Ok(relative)
}

/// Returns the name of a file type in results.
pub(super) fn artifact_type(file_type: FileType) -> &'static str {
    match file_type {
        FileType::File => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Other => "other",
    }
}
