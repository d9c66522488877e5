//! *Copying*: what an instruction copies, with its variables put in.

use std::fs;
use std::path::PathBuf;

use pyro_environment::Process;
use pyro_store::MachineDirectory;

use super::dockerfile::Source;
use super::finished::{Finished, Key};
use crate::{Engine, Error};

/// What is copied where.
pub(super) struct Copying {
    pub(super) origin: Origin,
    /// Paths at the origin, and texts. None for an empty directory.
    pub(super) sources: Vec<Source>,
    /// An absolute path in the guest.
    pub(super) destination: String,
    /// Whether the destination is said to be a directory.
    pub(super) into: bool,
    pub(super) owner: String,
    /// The permissions of all that is copied; none to keep those it has.
    pub(super) mode: Option<u32>,
    /// The files, if they had to be looked at already.
    pub(super) laid: Option<Laid>,
}

/// Where paths lead to.
pub(super) enum Origin {
    Context,
    /// Another stage or environment, and what the instruction calls it.
    Stage(Box<Finished>, String),
}

/// A directory that is removed on drop, or when a machine is started after this process was killed.
pub(super) struct Scratch(MachineDirectory);

/// Files that are laid out as they are to be copied.
pub(super) struct Laid {
    pub(super) directory: Scratch,
    /// Whether they go into the destination, or the only one becomes it.
    pub(super) into: bool,
}

impl Scratch {
    pub(super) fn create(engine: &Engine) -> Result<Self, Error> {
        let scratch = Self(engine.machines.directory_for_files()?);
        fs::create_dir(scratch.path()).map_err(|error| Error::transfer(&error))?;
        Ok(scratch)
    }

    /// Its path, where nothing else is.
    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("files")
    }
}

impl Copying {
    /// A directory that is to exist.
    pub(super) fn directory(process: &Process) -> Self {
        Self {
            origin: Origin::Context,
            sources: Vec::new(),
            destination: process.working_dir.clone(),
            into: true,
            owner: "0:0".into(),
            mode: None,
            laid: None,
        }
    }

    /// What the files of another stage are known by: they are the same whenever that has done the
    /// same. Files of the context can change at any time.
    pub(super) fn key_of_files(&self) -> Option<Key> {
        match &self.origin {
            Origin::Context => None,
            Origin::Stage(stage, _) => {
                let sources = (&self.sources, self.into, self.mode);
                Some(stage.key.then(&("files", sources)))
            }
        }
    }
}
