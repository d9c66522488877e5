//! An *undo* takes the last pull into a directory back: a transaction with both sides exchanged.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use pyro_machine::octets;

use super::node::Node;
use super::packed::Packed;
use super::place::{Place, Target};
use super::plan::{Action, Outcome, Reason};
use super::pulled::step_back;
use super::step::Step;
use super::transaction::Transaction;
use crate::instance::Instance;
use crate::off_thread::off_thread;
use crate::request::path_text;
use crate::{Engine, Error};

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
    off_thread(move || take_back(&base, &workspace, &id, &target, check)).await
}

/// The same, with the directories of the program and of the workspace.
pub(super) fn take_back(
    base: &Path,
    workspace: &Path,
    id: &str,
    target: &Target,
    check: bool,
) -> Result<Outcome, Error> {
    let place = Place::lock(base, &target.path, &target.open)?;
    let none = || Error::nothing_to_undo(id, &target.path);
    let (last, journal) = Transaction::open(place.last()).ok_or_else(none)?;
    if journal.workspace_id != id {
        return Err(none());
    }
    let open = target.open.as_fd();
    let transaction = Transaction::create(place.current())?;
    let exchanged = exchange(&journal.steps, open, &last, &transaction);
    let (steps, outcome) = exchanged.map_err(|error| Error::transfer(&error))?;
    // There may be many, and they are not needed any more.
    drop(journal);
    let conflicts = outcome.count(Action::Conflict);
    if check || conflicts > 0 {
        transaction.discard()?;
        if check {
            return Ok(outcome);
        }
        let named = outcome.conflicts();
        return Err(Error::pull_conflicts(id, &target.path, conflicts, named));
    }
    transaction.commit(open, &target.path, id, &steps)?;
    let paths: HashSet<_> = steps.paths().collect();
    step_back(workspace, &path_text(&target.path), &paths)?;
    last.discard()?;
    transaction.discard()?;
    Ok(outcome)
}

/// Returns the steps that undo those of the last transaction, the last first. What they need of its
/// contents becomes new contents of the transaction that is to come.
fn exchange(
    steps: &Packed<Step>,
    target: BorrowedFd<'_>,
    last: &Transaction,
    transaction: &Transaction,
) -> io::Result<(Packed<Step>, Outcome)> {
    let mut outcome = Outcome::default();
    let mut undone = Undone::of(steps);
    let mut exchanged = Packed::default();
    for number in (0..steps.len()).rev() {
        let step = steps.get(number);
        let found = undone.at(target, &step.path)?;
        if found == step.old {
            continue;
        }
        if found != step.new {
            outcome.add(step.path, Action::Conflict, Some(Reason::ChangedAfterPull));
            continue;
        }
        undone.note(&step);
        let old = last.old_content(number);
        let content = old.exists().then_some(number);
        if let Some(number) = content {
            fs::hard_link(old, transaction.new_content(number))?;
        }
        let action = match (&step.new, &step.old) {
            (_, Node::Absent) => Action::Delete,
            (Node::Absent, _) => Action::Add,
            _ => Action::Modify,
        };
        exchanged.push(&Step {
            path: step.path.clone(),
            old: step.new,
            new: step.old,
            content,
        });
        outcome.add(step.path, action, None);
    }
    Ok((exchanged, outcome))
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
    fn of(steps: &Packed<Step>) -> Self {
        let of_directories = steps
            .iter()
            .filter(|step| is_directory(&step.old) || is_directory(&step.new));
        Self {
            nodes: of_directories.map(|step| (step.path, None)).collect(),
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
