//! An *unpacking* puts the members of an archive below a destination: all of them or none, even if
//! a process or the machine dies.
//!
//! Processes have their working directory below the destination, so it cannot be replaced by a new
//! one. Instead everything is [staged](staging) on the same file system first. Then a marker is
//! written, the *commit*, and only then the files are [moved into place](place). The next unpacking
//! or the next boot drops staged files without a commit, and finishes those with one.
//!
//! The archive comes from the host and is trusted to be harmless, not to be complete. Commands
//! control the tree below the destination and may put symbolic links anywhere: no link is followed,
//! and nothing outside of the destination's file system is touched.

mod archive;
mod direct;
mod edits;
mod holes;
mod place;
mod plan;
pub(crate) mod staging;
mod step;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use pyro_protocol::{Answer, Refusal, RefusalReason};
use rustix::process::{Gid, Uid};

use crate::account;
use crate::error::Error;
use crate::streams::task::{Done, Pipes};
use archive::Totals;
pub(crate) use edits::edit;
use plan::Plan;
use staging::{Staging, StagingRoot};
use step::Step;

/// A finished unpacking.
#[derive(Debug)]
struct Unpacked {
    totals: Totals,
    staging: Staging,
}

impl Unpacked {
    /// Removes the staging directory. The next unpacking removes what cannot be removed now.
    fn clean_up(self) {
        drop(self.staging.remove());
    }
}

/// Carries out [`Call::Unpack`](pyro_protocol::Call::Unpack) in the file system whose root is
/// `root`. The host gets the answer before the staging directory is removed.
pub(crate) fn unpack(
    root: &Path,
    destination: &str,
    owner: Option<&str>,
    pipes: Pipes,
    done: Done,
) {
    let Pipes { input, output } = pipes;
    drop(output);
    let owner = match owner.map(|owner| account::find(root, owner)).transpose() {
        Ok(account) => account.map(|account| (account.ids.user, account.ids.group)),
        Err(refusal) => return done.finish(Err(refusal)),
    };
    match run(root, destination, owner, input, &mut |_| {}) {
        Ok(unpacked) => {
            let Totals { entries, bytes } = unpacked.totals;
            done.finish(Ok(Answer::Unpacked { entries, bytes }));
            unpacked.clean_up();
        }
        Err(error) => {
            let refusal = Refusal::new(RefusalReason::NotUnpacked, error.to_string());
            done.finish(Err(refusal));
        }
    }
}

/// Unpacks an archive below `destination`, in the file system whose root is `root`. With an owner,
/// directories that exist stay as they are. The host need not wait for the clean-up.
fn run(
    root: &Path,
    destination: &str,
    owner: Option<(Uid, Gid)>,
    input: impl Read,
    step: &mut dyn FnMut(Step),
) -> Result<Unpacked, Error> {
    let destination = plan::destination(destination)?;
    let (ground, staging) = stage(root)?;
    let commit = |step: &mut dyn FnMut(Step)| {
        let (entries, totals) = archive::stage(input, &staging.directory, owner, step)?;
        let mut plan = Plan {
            destination,
            entries,
        };
        // Until all files are in place, no other unpacking checks or moves files.
        let lock = ground.lock()?;
        if owner.is_some() {
            place::keep_directories(&ground.root, &mut plan);
        }
        place::check(&ground.root, &plan)?;
        staging.commit(&plan, step)?;
        Ok((plan, totals, lock))
    };
    let (plan, totals, _lock) = match commit(step) {
        Ok(committed) => committed,
        Err(error) => {
            // The next unpacking removes what cannot be removed now.
            drop(staging.remove());
            return Err(error);
        }
    };
    let misfit = finish(&ground, &staging, &plan, step)?;
    let unpacked = Unpacked { totals, staging };
    match misfit {
        None => Ok(unpacked),
        Some(error) => {
            unpacked.clean_up();
            Err(error)
        }
    }
}

/// Makes a staging directory, after recovering interrupted unpackings.
pub(crate) fn stage(root: &Path) -> Result<(StagingRoot, Staging), Error> {
    let ground = StagingRoot::open(root)?;
    let lock = ground.lock()?;
    recover_all(&ground)?;
    let staging = Staging::create(&ground, &lock)?;
    drop(lock);
    Ok((ground, staging))
}

/// Unpacks, cleans up, and returns whether it succeeded.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(root: &Path, destination: &str, archive: &[u8]) -> bool {
    match run(root, destination, None, archive, &mut |_| {}) {
        Ok(unpacked) => {
            unpacked.clean_up();
            true
        }
        Err(_) => false,
    }
}

/// Recovers from interrupted unpackings: finishes those that were committed, and drops the others.
///
/// # Errors
/// When one cannot be finished now. It is retried the next time.
pub(crate) fn recover(root: &Path) -> Result<(), Error> {
    if !StagingRoot::exists(root) {
        return Ok(());
    }
    let ground = StagingRoot::open(root)?;
    let _lock = ground.lock()?;
    recover_all(&ground)
}

/// The same for a caller that holds the lock.
fn recover_all(ground: &StagingRoot) -> Result<(), Error> {
    for staging in Staging::abandoned(ground)? {
        let misfit = match staging.committed()? {
            Some(plan) => finish(ground, &staging, &plan, &mut |_| {})?,
            None => None,
        };
        staging.remove()?;
        if let Some(error) = misfit {
            return Err(error);
        }
    }
    Ok(())
}

/// Moves committed files into place. Returns the error for the first that did not fit.
///
/// # Errors
/// When it is to be retried the next time.
fn finish(
    ground: &StagingRoot,
    staging: &Staging,
    plan: &Plan,
    step: &mut dyn FnMut(Step),
) -> Result<Option<Error>, Error> {
    let misfit = place::place(&ground.root, &staging.directory, plan, step)?;
    staging.unmark()?;
    step(Step::Unmarked);
    Ok(misfit)
}
