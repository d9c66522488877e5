//! An *object* outlives the call that made it: a workspace, or a virtual machine. It is a directory
//! with a record, further files, and a lock that its owner holds while it lives.
//!
//! An object appears by one rename and disappears by one rename; what a process leaves that died in
//! between is not an object, and is swept.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::crash_point::between_steps;
use crate::lock::{End, end_holder, is_free, note_holder, open_lock, take, take_if_free};
use crate::private::is_own;
use crate::record::create_lasting_directory;
use crate::{Error, VmId, create_private_directory, sync_directory, write_record};

const RECORD: &str = "record.json";
const OWNER_LOCK: &str = "owner.lock";
const RECORD_LOCK: &str = "record.lock";
/// Held shared while a new directory gets its lock, so that no sweep sees a directory without one.
const GATE: &str = ".gate";
const NEW: &str = ".new-";
const TRASH: &str = ".trash-";

/// All objects of one kind.
#[derive(Clone, Debug)]
pub struct Objects {
    directory: PathBuf,
}

/// An object that is being made; it is removed unless it is [committed](Self::commit).
#[derive(Debug)]
pub struct NewObject {
    id: VmId,
    directory: PathBuf,
    partial: PathBuf,
    lock: File,
}

/// One object.
#[derive(Clone, Debug)]
pub struct Object {
    id: VmId,
    path: PathBuf,
}

/// The ownership of an object, for as long as this lives.
#[derive(Debug)]
pub struct Ownership {
    lock: File,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no such object.
    #[error("there is no record at {}", path.display())]
    Missing {
        /// The path where it would be.
        path: PathBuf,
    },
    /// The record cannot be read, or is invalid.
    #[error("the record at {} is broken: {detail}", path.display())]
    Broken {
        /// Its path.
        path: PathBuf,
        /// The error.
        detail: String,
    },
    /// A later version has written the record.
    #[error("the record at {} has format {found}; this version knows formats up to {known}", path.display())]
    Newer {
        /// Its path.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this version understands.
        known: u64,
    },
    /// The record cannot be written.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The record of an object. Its JSON has a key `format`.
pub trait Record: Serialize + DeserializeOwned {
    /// The newest format this version understands.
    const FORMAT: u64;
}

impl Objects {
    /// Uses `directory` for the objects of one kind.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Begins a new object with a random id.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn create(&self) -> Result<NewObject, Error> {
        create_lasting_directory(&self.directory)?;
        between_steps();
        let gate_path = self.directory.join(GATE);
        let gate = open_lock(&gate_path)?;
        gate.lock_shared()
            .map_err(|source| Error::new("lock", &gate_path, source))?;
        let id = VmId::random();
        let partial = self.directory.join(format!("{NEW}{id}"));
        between_steps();
        create_private_directory(&partial)?;
        between_steps();
        let lock = take(&partial.join(OWNER_LOCK))?;
        between_steps();
        Ok(NewObject {
            id,
            directory: self.directory.clone(),
            partial,
            lock,
        })
    }

    /// Their directory.
    #[cfg(test)]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Finds an object by its id.
    pub fn find(&self, id: &str) -> Option<Object> {
        let id = VmId::parse(id)?;
        let path = self.directory.join(id.as_str());
        (is_own(&path) && path.is_dir()).then_some(Object { id, path })
    }

    /// Returns all objects, in the order of their ids.
    pub fn all(&self) -> Vec<Object> {
        let mut objects: Vec<Object> = self.names().filter_map(|name| self.find(&name)).collect();
        objects.sort_by(|one, other| one.id.cmp(&other.id));
        objects
    }

