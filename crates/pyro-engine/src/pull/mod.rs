//! A *pull* brings what was changed in a workspace home: into the directory that it was seeded from,
//! or another one. It merges three sides of each path: how it began, the workspace, and the host.

mod decide;
mod node;
mod plan;
mod protected;
mod pulled;
mod receive;
mod step_back;
mod steps;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyro_machine::{Call, FilePath, octets};
use pyro_store::{create_private_directory, create_private_file};
use sha2::{Digest, Sha256};

use crate::comparison::{Machine, compare};
use crate::instance::{self, Instance};
use crate::off_thread::{off_thread, pipe};
use crate::output::hex;
use crate::request::{WORKSPACE, path_text};
use crate::{Engine, Error, Listener};
use node::{Node, Sum};
pub(crate) use plan::{Action, OnConflict, Outcome};
use plan::{Change, Planned};
use protected::Named;
use pulled::Pulled;
use receive::Receiver;
use step_back::step_back;
use transaction::{Journal, Step, Transaction};

/// The directory of what pulls keep.
const PULLS: &str = "pulls";

/// A directory of the host.
pub(crate) struct Target {
    pub(crate) open: OwnedFd,
    pub(crate) path: PathBuf,
}

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
    let conflicts: Vec<_> = plan
        .iter()
        .filter(|planned| planned.action == Action::Conflict)
        .collect();
    if wanted.check || !conflicts.is_empty() {
        transaction.discard()?;
    }
    if wanted.check {
        return Ok(Outcome::of(&plan, kept.len(), changed));
    }
    if !conflicts.is_empty() {
        let of = |planned: &&Planned| (planned.path.clone(), planned.reason.unwrap_or_default());
        let conflicts = conflicts.iter().map(of).collect();
        return Err(Error::pull_conflicts(instance.id(), &path, conflicts));
    }
    let id = instance.id().to_owned();
    off_thread(move || {
        let outcome = Outcome::of(&plan, kept.len(), changed);
        let steps = steps::of(&plan, open.as_fd()).map_err(|error| Error::transfer(&error))?;
        if steps.is_empty() {
            transaction.discard()?;
            return Ok(outcome);
        }
        transaction.commit(open.as_fd(), &path, &id, steps)?;
        pulled.write(&plan)?;
        transaction.keep_as(&place.last())?;
        Ok(outcome)
    })
    .await
}

