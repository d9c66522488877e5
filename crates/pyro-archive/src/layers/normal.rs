//! Makes the merged tree *normal*: a guest needs a few directories and files to boot.

use super::merged::Merged;
use crate::error::Error;
use crate::member::MemberPath;
use crate::node::Body;

/// The guest's agent mounts file systems or writes files there.
const DIRECTORIES: [&str; 6] = ["dev", "etc", "proc", "run", "sys", "tmp"];
/// The agent writes these files.
const FILES: [&str; 4] = [
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/resolv.conf",
];
/// The mode of `/tmp`: all users may write there, and only the owner of a file may remove it.
const SHARED_MODE: u32 = 0o1777;

/// What an image should have in addition to its layers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Directories, as in the configuration of an image (`WorkingDir`, `Volumes`): paths from the
    /// root, with or without a slash in front. Missing ones are made, owned by root, with mode
    /// 0755. Symbolic links are followed inside the image. If something else is in the way, the
    /// directory is not made.
    pub directories: Vec<String>,
}

/// Makes the wanted directories, and what the agent needs: `/dev`, `/etc`, `/proc`, `/run`, `/sys`
/// and `/tmp` become directories, whatever they were, and `/tmp` gets mode 1777. `/etc/hostname`,
/// `/etc/hosts`, `/etc/machine-id` and `/etc/resolv.conf` are removed unless they are regular
/// files.
pub(crate) fn normalise(merged: &mut Merged, wanted: &Wanted) -> Result<(), Error> {
    for name in DIRECTORIES {
        let directory = merged.directory_in_root(name.as_bytes())?;
        if name == "tmp" {
            merged.set_mode(directory, SHARED_MODE);
        }
    }
    for name in FILES {
        let path = MemberPath::parse(name.as_bytes())?;
        let there = merged.plain(&path);
        let is_file =
            there.is_some_and(|there| matches!(merged.node(there).body, Body::File { .. }));
        if !is_file {
            merged.remove_at(&path);
        }
    }
    merged.follow_all_links();
    for directory in &wanted.directories {
        let relative = directory.trim_start_matches('/');
        if !relative.is_empty() {
            let path = MemberPath::parse(relative.as_bytes())?;
            merged.directory_unless_taken(&path)?;
        }
    }
    Ok(())
}