    /// Removes what processes have left that died while they made or removed an object. Returns the
    /// number of directories removed.
    pub fn sweep(&self) -> usize {
        let leftovers: Vec<String> = self
            .names()
            .filter(|name| name.starts_with(NEW) || name.starts_with(TRASH))
            .collect();
        if leftovers.is_empty() {
            return 0;
        }
        let Ok(gate) = open_lock(&self.directory.join(GATE)) else {
            return 0;
        };
        if gate.try_lock().is_err() {
            return 0;
        }
        leftovers
            .iter()
            .map(|name| self.directory.join(name))
            .filter(|path| is_free(&path.join(OWNER_LOCK)) && fs::remove_dir_all(path).is_ok())
            .count()
    }

    fn names(&self) -> impl Iterator<Item = String> + use<> {
        fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
    }
}

impl NewObject {
    /// The id of the object.
    pub fn id(&self) -> &VmId {
        &self.id
    }

    /// The directory in which it is being made.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes the record and makes this an object.
    ///
    /// # Errors
    /// When one of the two fails; nothing is left then.
    pub fn commit(self, record: &impl Record) -> Result<Object, Error> {
        let path = self.directory.join(self.id.as_str());
        write_record(&self.partial.join(RECORD), record)?;
        between_steps();
        fs::rename(&self.partial, &path)
            .map_err(|source| Error::new("rename", &self.partial, source))?;
        between_steps();
        sync_directory(&self.directory)?;
        Ok(Object {
            id: self.id.clone(),
            path,
        })
    }
}

impl Drop for NewObject {
    fn drop(&mut self) {
        // After a commit there is nothing under this name.
        let _ = fs::remove_dir_all(&self.partial);
        let _ = self.lock.unlock();
    }
}

