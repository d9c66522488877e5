//! The *store* of templates: finds, makes and removes them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pyro_store::{VmId, create_private_directory, create_private_file, write_record};

use super::lock::TemplateLock;
use super::record::{DISK, FORMAT, MEMORY, RECORD, Record, STATE, verify};
use super::stamp::Stamp;
use crate::Error;

/// The limit on the disk space of a user's templates. The least recently used go first.
const SPACE_LIMIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The free space that is needed to make one: four times the size of one.
const SPACE_NEEDED_BYTES: u64 = 512 * 1024 * 1024;
/// The file exists if the last clone did not answer in time.
const TIMED_OUT: &str = "timed-out";

/// All templates of a user.
#[derive(Debug)]
pub(crate) struct Templates {
    directory: PathBuf,
    /// The host's boot: no template is used after a reboot.
    boot_id: String,
}

/// A template whose files were verified; it is not removed while this lives.
#[derive(Debug)]
pub(crate) struct Template {
    path: PathBuf,
    /// `None` if the directory is read-only, so that neither locks nor templates can be written.
    lock: Option<TemplateLock>,
}

/// The result of looking for a template.
#[derive(Debug)]
pub(crate) enum TemplateLookup {
    /// A template.
    Template(Template),
    /// There is none; the holder of this may make it.
    Missing(TemplateBuilder),
    /// There is none yet: another process is making or removing it.
    Busy,
    /// There is none, and none can be made: the directory is read-only, or full.
    Unavailable,
}

/// The right to make one template.
#[derive(Debug)]
pub(crate) struct TemplateBuilder {
    path: PathBuf,
    /// The directory in which it is made; renamed when it is complete, removed otherwise.
    partial: tempfile::TempDir,
    boot_id: String,
    lock: TemplateLock,
}

impl Templates {
    pub(crate) fn new(directory: PathBuf, boot_id: String) -> Self {
        Self { directory, boot_id }
    }

    /// Finds the template for machines of this kind.
    pub(crate) fn find(&self, key: &str) -> TemplateLookup {
        let path = self.directory.join(key);
        let found = if verify(&path, &self.boot_id).is_ok() {
            self.hold(path)
        } else {
            self.builder(path)
        };
        found.unwrap_or_else(|error| {
            tracing::debug!(%error, "templates cannot be made");
            TemplateLookup::Unavailable
        })
    }

    /// Locks an existing template against removal. By then it may have been replaced, or removed.
    fn hold(&self, path: PathBuf) -> io::Result<TemplateLookup> {
        let lock = match TemplateLock::shared(&path) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(TemplateLookup::Busy),
            // Then it cannot be removed either.
            Err(error) if cannot_be_written(&error) => None,
            Err(error) => return Err(error),
        };
        if verify(&path, &self.boot_id).is_err() {
            return Ok(TemplateLookup::Busy);
        }
        // The time of the last use decides which is removed first; without it nothing breaks.
        let _ = File::open(path.join(RECORD)).and_then(|record| {
            record.set_times(fs::FileTimes::new().set_accessed(SystemTime::now()))
        });
        Ok(TemplateLookup::Template(Template { path, lock }))
    }

    fn builder(&self, path: PathBuf) -> io::Result<TemplateLookup> {
        create_private_directory(&self.directory).map_err(io::Error::other)?;
        if !has_room(&self.directory)? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let Some(lock) = TemplateLock::exclusive(&path)? else {
            return Ok(TemplateLookup::Busy);
        };
        // Another process may have made it in the meantime.
        if verify(&path, &self.boot_id).is_ok() {
            drop(lock);
            return self.hold(path);
        }
        remove(&path)?;
        let partial = tempfile::Builder::new()
            .prefix(&partial_prefix(&path))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.directory)?;
        Ok(TemplateLookup::Missing(TemplateBuilder {
            path,
            partial,
            boot_id: self.boot_id.clone(),
            lock,
        }))
    }

    /// Removes templates that are no longer usable, and returns their names, sorted.
    pub(crate) fn prune(&self) -> Vec<String> {
        let mut removed = Vec::new();
        for path in self.all() {
            if verify(&path, &self.boot_id).is_ok() {
                continue;
            }
            // A locked one may be in the making, and is not removed.
            let Ok(Some(_lock)) = TemplateLock::exclusive(&path) else {
                continue;
            };
            if verify(&path, &self.boot_id).is_err() && remove(&path).is_ok() {
                let _ = fs::remove_file(TemplateLock::path_of(&path));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                removed.push(format!("template-{name}"));
            }
        }
        self.remove_unused_locks();
        removed.sort();
        removed
    }

    /// Removes the locks of templates that are gone.
    fn remove_unused_locks(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_lock = path
                .extension()
                .is_some_and(|extension| extension == "lock");
            let template = path.with_extension("");
            if is_lock
                && !template.exists()
                && let Ok(Some(_lock)) = TemplateLock::exclusive(&template)
                && !template.exists()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }

    /// Removes the least recently used templates until the rest is within the limit.
    fn evict(&self) {
        let used = |path: &PathBuf| {
            fs::metadata(path.join(RECORD))
                .and_then(|meta| meta.accessed())
                .unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let mut all = self.all();
        all.sort_by_key(|path| std::cmp::Reverse(used(path)));
        let mut total = 0;
        for path in all {
            total += space(&path);
            if total <= SPACE_LIMIT_BYTES {
                continue;
            }
            // A locked one is in use.
            if let Ok(Some(_lock)) = TemplateLock::exclusive(&path)
                && let Err(error) = remove(&path)
            {
                tracing::debug!(%error, "a template could not be removed");
            }
        }
    }

    fn all(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !is_hidden(path))
            .collect()
    }
}

