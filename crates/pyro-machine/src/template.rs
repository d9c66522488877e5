//! A *template* is a machine that was booted, prepared and warmed up once: its memory as a sparse
//! file, the state of its devices, its disk. Clones map the memory privately and go on from
//! there.
//!
//! QEMU checks next to nothing when it restores: another image, another processor, another number
//! of them "work", or hang. So a template is found only by a digest of everything it depends on,
//! and used only if its files are, to the inode and the nanosecond, those that were saved.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pyro_store::{VmId, create_private_directory, create_private_file, read_record, write_record};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::guest::{Command, Streams};
use crate::owned::OwnedMachine;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::template_lock::TemplateLock;
use crate::vmm::qemu::{Channels, command_line};
use crate::vmm::{Disks, Memory};

/// To be raised when templates of an older pyro must not be used any more.
const FORMAT: u32 = 2;
/// What all templates of a user may take on disk. The least recently used go first.
const SPACE_LIMIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// What must be free to make one: four times what one takes.
const SPACE_NEEDED_BYTES: u64 = 512 * 1024 * 1024;
/// Run once before the machine is saved: the pages of what is used most are then in its memory.
const WARM_UP: &str = "for program in true sh cat ls env uname id; do $program </dev/null; done; \
                       git --version; python3 -c 1; sh -c 'sh -c true'; true";
const WARM_UP_LIMIT: Duration = Duration::from_secs(30);

/// How long the guest does nothing before it is saved: what the kernel puts off until later,
/// such as freeing what belonged to commands, every clone would otherwise do first.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);

const RECORD: &str = "template.json";
const MEMORY: &str = "memory";
const STATE: &str = "state";
const DISK: &str = "disk.ext4";
/// There, if the last clone did not answer in time.
const TIMED_OUT: &str = "timed-out";

/// All templates of a user.
#[derive(Debug)]
pub(crate) struct Templates {
    directory: PathBuf,
    /// The host's boot, beyond which no template is used.
    boot_id: String,
}

/// A template whose files were verified, and are not removed while this lives.
#[derive(Debug)]
pub(crate) struct Template {
    path: PathBuf,
    /// `None` where locks cannot be written, and templates neither.
    lock: Option<TemplateLock>,
}

/// What there is for a kind of machine.
#[derive(Debug)]
pub(crate) enum TemplateLookup {
    /// A template.
    Template(Template),
    /// None; whoever holds this may make it.
    Missing(TemplateBuilder),
    /// None yet: somebody else makes it, or removes it at this moment.
    Busy,
    /// None, and none can be made: the directory cannot be written, or is full.
    Unavailable,
}

/// The right to make one template.
#[derive(Debug)]
pub(crate) struct TemplateBuilder {
    path: PathBuf,
    /// Where it is made; renamed when it is done, removed when it is not.
    partial: tempfile::TempDir,
    boot_id: String,
    lock: TemplateLock,
}

/// What is written down about a template, last of all.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Record {
    format: u32,
    /// The host's boot: device state is not carried over to another one.
    boot_id: String,
    memory: Stamp,
    state: Stamp,
    disk: Stamp,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
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

    /// Keeps a template that is there from being removed. Another may be there by now, or none.
    fn hold(&self, path: PathBuf) -> io::Result<TemplateLookup> {
        let lock = match TemplateLock::shared(&path) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(TemplateLookup::Busy),
            // Nobody can remove one either.
            Err(error) if cannot_be_written(&error) => None,
            Err(error) => return Err(error),
        };
        if verify(&path, &self.boot_id).is_err() {
            return Ok(TemplateLookup::Busy);
        }
        // When it was last used decides what goes first; not knowing does no harm.
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
        // Somebody may have made it since it was looked for.
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

    /// Removes templates that cannot be used any more, and returns their names, sorted.
    pub(crate) fn prune(&self) -> Vec<String> {
        let mut removed = Vec::new();
        for path in self.all() {
            if verify(&path, &self.boot_id).is_ok() {
                continue;
            }
            // One that is being made is not finished yet, which is no reason to remove it.
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

    /// Makes room: the least recently used templates go until the rest is small enough.
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
            // One that somebody restores from is used.
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
        fs::read(self.path.join(STATE)).map_err(|error| failed(&self.path, &error))
    }

    /// Notes that a clone did not answer in time. Returns whether that is noted already, of a clone
    /// since the last that did.
    pub(crate) fn timed_out_before(&self) -> bool {
        let noted = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(TIMED_OUT));
        noted.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
    }

    /// Notes that a clone of it works.
    pub(crate) fn was_restored(&self) {
        // Nearly always there is nothing to remove.
        let _ = fs::remove_file(self.path.join(TIMED_OUT));
    }

    /// Removes it, unless others restore from it: it may be our own machine that fails. Clones that
    /// run are not affected: they hold its files open.
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
    /// Makes the file in which the machine shall keep its memory: it may open what is there.
    pub(crate) fn memory(&self) -> Result<PathBuf, Error> {
        let path = self.partial.path().join(MEMORY);
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(&path, &error))?;
        Ok(path)
    }

    /// Where the machine's disk shall be.
    pub(crate) fn disk(&self) -> PathBuf {
        self.partial.path().join(DISK)
    }

    /// Saves the machine and makes a template of what it leaves.
    pub(crate) async fn finish(
        self,
        mut machine: OwnedMachine,
        limit: Duration,
    ) -> Result<Template, Error> {
        let unusable = |detail| Error::Template {
            path: self.path.clone(),
            detail,
        };
        let state = machine.save(limit).await.map_err(unusable)?;
        drop(machine);
        let failed = |error| failed(&self.path, &error);

        let kept = |name: &str| self.partial.path().join(name);
        create_private_file(&kept(STATE))
            .and_then(|mut file| file.write_all(&state))
            .map_err(failed)?;
        // What is there is complete, or it is not there.
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
        // Whoever makes another now removes this one first only if it does not verify.
        let lock = self.lock.share().then_some(self.lock);
        Ok(Template {
            path: self.path,
            lock,
        })
    }
}

