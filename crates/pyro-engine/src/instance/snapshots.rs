//! *Snapshots* of an instance: copies of its private disk, which has everything that was written in
//! it.
//!
//! A reset is recorded when the machine has stopped, and the next supervisor carries it out.
//! Whichever process dies, either nothing was reset or the next start finishes the reset.

use std::fs;
use std::path::{Path, PathBuf};

use pyro_machine::copy_disk;
use pyro_store::{NamedDirectories, Object, RecordError, sync_directory};
use serde::{Deserialize, Serialize};

use super::activity::Activity;
use super::client;
use super::files::{SNAPSHOTS, disk, disk_in, history, remove_process_files, seed_in};
use super::find::Instance;
use super::record::{Content, SeedRecord, State, VmRecord};
use super::time::now;
use super::wire::Request;
use crate::Error;
use crate::disk_limit::allocated_bytes;
use crate::off_thread::off_thread;

/// The name of the initial state of an instance. It needs no copy: it is an empty disk over the
/// seed.
pub(crate) const BASELINE: &str = "baseline";

const DISK: &str = "disk.ext4";

/// How often to stop an instance again if other processes start it before a reset.
const START_RACES: usize = 8;

/// The record of a snapshot.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Snapshot {
    format: u64,
    /// Seconds since the Unix epoch.
    pub(crate) created_at: f64,
    /// The contents of the snapshot, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Content>,
}

fn snapshots(object: &Object) -> NamedDirectories {
    NamedDirectories::new(object.path().join(SNAPSHOTS))
}

/// The disk of a snapshot, if there is one with this name.
pub(super) fn disk_of(object: &Object, name: &str) -> Option<PathBuf> {
    Some(snapshots(object).find(name)?.join(DISK))
}

/// The error for a missing snapshot; it lists the existing ones.
pub(super) fn missing(object: &Object, name: &str) -> Error {
    let all: Vec<(String, Snapshot)> = snapshots(object).all();
    let names: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
    Error::no_such_snapshot(object.id().as_str(), name, &names)
}

fn copy_snapshot_disk(object: &Object, name: &str, to: &Path) -> Result<(), Error> {
    // Locked, so that the snapshot is not deleted in the meantime.
    let _locked = snapshots(object).lock()?;
    let source = disk_of(object, name).ok_or_else(|| missing(object, name))?;
    Ok(copy_disk(&source, to)?)
}

/// Copies the disk into a new snapshot. The disk must not be written in the meantime.
pub(super) fn make(object: &Object, name: &str, content: Option<Content>) -> Result<(), Error> {
    let snapshots = snapshots(object);
    // Checked before the copy, which takes time.
    let taken = || Error::snapshot_exists(object.id().as_str(), name);
    if snapshots.find(name).is_some() {
        return Err(taken());
    }
    Activity::of(object).note();
    let locked = snapshots.lock()?;
    let new = locked.create()?;
    let source = disk(object);
    copy_disk(&source, &new.path().join(DISK))?;
    if !source.exists() {
        // Its lifetime ended in the meantime.
        return Err(Error::stopped("workspace", object.id().as_str()));
    }
    let record = Snapshot {
        format: 1,
        created_at: now(),
        content,
    };
    if !new.commit(name, &record)? {
        return Err(taken());
    }
    Ok(())
}

/// Carries out the reset that the record names. The caller must own the instance, and its machine
/// must not be running. Every step can be repeated.
pub(super) fn finish_reset(object: &Object, record: &VmRecord) -> Result<VmRecord, Error> {
    let Some(name) = &record.reset_to else {
        return Ok(record.clone());
    };
    let id = object.id().as_str();
    let failed = |path: &Path, error: &std::io::Error| Error::not_reset(id, path, error);
    let disk = disk(object);
    if name == BASELINE {
        match fs::remove_file(&disk) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&disk, &error));
            }
            _ => {}
        }
    } else {
        let source = disk_of(object, name).ok_or_else(|| missing(object, name))?;
        let copy = disk.with_extension("partial");
        let _ = fs::remove_file(&copy);
        copy_disk(&source, &copy).inspect_err(|_| {
            let _ = fs::remove_file(&copy);
        })?;
        fs::rename(&copy, &disk).map_err(|error| failed(&disk, &error))?;
    }
    history(object).clear()?;
    remove_process_files(object).map_err(|error| failed(object.path(), &error))?;
    sync_directory(object.path())?;
    let has_disk = name != BASELINE;
    update(object, |record| {
        record.has_disk = has_disk;
        record.reset_to = None;
    })
}

fn update(object: &Object, change: impl FnOnce(&mut VmRecord)) -> Result<VmRecord, Error> {
    let unreadable =
        |error: RecordError| Error::unreadable_record("workspace", object.id().as_str(), &error);
    object.update(change).map_err(unreadable)
}

impl Instance {
    /// All snapshots, sorted by name.
    pub(crate) fn snapshots(&self) -> Vec<(String, Snapshot)> {
        snapshots(&self.object).all()
    }

    /// Returns the snapshot with this name.
    pub(crate) fn snapshot(&self, name: &str) -> Result<Snapshot, Error> {
        let found = self
            .snapshots()
            .into_iter()
            .find(|(other, _)| other == name);
        let snapshot = found.map(|(_, snapshot)| snapshot);
        snapshot.ok_or_else(|| missing(&self.object, name))
    }

