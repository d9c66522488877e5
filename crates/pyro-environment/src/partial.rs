//! A *partial* directory: where something is built before it is renamed into place.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::confined;
use crate::layout::Layout;

/// A partial directory; removed when dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
}

impl Partial {
    /// Makes a new one for what has that key, in `parent`, and removes those that dead builders
    /// left there. The caller holds the key's lock. Blocks.
    pub(crate) fn create(parent: &Path, key: &str) -> Result<Self, Error> {
        let prefix = Layout::partial_prefix(key);
        for entry in fs::read_dir(parent).map_err(Error::cache("read", parent))? {
            let entry = entry.map_err(Error::cache("read", parent))?;
            if starts_with(&entry.file_name(), &prefix) {
                // What cannot be removed, being somebody else's, is in nobody's way.
                drop(confined::remove(&entry.path()));
            }
        }
        let path = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(parent)
            .map_err(Error::cache("create a directory in", parent))?
            .keep();
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What belongs to subordinate ids is removed by the step that made it; what else may
        // resist is removed by the next builder.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes().starts_with(prefix.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remains_of_the_same_key_are_removed_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let platform = layout.platform();
        fs::create_dir_all(platform.join(".partial-a-dead/deep")).unwrap();
        fs::create_dir_all(platform.join(".partial-a-base-alive")).unwrap();
        let partial = Partial::create(&platform, "a-base").unwrap();
        assert!(!platform.join(".partial-a-base-alive").exists());
        assert!(platform.join(".partial-a-dead").exists());
        let path = partial.path().to_owned();
        drop(partial);
        assert!(!path.exists());
    }
}