/// Unlocks explicitly, because closing the file is not enough: between `fork` and `exec`, a child
/// process that another thread starts has the file open too.
impl Drop for Ownership {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Object {
    /// Its id.
    pub fn id(&self) -> &VmId {
        &self.id
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads its record.
    ///
    /// # Errors
    /// When there is no record, it is invalid, or a later version wrote it.
    pub fn record<T: Record>(&self) -> Result<T, RecordError> {
        let path = self.path.join(RECORD);
        let broken = |detail: String| RecordError::Broken {
            path: path.clone(),
            detail,
        };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(RecordError::Missing { path });
            }
            Err(error) => return Err(broken(error.to_string())),
        };
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(found) if found > T::FORMAT => Err(RecordError::Newer {
                path,
                found,
                known: T::FORMAT,
            }),
            Some(_) => serde_json::from_value(value).map_err(|error| broken(error.to_string())),
            None => Err(broken("it has no format".into())),
        }
    }

    /// Updates its record: reads it, applies `change` and writes the result, unless the object was
    /// deleted. Returns the new record.
    ///
    /// # Errors
    /// As [`record`](Self::record), and when it cannot be written.
    pub fn update<T: Record>(&self, change: impl FnOnce(&mut T)) -> Result<T, RecordError> {
        let Ok(record) = self.try_update(|record| {
            change(record);
            Ok::<_, Infallible>(())
        })?;
        Ok(record)
    }

    /// As [`update`](Self::update), with a change that may be refused once the record is known. The
    /// record on disk then stays as it is, whatever `change` has done to the one in memory.
    ///
    /// # Errors
    /// As [`update`](Self::update); the inner error is that of `change`.
    pub fn try_update<T: Record, E>(
        &self,
        change: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Result<T, E>, RecordError> {
        // Opened only if the object exists: a deleted object must not reappear as a lock file.
        let lock_path = self.path.join(RECORD_LOCK);
        let lock = open_lock(&lock_path)?;
        lock.lock()
            .map_err(|source| Error::new("lock", &lock_path, source))?;
        let mut record = self.record()?;
        between_steps();
        remove_drafts(&self.path);
        between_steps();
        if let Err(refused) = change(&mut record) {
            return Ok(Err(refused));
        }
        write_record(&self.path.join(RECORD), &record)?;
        Ok(Ok(record))
    }

    /// Becomes its owner, unless it has one. A process that wants the object to have no owner kills
    /// this process.
    ///
    /// # Errors
    /// When the lock cannot be opened.
    pub fn own(&self) -> Result<Option<Ownership>, Error> {
        let Some(ownership) = self.hold()? else {
            return Ok(None);
        };
        note_holder(&ownership.lock, &self.path.join(OWNER_LOCK))?;
        Ok(Some(ownership))
    }

    /// Takes the lock for a moment, so that the object cannot get an owner, unless it has one.
    ///
    /// # Errors
    /// When the lock cannot be opened.
    pub fn hold(&self) -> Result<Option<Ownership>, Error> {
        let path = self.path.join(OWNER_LOCK);
        let lock = open_lock(&path)?;
        if !take_if_free(&lock) {
            return Ok(None);
        }
        // The file still contains the last owner's id.
        lock.set_len(0)
            .map_err(|source| Error::new("write", &path, source))?;
        between_steps();
        Ok(Some(Ownership { lock }))
    }

    /// Whether it has an owner: then it is alive.
    pub fn is_owned(&self) -> bool {
        !is_free(&self.path.join(OWNER_LOCK))
    }

    /// Whether its lock is held by a process that is not its owner, which needs it for a while.
    pub fn is_only_held(&self) -> bool {
        let path = self.path.join(OWNER_LOCK);
        // Empty: an owner has its id there, but for the moment in which it becomes the owner.
        self.is_owned() && fs::metadata(path).is_ok_and(|lock| lock.len() == 0)
    }

    /// Kills its owner, if it has one, and waits. Returns whether there is no owner now.
    pub fn end_owner(&self, limit: Duration) -> bool {
        !matches!(end_holder(&self.path.join(OWNER_LOCK), limit), End::Alive)
    }

    /// Deletes it with everything in it, after killing its owner, if it has one.
    ///
    /// # Errors
    /// When the owner does not exit in time, or the directory cannot be renamed.
    pub fn delete(self, limit: Duration) -> Result<(), Error> {
        // Held, so that no process becomes the owner of an object that is being deleted.
        let _held = loop {
            match self.hold() {
                Ok(Some(held)) => break held,
                Ok(None) if self.end_owner(limit) => {}
                Ok(None) => {
                    let late = std::io::ErrorKind::TimedOut;
                    return Err(Error::new("end the owner of", &self.path, late));
                }
                // Another process has deleted it.
                Err(_) if !self.path.exists() => return Ok(()),
                Err(error) => return Err(error),
            }
        };
        let trash = self
            .path
            .with_file_name(format!("{TRASH}{}", VmId::random()));
        match fs::rename(&self.path, &trash) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::new("remove", &self.path, error)),
        }
        between_steps();
        if let Some(parent) = self.path.parent() {
            sync_directory(parent)?;
        }
        between_steps();
        // The next sweep removes what cannot be removed now.
        let _ = fs::remove_dir_all(&trash);
        Ok(())
    }
}

