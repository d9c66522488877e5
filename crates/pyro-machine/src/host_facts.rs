//! *Host facts* are measured or tested once and kept: the rate of the time-stamp counter and
//! whether KVM works (until the host reboots, or for a while), QEMU's version (until its file
//! changes).

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pyro_store::{create_private_directory, read_record, write_record};
use serde::{Deserialize, Serialize};

use crate::accelerator::Verdict;
use crate::vmm::qemu;
use crate::{Error, tsc};

/// The facts about this host.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct HostFacts {
    /// The boot these facts belong to.
    boot_id: String,
    /// Rate of the time-stamp counter, in kHz.
    pub(crate) tsc_khz: u64,
    /// Whether KVM has run a guest, if that was tried.
    pub kvm: Option<Verdict>,
    qemu: Option<KnownQemu>,
}

/// The inode number, size and modification time of a file.
type Stamp = (u64, u64, i64, i64);

/// A QEMU and its version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct KnownQemu {
    #[serde(with = "pyro_protocol::octets::path")]
    path: PathBuf,
    stamp: Stamp,
    version: String,
}

impl HostFacts {
    /// Whether the facts in `path` are complete: those of this boot and of the QEMU to use.
    pub(crate) fn are_known(path: &Path, search_path: &OsStr) -> bool {
        let known: Self = read_record(path).unwrap_or_default();
        let program = qemu::find(search_path);
        known.boot_id == current_boot_id()
            && known.tsc_khz != 0
            && program.is_ok_and(|program| known.knows(&program, stamp(&program)).is_some())
    }

    /// Returns the recorded QEMU, if it is this program and has not changed.
    fn knows(&self, program: &Path, stamp: Option<Stamp>) -> Option<&KnownQemu> {
        let known = self.qemu.as_ref()?;
        (known.path == program && Some(known.stamp) == stamp).then_some(known)
    }

    /// Reads the facts from `path` and determines the rest. Writes the file back if they changed;
    /// if it cannot be written, the next caller only spends the same time again.
    pub(crate) fn load(path: &Path) -> Self {
        let boot_id = current_boot_id();
        let known: Self = read_record(path).unwrap_or_default();
        if known.boot_id == boot_id && known.tsc_khz != 0 {
            return known;
        }
        let fresh = Self {
            boot_id,
            tsc_khz: tsc::measure_khz(),
            kvm: None,
            qemu: known.qemu,
        };
        fresh.save(path);
        fresh
    }

    /// Returns the QEMU to use; asks for its version only if the program changed.
    pub(crate) fn qemu(
        &mut self,
        search_path: &OsStr,
        path: &Path,
    ) -> Result<qemu::Program, Error> {
        let program = qemu::find(search_path)?;
        let stamp = stamp(&program);
        if let Some(known) = self.knows(&program, stamp) {
            let version = known.version.clone();
            return qemu::Program::new(program, version);
        }
        let version = qemu::ask_version(&program)?;
        let found = qemu::Program::new(program.clone(), version.clone())?;
        if let Some(stamp) = stamp {
            self.qemu = Some(KnownQemu {
                path: program,
                stamp,
                version,
            });
            self.save(path);
        }
        Ok(found)
    }

    /// The host's boot.
    pub(crate) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Remembers whether KVM works, until the host reboots; with `None`, it is tried anew.
    pub(crate) fn remember_kvm(&mut self, verdict: Option<Verdict>, path: &Path) {
        if self.kvm != verdict {
            self.kvm = verdict;
            self.save(path);
        }
    }

    fn save(&self, path: &Path) {
        let directory = path.parent().unwrap_or(Path::new("."));
        let saved = create_private_directory(directory).and_then(|()| write_record(path, self));
        if let Err(error) = saved {
            tracing::debug!(%error, "host facts are not kept");
        }
    }
}

/// The id of the host's current boot.
fn current_boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_another_boot_are_found_out_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.json");
        let old = HostFacts {
            boot_id: "another".into(),
            tsc_khz: 1,
            kvm: Some(Verdict::Works),
            qemu: None,
        };
        old.save(&path);
        let facts = HostFacts::load(&path);
        assert_ne!(facts.tsc_khz, 1);
        assert_eq!(facts.kvm, None);
        assert_eq!(HostFacts::load(&path), facts);
    }
}
