//! A *pull* brings what was changed in a workspace home: into the directory that it was seeded from,
//! or another one. It merges three sides of each path: how it began, the workspace, and the host.

mod decide;
mod made;
mod node;
mod packed;
mod place;
mod plan;
mod protected;
mod pulled;
mod receive;
mod rewrite;
mod step;
mod steps;
mod transaction;
mod undo;

#[cfg(test)]
mod memory_tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use pyro_machine::{Call, FilePath, octets};
use sha2::{Digest, Sha256};

use crate::comparison::{Machine, compare};
use crate::instance::{self, Instance};
use crate::off_thread::{off_thread, pipe};
use crate::request::{WORKSPACE, path_text};
use crate::{Engine, Error, Listener};
use made::MadePath;
use node::{Node, Sum};
use packed::Packed;
use place::Place;
pub(crate) use place::Target;
pub(crate) use plan::{Action, OnConflict, Outcome, Reason};
use plan::{Change, Planned};
use protected::Named;
use pulled::Pulled;
use receive::Receiver;
use transaction::Transaction;
pub(crate) use undo::undo;

/// What a pull is to do.
pub(crate) struct Wanted {
    /// Paths below `/workspace`; nothing means all.
    pub(crate) paths: Vec<String>,
    pub(crate) on_conflict: OnConflict,
    /// Whether only the plan is wanted.
    pub(crate) check: bool,
}

/// Pulls what a workspace has changed into a directory.
pub(crate) async fn pull(
    engine: &Engine,
    instance: &Instance,
    target: Target,
    wanted: Wanted,
    listener: &Listener,
) -> Result<Outcome, Error> {
    let (base, path, open) = (engine.config.base_dir.clone(), target.path, target.open);
    let open = Arc::new(open);
    let (locked, locking) = (path.clone(), Arc::clone(&open));
    let place = off_thread(move || Place::lock(&base, &locked, &locking)).await?;
    let transaction = Transaction::create(place.current())?;
    let workspace = instance.object.path().to_owned();
    let pulled = Pulled::read(&workspace, &path_text(&path));
    let named = wanted
        .paths
        .iter()
        .map(|path| octets::decode(path).into_owned());
    let receiver = Receiver::new(
        Arc::clone(&open),
        transaction,
        pulled,
        Named(named.collect()),
        wanted.on_conflict,
        listener.clone(),
    );
    let (receiver, changed) =
        compare(Machine::Itself(instance), wanted.paths, true, receiver).await?;
    let mut receiver = off_thread(move || {
        let mut receiver = receiver;
        receiver.end().map(|()| receiver)
    })
    .await?;
    take_back(instance, &mut receiver).await?;

    let Receiver {
        plan,
        kept,
        transaction,
        pulled,
        ..
    } = receiver;
    // What is not needed any more may be large.
    let record = pulled.into_record();
    let outcome = Outcome::of(&plan, kept.len(), changed);
    let conflicts = outcome.count(Action::Conflict);
    if wanted.check || conflicts > 0 {
        transaction.discard()?;
    }
    if wanted.check {
        return Ok(outcome);
    }
    if conflicts > 0 {
        let named = outcome.conflicts();
        return Err(Error::pull_conflicts(
            instance.id(),
            &path,
            conflicts,
            named,
        ));
    }
    drop(kept);
    // Otherwise the machine could lose what is here by then. The next pull would take that for a
    // change that was undone in the workspace, and undo it here, too.
    instance::flush(instance).await?;
    let id = instance.id().to_owned();
    off_thread(move || {
        place.carry_out((open.as_fd(), &path), transaction, &plan, &record, &id)?;
        Ok(outcome)
    })
    .await
}

/// Plans what an earlier pull has made and the workspace has made undone since: it does not differ
/// from how it began any more.
async fn take_back(instance: &Instance, receiver: &mut Receiver) -> Result<(), Error> {
    let mut more = Packed::default();
    for number in 0..receiver.pulled.count() {
        let MadePath { path, made } = receiver.pulled.nth(number);
        if receiver.has(&path) || !receiver.named.wants(&octets::decode(&path)) {
            continue;
        }
        let found = Node::at(receiver.target.as_fd(), &octets::decode(&path));
        let found = found.map_err(|error| Error::transfer(&error))?;
        if found != made.node || found == made.base || made.node != made.workspace {
            continue;
        }
        let mut content = None;
        if let Node::File { sha256, .. } = &made.base {
            let number = receiver.next_number();
            let file = receiver.transaction.new_content(number);
            if read_file(instance, &path, &file).await? != *sha256 {
                // It has changed again in this moment.
                continue;
            }
            content = Some(number);
        }
        let action = match made.base {
            Node::Absent => Action::Delete,
            _ => Action::Modify,
        };
        more.push(&Planned {
            path,
            action,
            reason: Some(Reason::TakenBack),
            change: Some(Change {
                base: made.base.clone(),
                workspace: made.base.clone(),
                old: found,
                new: made.base,
                content,
            }),
        });
    }
    receiver.plan.append(&more);
    receiver.plan.sort();
    Ok(())
}

/// Reads a file of the workspace into a new one; returns the SHA-256 of what it holds.
async fn read_file(instance: &Instance, path: &str, to: &Path) -> Result<Sum, Error> {
    let call = Call::ReadFile {
        file: FilePath {
            root: WORKSPACE.into(),
            path: path.to_owned(),
        },
        offset: 0,
        max_bytes: u64::MAX,
    };
    let failed = |error: io::Error| Error::transfer(&error);
    let mut file = File::create_new(to).map_err(failed)?;
    let (mut output, mut input) = pipe().map_err(failed)?;
    let writing = off_thread(move || {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match input.read(&mut buffer)? {
                0 => break,
                length => {
                    hash.update(&buffer[..length]);
                    file.write_all(&buffer[..length])?;
                }
            }
        }
        file.sync_data()?;
        Ok(Sum::from(hash))
    });
    let calling = async {
        let answer = instance::call(instance, &call, &[], &mut output).await;
        drop(output);
        answer
    };
    let (written, answer) = tokio::join!(writing, calling);
    answer?;
    written.map_err(failed)
}