impl Template {
    pub(crate) fn memory(&self) -> PathBuf {
        self.path.join(MEMORY)
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.path.join(DISK)
    }

    pub(crate) fn state(&self) -> Result<Vec<u8>, Error> {
        fs::read(self.path.join(STATE)).map_err(|error| Error::template(&self.path, &error))
    }

    /// Notes that a clone did not answer in time. Returns whether that was noted before, since the
    /// last clone that did answer.
    pub(crate) fn timed_out_before(&self) -> bool {
        let noted = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(TIMED_OUT));
        noted.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
    }

    /// Notes that a clone works.
    pub(crate) fn was_restored(&self) {
        // Usually the file does not exist.
        let _ = fs::remove_file(self.path.join(TIMED_OUT));
    }

    /// Removes the template, unless others restore from it: the failure may be this machine's own.
    /// Running clones are not affected, because they hold its files open.
    pub(crate) fn discard(self) {
        if self.lock.as_ref().is_some_and(|lock| !lock.claim()) {
            return;
        }
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, "a template could not be removed");
        }
    }
}

impl TemplateBuilder {
    /// Creates the file for the machine's memory: the VMM may open only existing files.
    pub(crate) fn memory(&self) -> Result<PathBuf, Error> {
        let path = self.partial.path().join(MEMORY);
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Error::template(&path, &error))?;
        Ok(path)
    }

    /// Returns the error for a template that cannot be made.
    pub(crate) fn unusable(&self, detail: String) -> Error {
        Error::Template {
            path: self.path.clone(),
            detail,
        }
    }

    /// The path for the machine's disk.
    pub(crate) fn disk(&self) -> PathBuf {
        self.partial.path().join(DISK)
    }

    /// Makes a template from what an ended machine has left: its memory, its disk, and the `state`
    /// of its devices.
    pub(crate) fn finish(self, state: &[u8]) -> Result<Template, Error> {
        let failed = |error| Error::template(&self.path, &error);

        let kept = |name: &str| self.partial.path().join(name);
        create_private_file(&kept(STATE))
            .and_then(|mut file| file.write_all(state))
            .map_err(failed)?;
        // The record and the rename come last, so that a visible template is complete.
        let partial = self.partial.path();
        let stamp = |name: &str| Stamp::of(&kept(name)).map_err(failed);
        let record = Record {
            format: FORMAT,
            boot_id: self.boot_id.clone(),
            memory: stamp(MEMORY)?,
            state: stamp(STATE)?,
            disk: stamp(DISK)?,
        };
        write_record(&kept(RECORD), &record)?;
        fs::rename(partial, &self.path).map_err(failed)?;
        if let Some(parent) = self.path.parent() {
            Templates::new(parent.to_owned(), self.boot_id.clone()).evict();
        }
        // From here on, another maker removes this template only if it does not verify.
        let lock = self.lock.share().then_some(self.lock);
        Ok(Template {
            path: self.path,
            lock,
        })
    }
}

const PARTIAL: &str = ".partial-";
/// The prefix of templates that are being removed.
const TRASH: &str = ".trash-";

fn partial_prefix(path: &Path) -> String {
    format!(
        "{PARTIAL}{}-",
        path.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Removes what processes have left that died while they made or removed a template.
pub(crate) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let partial = name.strip_prefix(PARTIAL);
        let abandoned = match partial.and_then(|rest| rest.split_once('-')) {
            Some((key, _)) => is_free(&directory.join(format!("{key}.lock"))),
            None => name.starts_with(TRASH),
        };
        if abandoned {
            delete(&entry.path());
        }
    }
}

/// Whether the error says that the directory cannot be written.
fn cannot_be_written(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether the lock is free or does not exist.
fn is_free(lock: &Path) -> bool {
    match File::options().write(true).open(lock) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes a template: first by a rename, so that it is not found, then from the disk.
fn remove(path: &Path) -> io::Result<()> {
    let trash = path.with_file_name(format!("{TRASH}{}", VmId::random()));
    match fs::rename(path, &trash) {
        Ok(()) => {
            // The next sweep removes what cannot be removed now.
            delete(&trash);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a file or a directory.
fn delete(path: &Path) {
    let removed = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
    if let Err(error) = removed {
        tracing::debug!(%error, path = %path.display(), "cannot be removed");
    }
}

/// Whether there is room for a template. A VMM dies if its memory's file cannot grow.
fn has_room(directory: &Path) -> io::Result<bool> {
    let space = rustix::fs::statvfs(directory)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize) >= SPACE_NEEDED_BYTES)
}

fn space(path: &Path) -> u64 {
    [MEMORY, STATE, DISK]
        .iter()
        .filter_map(|name| fs::metadata(path.join(name)).ok())
        .map(|meta| meta.blocks() * 512)
        .sum()
}

#[cfg(test)]
mod tests;
