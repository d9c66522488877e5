//! Disks of stopped workspaces. A temporary machine reads them.

mod export;
mod list;
mod read;

pub use export::{DiskExport, Export};
pub use list::List;
pub use read::Read;

use pyro_machine::FilePath;

use crate::Error;
use crate::request::guest_path;

/// Returns the path of a file on a disk, for results and for the guest.
fn place(path: &str) -> Result<(String, FilePath), Error> {
    let absolute = guest_path("path", path)?;
    let file = FilePath {
        root: "/".to_owned(),
        path: absolute[1..].to_owned(),
    };
    Ok((absolute, file))
}
