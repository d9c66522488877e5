//! *Named directories*: parts of an object that its user names, each a directory with a record and
//! further files. One appears by one rename and disappears by one rename, like an object.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crash_point::between_steps;
use crate::lock::open_lock;
use crate::private::is_own;
use crate::record::create_lasting_directory;
use crate::{Error, VmId, create_private_directory, read_record, sync_directory, write_record};

const RECORD: &str = "record.json";
const LOCK: &str = ".lock";
const NEW: &str = ".new-";
const TRASH: &str = ".trash-";

/// The named directories in one directory.
#[derive(Clone, Debug)]
pub struct NamedDirectories {
    directory: PathBuf,
}

/// The exclusive right to change them, for as long as this lives.
#[derive(Debug)]
pub struct LockedDirectories {
    directory: PathBuf,
    lock: File,
}

/// A named directory that is being made; it is removed unless it is [committed](Self::commit).
#[derive(Debug)]
pub struct NewDirectory<'a> {
    locked: &'a LockedDirectories,
    partial: PathBuf,
}

impl NamedDirectories {
    /// Uses the named directories in `directory`, which is made when the first one is.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Waits for the right to change them. Removes what processes have left that died while they
    /// had it.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn lock(&self) -> Result<LockedDirectories, Error> {
        create_lasting_directory(&self.directory)?;
        between_steps();
        let path = self.directory.join(LOCK);
        let lock = open_lock(&path)?;
        lock.lock()
            .map_err(|source| Error::new("lock", &path, source))?;
        between_steps();
        for name in names(&self.directory) {
            if name.starts_with(NEW) || name.starts_with(TRASH) {
                let _ = fs::remove_dir_all(self.directory.join(name));
            }
        }
        Ok(LockedDirectories {
            directory: self.directory.clone(),
            lock,
        })
    }

    /// Returns the path of the directory with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.directory.join(name);
        let is_plain = !name.starts_with('.') && !name.contains('/');
        (is_plain && is_own(&path) && path.is_dir()).then_some(path)
    }

    /// Returns the path and the record of the one with this name, if both are there.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<(PathBuf, T)> {
        let path = self.find(name)?;
        let record = read_record(&path.join(RECORD))?;
        Some((path, record))
    }

    /// Returns the names and the records of all, sorted by name. One whose record cannot be read is
    /// left out.
    pub fn all<T: DeserializeOwned>(&self) -> Vec<(String, T)> {
        let mut all: Vec<_> = names(&self.directory)
            .filter_map(|name| {
                let (_, record) = self.read(&name)?;
                Some((name, record))
            })
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

impl LockedDirectories {
    /// Begins a new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<NewDirectory<'_>, Error> {
        let partial = self.directory.join(format!("{NEW}{}", VmId::random()));
        create_private_directory(&partial)?;
        between_steps();
        Ok(NewDirectory {
            locked: self,
            partial,
        })
    }

    /// Removes the one with this name. Returns whether there was one.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        let named = NamedDirectories::new(self.directory.clone());
        let Some(path) = named.find(name) else {
            return Ok(false);
        };
        let trash = self.directory.join(format!("{TRASH}{}", VmId::random()));
        fs::rename(&path, &trash).map_err(|source| Error::new("remove", &path, source))?;
        between_steps();
        sync_directory(&self.directory)?;
        between_steps();
        // Whoever locks them next removes what cannot be removed now.
        let _ = fs::remove_dir_all(&trash);
        Ok(true)
    }
}

/// Unlocks explicitly: a child process that another thread starts may have the file open, too.
impl Drop for LockedDirectories {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl NewDirectory<'_> {
    /// Its path until it is committed.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes the record and gives it its name. The caller has flushed the files in it. Returns
    /// whether the name was free; if not, nothing is left.
    ///
    /// # Errors
    /// When the record cannot be written, or the directory not renamed; nothing is left then.
    pub fn commit(self, name: &str, record: &impl Serialize) -> Result<bool, Error> {
        write_record(&self.partial.join(RECORD), record)?;
        between_steps();
        let path = self.locked.directory.join(name);
        match renameat_with(CWD, &self.partial, CWD, &path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Ok(false),
            Err(error) => return Err(Error::new("rename", &self.partial, error)),
        }
        between_steps();
        sync_directory(&self.locked.directory)?;
        Ok(true)
    }
}

impl Drop for NewDirectory<'_> {
    fn drop(&mut self) {
        // After a commit there is nothing under this name.
        let _ = fs::remove_dir_all(&self.partial);
    }
}

fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(named: &NamedDirectories, name: &str, content: &str) -> bool {
        let locked = named.lock().unwrap();
        let new = locked.create().unwrap();
        fs::write(new.path().join("disk"), content).unwrap();
        new.commit(name, &content).unwrap()
    }

    #[test]
    fn a_name_is_given_once_and_can_be_given_again_after_a_removal() {
        let base = tempfile::tempdir().unwrap();
        let named = NamedDirectories::new(base.path().join("snapshots"));
        assert!(named.all::<String>().is_empty() && named.find("one").is_none());
        assert!(make(&named, "one", "first"));
        assert!(!make(&named, "one", "second"));
        assert!(make(&named, "another", "third"));
        let all = named.all::<String>();
        let found: Vec<_> = all.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!(found, [("another", "third"), ("one", "first")]);
        let path = named.find("one").unwrap();
        assert_eq!(fs::read(path.join("disk")).unwrap(), b"first");

        let locked = named.lock().unwrap();
        assert!(locked.remove("one").unwrap());
        assert!(!locked.remove("one").unwrap());
        drop(locked);
        assert!(make(&named, "one", "second"));
        assert!(named.find(".lock").is_none() && named.find("../snapshots").is_none());
    }

    #[test]
    fn what_was_left_is_removed_by_the_next_who_locks() {
        let base = tempfile::tempdir().unwrap();
        let named = NamedDirectories::new(base.path().to_owned());
        let locked = named.lock().unwrap();
        let new = locked.create().unwrap();
        let partial = new.path().to_owned();
        fs::write(partial.join("disk"), "half").unwrap();
        // As if the process had died.
        std::mem::forget(new);
        drop(locked);
        assert!(partial.exists() && named.all::<String>().is_empty());
        drop(named.lock().unwrap());
        assert!(!partial.exists());
    }
}
