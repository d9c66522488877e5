//! The *files* of a machine: its private disk, and the seed of its workspace. They are removed with
//! the machine, or belong to an instance that keeps them.

use std::fs;
use std::path::{Path, PathBuf};

use pyro_protocol::Disk;
use pyro_store::{MachineDirectory, VmId, sync_directory};

use super::{disk, seed};
use crate::Error;
use crate::guest::Layers;
use crate::template::TemplateKind;
use crate::vmm::Disks;

/// Files that outlive the machine.
#[derive(Clone, Copy, Debug)]
pub struct KeptFiles<'a> {
    /// The machine's name.
    pub name: &'a VmId,
    /// Its private disk; made if it does not exist.
    pub disk: &'a Path,
    /// The seed's image, below the private disk's layer.
    pub seed: Option<&'a Path>,
}

/// Copies of an instance's files, for a machine that only reads them.
#[derive(Clone, Copy, Debug)]
pub struct CopiedFiles<'a> {
    /// A copy of its private disk; made blank if it does not exist.
    pub disk: &'a Path,
    /// The seed's image, which is never written.
    pub seed: Option<&'a Path>,
    /// A blank image that is written, if there is one.
    pub output: Option<&'a Path>,
    /// A copy of a snapshot's private disk, if the instance is compared with it.
    pub snapshot: Option<&'a Path>,
}

/// The files of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Files<'a> {
    /// Its own, removed with it.
    Own,
    /// Those of an instance.
    Kept(KeptFiles<'a>),
    /// Copies of an instance's.
    Copied(CopiedFiles<'a>),
}

/// The paths of the disks of a machine that is about to start.
#[derive(Debug)]
pub(crate) struct DiskPaths {
    private: PathBuf,
    seed: Option<PathBuf>,
    output: Option<PathBuf>,
    snapshot: Option<PathBuf>,
}

impl DiskPaths {
    pub(crate) fn as_disks(&self) -> Disks<'_> {
        Disks {
            private: &self.private,
            seed: self.seed.as_deref(),
            output: self.output.as_deref(),
            snapshot: self.snapshot.as_deref(),
        }
    }
}

impl Files<'_> {
    /// The kind of template that fits: only a disk that was never written can be part of one.
    pub(crate) fn template_kind(self) -> TemplateKind {
        match self {
            Files::Own => TemplateKind::Assembled,
            Files::Kept(kept) if kept.seed.is_none() && !kept.disk.exists() => {
                TemplateKind::Assembled
            }
            Files::Kept(_) | Files::Copied(_) => TemplateKind::Bare,
        }
    }

    /// The machine's name, if it has one besides its id.
    pub(crate) fn name(&self) -> Option<&VmId> {
        match self {
            Files::Own | Files::Copied(_) => None,
            Files::Kept(kept) => Some(kept.name),
        }
    }

    /// What the agent assembles the root file system from.
    pub(crate) fn layers(&self) -> Layers {
        let (disk, seed) = match self {
            Files::Own => (Disk::Private, None),
            Files::Kept(kept) => (Disk::Private, kept.seed),
            Files::Copied(copied) => (Disk::ReadOnly, copied.seed),
        };
        Layers {
            disk,
            seed: seed.is_some(),
        }
    }

    /// Makes the missing files. A new private disk is a copy of `begin`, or blank.
    pub(crate) async fn lay_out(
        &self,
        kind: TemplateKind,
        begin: Option<&Path>,
        directory: &MachineDirectory,
        base: &Path,
    ) -> Result<DiskPaths, Error> {
        let own = directory.path().join("disk.ext4");
        let make = async |path: &Path| match begin {
            Some(from) => disk::copy(from, path),
            None => disk::create(path, base, directory.path()).await,
        };
        let (private, seed) = match self {
            Files::Own => {
                make(&own).await?;
                (own, None)
            }
            Files::Copied(copied) => {
                if !copied.disk.exists() {
                    make(copied.disk).await?;
                }
                (copied.disk.to_owned(), copied.seed)
            }
            Files::Kept(kept) => {
                if !kept.disk.exists() {
                    // The disk is renamed into place, so that it exists completely or not at all.
                    let partial = kept.disk.with_extension("partial");
                    let _ = fs::remove_file(&partial);
                    make(&partial).await?;
                    fs::rename(&partial, kept.disk).map_err(|error| Error::Disk {
                        path: kept.disk.to_owned(),
                        detail: error.to_string(),
                    })?;
                    // The rename must be durable before the guest flushes anything to the disk.
                    if let Some(parent) = kept.disk.parent() {
                        sync_directory(parent)?;
                    }
                }
                (kept.disk.to_owned(), kept.seed)
            }
        };
        let seed = match (kind, seed) {
            (TemplateKind::Assembled, _) => None,
            (TemplateKind::Bare, Some(image)) => Some(seed::fit(image)?),
            (TemplateKind::Bare, None) => Some(seed::no_seed(directory.path())?),
        };
        let (output, snapshot) = match self {
            Files::Copied(copied) => (copied.output, copied.snapshot),
            Files::Own | Files::Kept(_) => (None, None),
        };
        Ok(DiskPaths {
            private,
            seed,
            output: output.map(Path::to_owned),
            snapshot: snapshot.map(Path::to_owned),
        })
    }
}