    /// The space that a copy of the disk takes on the host, in bytes: of the instance's own, or of a
    /// snapshot's.
    pub(crate) fn disk_bytes(&self, snapshot: Option<&str>) -> u64 {
        let path = match snapshot {
            Some(name) => disk_of(&self.object, name),
            None => Some(disk(&self.object)),
        };
        path.map_or(0, |path| allocated_bytes(&path))
    }

    /// The space that its disk, its seed and its snapshots take on the host, in bytes.
    pub(crate) fn disk_use(&self) -> u64 {
        let directory = self.object.path();
        let parts = [
            disk(&self.object),
            seed_in(directory),
            directory.join(SNAPSHOTS),
        ];
        parts.iter().map(|part| allocated_bytes(part)).sum()
    }

    /// Copies the disk of a snapshot to a new file.
    pub(super) async fn copy_snapshot_disk(&self, name: &str, to: &Path) -> Result<(), Error> {
        let (object, name, to) = (self.object.clone(), name.to_owned(), to.to_owned());
        off_thread(move || copy_snapshot_disk(&object, &name, &to)).await
    }

    /// Copies the disk of a snapshot and the seed into the directory of a new instance. Returns the
    /// record of the seed, which both share.
    pub(crate) async fn copy_snapshot(
        &self,
        name: &str,
        directory: &Path,
    ) -> Result<Option<SeedRecord>, Error> {
        let (object, name) = (self.object.clone(), name.to_owned());
        let (directory, seed) = (directory.to_owned(), self.record.seed.clone());
        off_thread(move || {
            let id = object.id().as_str();
            if name != BASELINE {
                copy_snapshot_disk(&object, &name, &disk_in(&directory))?;
            }
            if seed.is_some() {
                // A seed is never written.
                let source = seed_in(object.path());
                let linked = fs::hard_link(&source, seed_in(&directory));
                linked.map_err(|_| Error::file_missing("workspace", id, &source))?;
            }
            Ok(seed)
        })
        .await
    }

    /// Makes a snapshot with this name.
    pub(crate) async fn make_snapshot(
        &self,
        name: &str,
        content: Option<Content>,
    ) -> Result<(), Error> {
        if snapshots(&self.object).find(name).is_some() {
            return Err(Error::snapshot_exists(self.id(), name));
        }
        match self.state {
            State::Started => {
                let name = name.to_owned();
                return client::ask(self, &Request::Snapshot { name, content }).await;
            }
            State::Expired => return Err(self.expired()),
            State::Starting => return Err(self.wrong_state()),
            State::Created | State::Stopped | State::Failed => {}
        }
        let (object, name) = (self.object.clone(), name.to_owned());
        let (noun, busy) = (self.kind.noun(), self.wrong_state());
        off_thread(move || {
            let Some(_held) = object.hold()? else {
                return Err(busy);
            };
            let record = update(&object, |_| {})?;
            let disk = disk(&object);
            if record.reset_to.is_none() && record.has_disk && !disk.exists() {
                return Err(Error::file_missing(noun, object.id().as_str(), &disk));
            }
            if record.reset_to.is_some() || !record.has_disk {
                return Err(busy);
            }
            make(&object, &name, content)
        })
        .await
    }

    /// Deletes a snapshot.
    pub(crate) async fn delete_snapshot(&self, name: &str) -> Result<(), Error> {
        let (object, name) = (self.object.clone(), name.to_owned());
        off_thread(move || {
            let id = object.id().as_str();
            let locked = snapshots(&object).lock()?;
            if update(&object, |_| {})?.reset_to.as_ref() == Some(&name) {
                return Err(Error::snapshot_in_use(id, &name));
            }
            if locked.remove(&name)? {
                return Ok(());
            }
            Err(missing(&object, &name))
        })
        .await
    }

    /// Stops the machine, and then records that the next start begins with this snapshot. The
    /// machine does not run between these steps, so no later write can be lost.
    pub(crate) async fn begin_reset(&self, name: &str) -> Result<(), Error> {
        match self.state {
            State::Expired => return Err(self.expired()),
            State::Starting => return Err(self.wrong_state()),
            State::Started | State::Created | State::Stopped | State::Failed => {}
        }
        // Another process may start it again each time.
        for _ in 0..START_RACES {
            if self.object.is_owned() {
                client::stop(self, false).await?;
            }
            let (object, name) = (self.object.clone(), name.to_owned());
            let recorded = off_thread(move || {
                let Some(_held) = object.hold()? else {
                    return Ok(false);
                };
                // Locked, so that the snapshot is not deleted in the meantime.
                let _locked = snapshots(&object).lock()?;
                if name != BASELINE && disk_of(&object, &name).is_none() {
                    return Err(missing(&object, &name));
                }
                update(&object, |record| record.reset_to = Some(name))?;
                Ok(true)
            });
            if recorded.await? {
                return Ok(());
            }
        }
        Err(self.wrong_state())
    }

    fn expired(&self) -> Error {
        Error::expired(self.kind.noun(), self.id(), self.record.ttl_seconds)
    }

    fn wrong_state(&self) -> Error {
        Error::no_snapshot_now(self.id(), self.state.name())
    }
}
