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

/// A QEMU and its version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct KnownQemu {
    #[serde(with = "pyro_protocol::octets::path")]
    path: PathBuf,
    stamp: (u64, u64, i64, i64),
    version: String,
}

impl HostFacts {
    /// Reads the facts from `path` and determines the rest. Writes the file back if they changed;
    /// if it cannot be written, the next caller only spends the same time again.
    pub(crate) fn load(path: &Path) -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned();
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
        if let (Some(known), Some(stamp)) = (&self.qemu, stamp)
            && known.path == program
            && known.stamp == stamp
        {
            return qemu::Program::new(program, known.version.clone());
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

fn stamp(path: &Path) -> Option<(u64, u64, i64, i64)> {
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
