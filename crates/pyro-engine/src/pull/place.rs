//! The *place* where pulls into one directory keep what they need.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use pyro_store::{create_private_directory, create_private_file};
use sha2::{Digest, Sha256};

use super::packed::Packed;
use super::plan::Planned;
use super::pulled::PulledRecord;
use super::step::Steps;
use super::steps::PlannedSteps;
use super::transaction::{Journal, Transaction};
use crate::Error;
use crate::output::hex;

/// The directory of what pulls keep.
const PULLS: &str = "pulls";

/// A directory of the host.
pub(crate) struct Target {
    pub(crate) open: OwnedFd,
    pub(crate) path: PathBuf,
}

/// Held as long as a pull goes on.
pub(super) struct Place {
    directory: PathBuf,
    _lock: File,
}

impl Place {
    /// Waits until no other pull uses the same directory, and undoes one that was interrupted.
    pub(super) fn lock(base: &Path, target: &Path, open: &OwnedFd) -> Result<Self, Error> {
        let name = hex(&Sha256::digest(target.as_os_str().as_encoded_bytes())[..16]);
        let directory = base.join(PULLS).join(name);
        create_private_directory(&directory)?;
        let lock = create_private_file(&directory.join(".lock"));
        let lock = lock.map_err(|error| Error::transfer(&error))?;
        lock.lock().map_err(|error| Error::transfer(&error))?;
        let place = Self {
            directory,
            _lock: lock,
        };
        match Transaction::open(place.current()) {
            Some((transaction, Journal { is_done: true, .. })) => {
                transaction.keep_as(&place.last())?;
            }
            Some((transaction, journal)) => {
                transaction.roll_back(open.as_fd(), &journal.steps);
                transaction.discard()?;
            }
            None => {}
        }
        Ok(place)
    }

    /// Does what is planned for the directory, which is open, and has a path.
    pub(super) fn carry_out(
        &self,
        (open, path): (BorrowedFd<'_>, &Path),
        transaction: Transaction,
        plan: &Packed<Planned>,
        record: &PulledRecord,
        id: &str,
    ) -> Result<(), Error> {
        let steps = PlannedSteps::of(plan, open).map_err(|error| Error::transfer(&error))?;
        if steps.count() == 0 {
            return transaction.discard();
        }
        transaction.commit(open, path, id, &steps)?;
        record.write(plan)?;
        transaction.keep_as(&self.last())
    }

    /// The transaction that is prepared or carried out.
    pub(super) fn current(&self) -> PathBuf {
        self.directory.join("current")
    }

    /// The transaction that can be undone.
    pub(super) fn last(&self) -> PathBuf {
        self.directory.join("last")
    }
}