const PARTIAL: &str = ".partial-";
/// What is being removed.
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

/// Runs the commands whose pages, and translations, a clone shall find.
pub(crate) async fn warm_up(machine: &mut OwnedMachine) -> Result<(), Error> {
    let command = Command {
        argv: vec!["/bin/sh".into(), "-c".into(), WARM_UP.into()],
        ..Command::default()
    };
    let (mut stdout, mut stderr) = (tokio::io::sink(), tokio::io::sink());
    let streams = Streams {
        stdin: None,
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let deadline = machine.deadline(WARM_UP_LIMIT);
    if let Ok(ran) = deadline.bound(machine.run(&command, streams)).await {
        return ran.map(|_| ());
    }
    // Clones will have to do more, and work all the same.
    tracing::warn!("the guest was not warmed up in time");
    Ok(())
}

/// Removes what was left by those who died while they made a template, or removed one.
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

/// Whether a directory is one that we cannot write to.
fn cannot_be_written(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether nobody holds the lock, which is also true of one that is gone.
fn is_free(lock: &Path) -> bool {
    match File::options().write(true).open(lock) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Checks that everything is as it was saved.
fn verify(path: &Path, boot_id: &str) -> Result<(), ()> {
    let record: Record = read_record(&path.join(RECORD)).ok_or(())?;
    let same =
        |name: &str, saved: &Stamp| Stamp::of(&path.join(name)).is_ok_and(|now| now == *saved);
    let valid = record.format == FORMAT
        && record.boot_id == boot_id
        && same(MEMORY, &record.memory)
        && same(STATE, &record.state)
        && same(DISK, &record.disk);
    if valid { Ok(()) } else { Err(()) }
}

/// How far the machine was when it was saved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TemplateKind {
    /// Its root file system is assembled, on a fresh private disk: for new machines.
    Assembled,
    /// Only its agent runs; its disks are not looked at yet: for machines that have theirs.
    Bare,
}

/// A digest of everything that a template depends on.
pub(crate) fn key(
    platform: &Platform,
    spec: &MachineSpec,
    stage: TemplateKind,
) -> Result<String, Error> {
    let channels = Channels {
        agent: 0,
        console: 0,
        control: 0,
        // A network is no part of it.
        network: None,
    };
    // The rate is measured, a little differently each time; it cannot change while the host runs.
    let timeless = Platform {
        tsc_khz: 0,
        ..platform.clone()
    };
    let nowhere = Path::new("");
    let disks = Disks {
        private: nowhere,
        seed: (stage == TemplateKind::Bare).then_some(nowhere),
    };
    let line = command_line(&timeless, spec, Memory::Anonymous, disks, channels);
    let mut digest = Sha256::new();
    digest.update(format!("{FORMAT}\0{}\0{line:?}", platform.boot_id));
    digest.update(&platform.program.version_text);
    digest.update(&platform.processor);
    for file in [
        &platform.program.path,
        &spec.kernel,
        &spec.initramfs,
        &spec.rootfs,
    ] {
        let stamp = Stamp::of(file).map_err(|error| failed(file, &error))?;
        digest.update(format!("\0{}\0{stamp:?}", file.display()));
    }
    // Half of it is more than enough to tell a user's templates apart.
    Ok(digest.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat())
}

/// Removes a template: first from where it would be found, then from the disk.
fn remove(path: &Path) -> io::Result<()> {
    let trash = path.with_file_name(format!("{TRASH}{}", VmId::random()));
    match fs::rename(path, &trash) {
        Ok(()) => {
            // What is out of the way and cannot be removed now is removed by the next sweep.
            delete(&trash);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what is at `path`, whatever somebody may have put there.
fn delete(path: &Path) {
    let removed = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
    if let Err(error) = removed {
        tracing::debug!(%error, path = %path.display(), "cannot be removed");
    }
}

/// Whether a template fits. A VMM whose memory is in a file dies when that cannot grow.
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

fn failed(path: &Path, error: &io::Error) -> Error {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return Error::NoSpace {
            path: path.to_owned(),
        };
    }
    Error::Template {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
