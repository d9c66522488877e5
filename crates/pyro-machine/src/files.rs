//! The *files* a machine works on: its private disk, and the seed that its workspace begins with.
//! They end with it, or are somebody's who keeps them.

use std::fs;
use std::path::{Path, PathBuf};

use pyro_store::{MachineDirectory, VmId, sync_directory};

use crate::qemu::Disks;
use crate::template::TemplateKind;
use crate::{Error, disk};

/// Files that outlive the machine.
#[derive(Clone, Copy, Debug)]
pub struct KeptFiles<'a> {
    /// What the machine is called.
    pub name: &'a VmId,
    /// Its private disk; made if it is not there.
    pub disk: &'a Path,
    /// The image that its workspace begins with, below the private disk's layer.
    pub seed: Option<&'a Path>,
}

/// The files a machine works on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Files<'a> {
    /// Its own.
    Own,
    /// Somebody else's.
    Kept(KeptFiles<'a>),
}

/// The files of a machine that is about to start.
#[derive(Debug)]
pub(crate) struct DiskPaths {
    private: PathBuf,
    seed: Option<PathBuf>,
}

impl DiskPaths {
    pub(crate) fn as_disks(&self) -> Disks<'_> {
        Disks {
            private: &self.private,
            seed: self.seed.as_deref(),
        }
    }
}

impl Files<'_> {
    /// What kind of template suits them: only what nobody has written to yet can be part of one.
    pub(crate) fn stage(self) -> TemplateKind {
        match self {
            Files::Own => TemplateKind::Assembled,
            Files::Kept(kept) if kept.seed.is_none() && !kept.disk.exists() => {
                TemplateKind::Assembled
            }
            Files::Kept(_) => TemplateKind::Bare,
        }
    }

    /// What the machine is called, unless it has only its id.
    pub(crate) fn name(&self) -> Option<&VmId> {
        match self {
            Files::Own => None,
            Files::Kept(kept) => Some(kept.name),
        }
    }

    pub(crate) fn has_seed(&self) -> bool {
        matches!(self, Files::Kept(kept) if kept.seed.is_some())
    }

    /// Makes what is not there. A new private disk is a copy of `begin`, or blank.
    pub(crate) fn lay_out(
        &self,
        stage: TemplateKind,
        begin: Option<&Path>,
        directory: &MachineDirectory,
        base: &Path,
    ) -> Result<DiskPaths, Error> {
        let own = directory.path().join("disk.ext4");
        let make = |path: &Path| match begin {
            Some(from) => disk::copy(from, path),
            None => disk::create(path, base, directory.path()),
        };
        let (private, seed) = match self {
            Files::Own => {
                make(&own)?;
                (own, None)
            }
            Files::Kept(kept) => {
                if !kept.disk.exists() {
                    // It is there whole or not at all.
                    let partial = kept.disk.with_extension("partial");
                    let _ = fs::remove_file(&partial);
                    make(&partial)?;
                    fs::rename(&partial, kept.disk).map_err(|error| Error::Disk {
                        path: kept.disk.to_owned(),
                        detail: error.to_string(),
                    })?;
                    // What a guest flushes is then found under this name.
                    if let Some(parent) = kept.disk.parent() {
                        sync_directory(parent)?;
                    }
                }
                (kept.disk.to_owned(), kept.seed)
            }
        };
        let seed = match (stage, seed) {
            (TemplateKind::Assembled, _) => None,
            (TemplateKind::Bare, Some(seed)) => Some(disk::fit_seed(seed)?),
            (TemplateKind::Bare, None) => Some(disk::no_seed(directory.path())?),
        };
        Ok(DiskPaths { private, seed })
    }
}
