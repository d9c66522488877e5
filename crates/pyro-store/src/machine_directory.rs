//! A *machine directory* contains the files of one virtual machine on the host: its disk, its
//! console, and two locks. The process that made the machine holds `owner.lock`. The VMM holds
//! `vmm.lock`, which contains its process id and which it inherits for reading. If `owner.lock` is
//! free, the machine has no owner: the next sweep kills its VMM and removes the directory.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::lock::{End, end_holder, open_existing, open_lock, take};
use crate::private::is_own;
use crate::{Error, VmId, create_private_directory};

const OWNER_LOCK: &str = "owner.lock";
const VMM_LOCK: &str = "vmm.lock";
/// Held shared while a directory is being made, so that no sweep sees a directory without locks.
const GATE: &str = ".gate";
/// How long a sweep waits for one VMM that it has killed.
const VMM_EXIT_LIMIT: Duration = Duration::from_secs(2);

/// The directory of one virtual machine, owned by this process; removed when dropped.
#[derive(Debug)]
pub struct MachineDirectory {
    id: VmId,
    path: PathBuf,
    vmm_lock: File,
    vmm_note: File,
    _owner_lock: File,
}

impl MachineDirectory {
    /// Makes the directory of a new machine below `base`.
    ///
    /// # Errors
    /// When `base` cannot be written.
    pub fn create(base: &Path) -> Result<Self, Error> {
        create_private_directory(base)?;
        let gate_path = base.join(GATE);
        let gate = open_lock(&gate_path)?;
        gate.lock_shared()
            .map_err(|source| Error::new("lock", &gate_path, source))?;

        let id = VmId::random();
        let path = base.join(id.as_str());
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::new("create the directory", &path, source))?;
        // No directory may remain if the locks could not be made (no space, for example).
        match (take(&path.join(OWNER_LOCK)), take_for_vmm(&path)) {
            (Ok(owner_lock), Ok((vmm_lock, vmm_note))) => Ok(Self {
                id,
                path,
                vmm_lock,
                vmm_note,
                _owner_lock: owner_lock,
            }),
            (Err(error), _) | (_, Err(error)) => {
                let _ = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// The machine's id, which is also the directory's name.
    pub fn id(&self) -> &VmId {
        &self.id
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The locked file that the VMM must inherit, open for reading only: a guest that has broken
    /// out into the VMM must not write another process's id there, which a sweep would kill.
    pub fn vmm_lock(&self) -> &File {
        &self.vmm_lock
    }

    /// The same file, open for writing. The VMM's process id is written there before the VMM runs,
    /// so that other processes can end it if this one cannot.
    pub fn vmm_note(&self) -> &File {
        &self.vmm_note
    }
}

/// The process id of the VMM of the machine in this directory, as it was written at its start.
pub fn vmm_of(directory: &Path) -> Option<u32> {
    let note = fs::read_to_string(directory.join(VMM_LOCK)).ok()?;
    note.parse().ok()
}

/// Makes the VMM's lock and takes it: a lock belongs to the open file through which it was taken.
fn take_for_vmm(directory: &Path) -> Result<(File, File), Error> {
    let path = directory.join(VMM_LOCK);
    let note = open_lock(&path)?;
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let lock = File::options().read(true).custom_flags(flags).open(&path);
    let lock = lock.map_err(|source| Error::new("open the lock", &path, source))?;
    lock.try_lock()
        .map_err(|error| Error::new("lock", &path, error))?;
    Ok((lock, note))
}

impl Drop for MachineDirectory {
    fn drop(&mut self) {
        // If something remains, it has no owner from here on, and the next sweep retries.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What a [`sweep`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Directories without an owner that were removed.
    pub removed: usize,
    /// VMMs without an owner that were killed.
    pub ended: usize,
}

/// Removes the directories below `base` that have no owner, after killing their VMMs. Does nothing
/// if there is no `base`, or while another process sweeps or makes a machine.
pub fn sweep(base: &Path) -> Swept {
    let mut swept = Swept::default();
    let Ok(entries) = fs::read_dir(base) else {
        return swept;
    };
    let candidates: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| VmId::parse(name).is_some())
        })
        .map(|entry| entry.path())
        // Files of other users are not swept.
        .filter(|path| is_own(path))
        .collect();
    if candidates.is_empty() {
        return swept;
    }
    let Ok(gate) = open_lock(&base.join(GATE)) else {
        return swept;
    };
    if gate.try_lock().is_err() {
        return swept;
    }
    for path in candidates {
        // If the lock file is gone, another process is removing the directory.
        if let Ok(owner_lock) = open_existing(&path.join(OWNER_LOCK))
            && owner_lock.try_lock().is_err()
        {
            continue;
        }
        match end_holder(&path.join(VMM_LOCK), VMM_EXIT_LIMIT) {
            End::Gone => {}
            End::Ended => swept.ended += 1,
            End::Alive => continue,
        }
        if fs::remove_dir_all(&path).is_ok() {
            swept.removed += 1;
        }
    }
    swept
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_directory_with_an_owner_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let directory = MachineDirectory::create(base.path()).unwrap();
        assert_eq!(sweep(base.path()), Swept::default());
        let path = directory.path().to_owned();
        assert!(path.is_dir());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_without_an_owner_is_removed() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("0123456789ab")).unwrap();
        fs::write(base.path().join("0123456789ab/disk.ext4"), "x").unwrap();
        fs::create_dir_all(base.path().join("not-a-machine")).unwrap();
        assert_eq!(
            sweep(base.path()),
            Swept {
                removed: 1,
                ended: 0
            }
        );
        assert!(base.path().join("not-a-machine").exists());
        assert!(!base.path().join("0123456789ab").exists());
    }

    #[test]
    fn a_vmm_that_outlived_its_owner_is_ended() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("0123456789ab");
        fs::create_dir_all(&path).unwrap();
        // A stand-in for the VMM: a process that inherits the locked file as its stdin.
        let lock = open_lock(&path.join(VMM_LOCK)).unwrap();
        lock.try_lock().unwrap();
        let mut vmm = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::from(lock.try_clone().unwrap()))
            .spawn()
            .unwrap();
        fs::write(path.join(VMM_LOCK), vmm.id().to_string()).unwrap();
        assert!(lock.as_raw_fd() >= 0);
        drop(lock);
        assert_eq!(
            sweep(base.path()),
            Swept {
                removed: 1,
                ended: 1
            }
        );
        assert!(!vmm.wait().unwrap().success());
    }
}