/// Removes unfinished records of processes that died. No process may be writing one.
pub(crate) fn remove_drafts(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(NEW.as_bytes())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Reads a small file completely, or fails.
pub(crate) fn read_small(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
    struct Note {
        format: u64,
        text: String,
    }

    impl Record for Note {
        const FORMAT: u64 = 2;
    }

    fn note(text: &str) -> Note {
        Note {
            format: 2,
            text: text.into(),
        }
    }

    #[test]
    fn an_object_is_there_whole_or_not_at_all() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().join("things"));
        assert!(objects.all().is_empty());
        let new = objects.create().unwrap();
        let id = new.id().to_string();
        fs::write(new.path().join("disk"), "x").unwrap();
        assert!(objects.find(&id).is_none());
        assert_eq!(objects.sweep(), 0, "it has a maker");
        let object = new.commit(&note("one")).unwrap();
        assert_eq!(object.record::<Note>().unwrap(), note("one"));
        assert!(!object.is_owned());
        assert_eq!(objects.all().len(), 1);

        drop(objects.create().unwrap());
        object.delete(Duration::ZERO).unwrap();
        assert!(objects.all().is_empty());
        let left: Vec<_> = objects.names().collect();
        assert_eq!(left, [GATE]);
    }

    #[test]
    fn there_is_one_owner_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("")).unwrap();
        let owner = object.own().unwrap().unwrap();
        assert!(object.is_owned());
        assert!(object.own().unwrap().is_none());
        drop(owner);
        assert!(!object.is_owned());
    }

    #[test]
    fn those_who_look_are_nobodys_owner() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("")).unwrap();
        drop(object.own().unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        assert!(!object.is_owned());
                    }
                });
            }
        });
        // Processes that check the lock do so for a while, with pauses.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        object.is_owned();
                        std::thread::sleep(Duration::from_micros(300));
                    }
                });
            }
            for _ in 0..20 {
                assert!(object.own().unwrap().is_some());
            }
        });
    }

    #[test]
    fn who_gives_it_up_gives_it_up_although_a_process_is_being_started() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let new = objects.create().unwrap();
        // A child process has the file open between `fork` and `exec`.
        let _inherited = new.lock.try_clone().unwrap();
        let object = new.commit(&note("")).unwrap();
        assert!(!object.is_owned());
        let owner = object.own().unwrap().unwrap();
        let _inherited = owner.lock.try_clone().unwrap();
        drop(owner);
        assert!(!object.is_owned());
    }

    #[test]
    fn a_delete_does_not_kill_who_holds_it_for_a_moment() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("")).unwrap();
        // The id stays in the file until the lock is taken again.
        let owned = object.own().unwrap();
        assert!(object.is_owned() && !object.is_only_held());
        drop(owned);
        let held = object.hold().unwrap().unwrap();
        assert!(object.is_only_held());
        assert!(!object.end_owner(Duration::from_millis(10)), "and it lives");
        assert!(object.clone().delete(Duration::from_millis(10)).is_err());
        drop(held);
        assert!(!object.is_only_held());
        object.delete(Duration::from_millis(10)).unwrap();
        assert!(objects.all().is_empty());
    }

    #[test]
    fn changes_from_many_sides_are_all_kept() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("")).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    object
                        .update(|note: &mut Note| note.text.push('x'))
                        .unwrap()
                });
            }
        });
        assert_eq!(object.record::<Note>().unwrap().text.len(), 20);
    }

    #[test]
    fn a_change_that_is_refused_is_not_written() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("kept")).unwrap();
        let refused = object.try_update(|note: &mut Note| {
            note.text.push('x');
            Err("no")
        });
        assert_eq!(refused.unwrap(), Err("no"));
        assert_eq!(object.record::<Note>().unwrap(), note("kept"));
        let changed = object.try_update(|note: &mut Note| {
            note.text.push('x');
            Ok::<_, ()>(())
        });
        assert_eq!(changed.unwrap(), Ok(note("keptx")));
        assert_eq!(object.record::<Note>().unwrap(), note("keptx"));
    }

    #[test]
    fn a_broken_record_and_a_newer_one_are_told_apart() {
        let base = tempfile::tempdir().unwrap();
        let objects = Objects::new(base.path().to_owned());
        let object = objects.create().unwrap().commit(&note("")).unwrap();
        let path = object.path().join(RECORD);
        let broken = |text: &str| {
            fs::write(&path, text).unwrap();
            matches!(object.record::<Note>(), Err(RecordError::Broken { .. }))
        };
        assert!(broken(""));
        assert!(broken("{"));
        assert!(broken("{\"text\": \"\"}"));
        assert!(broken("{\"format\": 1}"));
        fs::write(&path, r#"{"format": 3, "other": 1}"#).unwrap();
        let newer = object.record::<Note>().unwrap_err();
        assert!(
            matches!(
                newer,
                RecordError::Newer {
                    found: 3,
                    known: 2,
                    ..
                }
            ),
            "{newer}"
        );
    }
}
