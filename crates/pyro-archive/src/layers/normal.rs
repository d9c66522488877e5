//! What is made *normal* when all layers are merged: the few things that a guest needs to boot.

use super::merged::Merged;
use crate::error::Error;
use crate::member::MemberPath;
use crate::node::Body;

/// The guest's agent mounts something there, or writes files.
const DIRECTORIES: [&str; 6] = ["dev", "etc", "proc", "run", "sys", "tmp"];
/// The agent writes those.
const FILES: [&str; 4] = [
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/resolv.conf",
];
/// All users write in `/tmp`, and none removes what another one's is.
const SHARED_MODE: u32 = 0o1777;

/// What an image should have besides what its layers have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Directories, named as the configuration of an image does it (`WorkingDir`, `Volumes`): from the
    /// root, with or without a slash in front. Those that are missing are made: root's, with mode 0755.
    /// Links are followed inside the image. Where something else is in the way, it stays.
    pub directories: Vec<String>,
}

/// Makes what is wanted, and makes way for the agent: `/dev`, `/etc`, `/proc`, `/run`, `/sys` and `/tmp`
/// become directories if they are something else or nothing, `/tmp` one for everybody. Host name,
/// `hosts`, `resolv.conf` and machine id are removed unless they are regular files.
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