/// Plans what an earlier pull has made and the workspace has made undone since: it does not differ
/// from how it began any more.
async fn take_back(instance: &Instance, receiver: &mut Receiver) -> Result<(), Error> {
    let wants = |path: &str| receiver.named.wants(&octets::decode(path));
    let left = receiver.pulled.all();
    let left = left.filter(|(path, _)| !receiver.has(path) && wants(path));
    let left: Vec<_> = left
        .map(|(path, made)| (path.clone(), made.clone()))
        .collect();
    for (path, made) in &left {
        let found = Node::at(receiver.target.as_fd(), &octets::decode(path));
        let found = found.map_err(|error| Error::transfer(&error))?;
        if found != made.node || found == made.base || made.node != made.workspace {
            continue;
        }
        let mut content = None;
        if let Node::File { sha256, .. } = &made.base {
            let number = receiver.next_number();
            let file = receiver.transaction.new_content(number);
            if read_file(instance, path, &file).await? != *sha256 {
                // It has changed again in this moment.
                continue;
            }
            content = Some(number);
        }
        let action = match made.base {
            Node::Absent => Action::Delete,
            _ => Action::Modify,
        };
        receiver.plan.push(Planned {
            path: path.clone(),
            action,
            reason: Some("the workspace has what it began with again"),
            change: Some(Change {
                base: made.base.clone(),
                workspace: made.base.clone(),
                old: found,
                new: made.base.clone(),
                content,
            }),
        });
    }
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

/// Takes the last pull into a directory back, if nothing that it has made was changed since.
/// Returns the paths.
pub(crate) async fn undo(
    engine: &Engine,
    instance: &Instance,
    target: Target,
    check: bool,
) -> Result<Outcome, Error> {
    let base = engine.config.base_dir.clone();
    let (id, workspace) = (instance.id().to_owned(), instance.object.path().to_owned());
    off_thread(move || {
        let place = Place::lock(&base, &target.path, &target.open)?;
        let none = || Error::nothing_to_undo(&id, &target.path);
        let (last, journal) = Transaction::open(place.last()).ok_or_else(none)?;
        if journal.workspace_id != id {
            return Err(none());
        }
        let open = target.open.as_fd();
        // There may be many, so they are changed where they are.
        let mut steps = journal.steps;
        let mut number = steps.len();
        let mut conflicts = Vec::new();
        let mut outcome = Outcome::default();
        let transaction = Transaction::create(place.current())?;
        let mut undone = Undone::of(&steps);
        steps.reverse();
        let mut exchange = |step: &mut Step| {
            number -= 1;
            let found = undone.at(open, &step.path)?;
            if found == step.old {
                return Ok(false);
            }
            if found != step.new {
                let path = std::mem::take(&mut step.path);
                conflicts.push((path, "it was changed after the pull"));
                return Ok(false);
            }
            undone.note(step);
            let old = last.old_content(number);
            step.content = old.exists().then_some(number);
            if let Some(number) = step.content {
                fs::hard_link(old, transaction.new_content(number))?;
            }
            let action = match (&step.new, &step.old) {
                (_, Node::Absent) => Action::Delete,
                (Node::Absent, _) => Action::Add,
                _ => Action::Modify,
            };
            outcome.add(&step.path, action, None);
            std::mem::swap(&mut step.old, &mut step.new);
            Ok(true)
        };
        let mut failed = None;
        steps.retain_mut(|step| {
            // Nothing more once one has failed.
            failed.is_none()
                && exchange(step).unwrap_or_else(|error: io::Error| {
                    failed = Some(error);
                    false
                })
        });
        if let Some(error) = failed {
            return Err(Error::transfer(&error));
        }
        if check || !conflicts.is_empty() {
            transaction.discard()?;
            if check {
                return Ok(outcome);
            }
            return Err(Error::pull_conflicts(&id, &target.path, conflicts));
        }
        let steps = transaction.commit(open, &target.path, &id, steps)?;
        let paths = steps.iter().map(|step| &*step.path).collect();
        step_back(&workspace, &path_text(&target.path), &paths)?;
        last.discard()?;
        transaction.discard()?;
        Ok(outcome)
    })
    .await
}

/// What paths are once steps are undone that are planned already.
#[derive(Default)]
struct Undone {
    /// Of paths that have several steps.
    nodes: BTreeMap<String, Option<Node>>,
    /// Directories that are not there now.
    made: BTreeSet<String>,
}

impl Undone {
    /// Only where there are directories a path has several steps.
    fn of(steps: &[Step]) -> Self {
        let of_directories = steps
            .iter()
            .filter(|step| is_directory(&step.old) || is_directory(&step.new));
        Self {
            nodes: of_directories
                .map(|step| (step.path.clone(), None))
                .collect(),
            made: BTreeSet::new(),
        }
    }

    fn note(&mut self, step: &Step) {
        if is_directory(&step.old) && !is_directory(&step.new) {
            self.made.insert(step.path.clone());
        }
        if let Some(node) = self.nodes.get_mut(&step.path) {
            *node = Some(step.old.clone());
        }
    }

    fn at(&self, open: BorrowedFd<'_>, path: &str) -> io::Result<Node> {
        if let Some(Some(node)) = self.nodes.get(path) {
            return Ok(node.clone());
        }
        let mut parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        if parents.any(|parent| self.made.contains(parent)) {
            return Ok(Node::Absent);
        }
        Node::at(open, &octets::decode(path))
    }
}

fn is_directory(node: &Node) -> bool {
    matches!(node, Node::Directory { .. })
}

/// Where pulls into one directory keep what they need. Held as long as a pull goes on.
struct Place {
    directory: PathBuf,
    _lock: File,
}

impl Place {
    /// Waits until no other pull uses the same directory, and undoes one that was interrupted.
    fn lock(base: &Path, target: &Path, open: &OwnedFd) -> Result<Self, Error> {
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
                transaction.roll_back(open.as_fd(), &journal);
                transaction.discard()?;
            }
            None => {}
        }
        Ok(place)
    }

    /// The transaction that is prepared or carried out.
    fn current(&self) -> PathBuf {
        self.directory.join("current")
    }

    /// The transaction that can be undone.
    fn last(&self) -> PathBuf {
        self.directory.join("last")
    }
}
