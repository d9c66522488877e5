//! What a workspace has changed, as it comes, and what is to be done about it on the host.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use pyro_diff::Merge;
use pyro_machine::{FileChange, FileState, FileType, octets};
use sha2::{Digest, Sha256};

use super::decide::{Decision, decide};
use super::node::{Node, Sum, open_file, open_parent};
use super::packed::{Packed, PathRecord};
use super::plan::{Action, Change, OnConflict, Planned, Reason};
use super::protected::{self, Named};
use super::pulled::Pulled;
use super::transaction::Transaction;
use crate::comparison::{Changes, Side};
use crate::{Error, Event, Listener};

/// How many paths are planned at most: they are in memory.
const MOST_PATHS: usize = 1_000_000;

/// Plans the changes as they come. New contents are files of the transaction.
pub(super) struct Receiver {
    pub(super) target: Arc<OwnedFd>,
    pub(super) transaction: Transaction,
    pub(super) pulled: Pulled,
    pub(super) named: Named,
    pub(super) on_conflict: OnConflict,
    pub(super) listener: Listener,
    pub(super) plan: Packed<Planned>,
    /// Paths that stay as they are.
    pub(super) kept: Packed<PathRecord>,
    /// How many changes have come, each with numbers for two contents.
    count: usize,
    pub(super) bytes: u64,
    /// Paths of files and links that become directories.
    replaced: BTreeSet<Vec<u8>>,
    current: Option<Current>,
}

/// The change whose contents are coming.
struct Current {
    path: Vec<u8>,
    change: FileChange,
    old: Content,
    new: Content,
}

/// What a path is on each side.
struct Sides {
    base: Node,
    workspace: Node,
    host: Node,
}

/// One content: its file, once there is any of it, and its hash.
#[derive(Default)]
struct Content {
    file: Option<File>,
    hash: Sha256,
}

impl Receiver {
    pub(super) fn new(
        target: Arc<OwnedFd>,
        transaction: Transaction,
        pulled: Pulled,
        named: Named,
        on_conflict: OnConflict,
        listener: Listener,
    ) -> Self {
        Self {
            target,
            transaction,
            pulled,
            named,
            on_conflict,
            listener,
            plan: Packed::default(),
            kept: Packed::default(),
            count: 0,
            bytes: 0,
            replaced: BTreeSet::new(),
            current: None,
        }
    }

    /// A number for a content that does not come with a change.
    pub(super) fn next_number(&mut self) -> usize {
        self.count += 1;
        self.number(Side::New)
    }

    /// The numbers of the contents of the change that comes next.
    fn number(&self, side: Side) -> usize {
        2 * self.count + usize::from(side == Side::Old)
    }

    /// Plans the last change, and sorts the plan by path.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.finish()?;
        self.kept.sort();
        self.plan.sort();
        let is_twice = self.plan.has_twins()
            || self.kept.has_twins()
            || self.plan.paths().any(|path| self.kept.find(path).is_some());
        if is_twice {
            return Err(Error::guest_output("a comparison", &"a path came twice"));
        }
        Ok(())
    }

    /// Whether a change of this path has come; not before the [end](Self::end).
    pub(super) fn has(&self, path: &str) -> bool {
        self.plan.find(path).is_some() || self.kept.find(path).is_some()
    }

    /// Plans the last change.
    fn finish(&mut self) -> Result<(), Error> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let Current {
            path,
            change,
            old,
            new,
        } = current;
        let same = change.same_content;
        // Of files that are the same on both sides no content came. What the host has decides then.
        let host = self.host(&path).map_err(|error| failed(&path, &error))?;
        let [base, workspace] =
            [(&change.old, &old), (&change.new, &new)].map(|(state, content)| {
                Node::of(state.as_ref(), || {
                    if same {
                        Sum::default()
                    } else {
                        Sum::from(content.hash.clone())
                    }
                })
            });
        let (base, workspace) = if same {
            let content = match host {
                Node::File { sha256, .. } => sha256,
                _ => Sum::default(),
            };
            (
                with_content(base, content),
                with_content(workspace, content),
            )
        } else {
            (base, workspace)
        };
        for content in [&old, &new] {
            if let Some(file) = &content.file {
                file.sync_data().map_err(|error| failed(&path, &error))?;
            }
        }
        // The file of an empty content.
        if matches!(
            change.new,
            Some(FileState {
                file_type: FileType::File,
                ..
            })
        ) && !same
            && new.file.is_none()
        {
            self.create(Side::New)
                .map_err(|error| failed(&path, &error))?;
        }
        let planned = self.plan_change(
            &path,
            &Sides {
                base,
                workspace,
                host,
            },
        )?;
        let _ = fs::remove_file(self.transaction.new_content(self.number(Side::Old)));
        if let Some(change) = &planned.change
            && matches!(change.old, Node::File { .. } | Node::Symlink { .. })
            && matches!(change.new, Node::Directory { .. })
        {
            self.replaced.insert(path);
        }
        self.count += 1;
        if planned.action == Action::Keep && planned.reason.is_none() {
            self.kept.push(&PathRecord(planned.path));
        } else {
            self.plan.push(&planned);
        }
        Ok(())
    }

    /// What is at a path of the host, once what was planned before is done.
    fn host(&self, path: &[u8]) -> std::io::Result<Node> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parents = ends.map(|(end, _)| &path[..end]);
        if parents.any(|parent| self.replaced.contains(parent)) {
            return Ok(Node::Absent);
        }
        Node::at(self.target.as_fd(), path)
    }

    fn plan_change(&self, path: &[u8], sides: &Sides) -> Result<Planned, Error> {
        let Sides {
            base,
            workspace,
            host,
        } = sides;
        let text = octets::encode(path).into_owned();
        let planned = |action, reason: Option<Reason>| Planned {
            path: text.clone(),
            action,
            reason,
            change: None,
        };
        if *workspace == Node::Other {
            return Ok(planned(Action::Skip, Some(Reason::Device)));
        }
        if let Some(reason) = protected::reason(path, workspace, &self.named) {
            return Ok(planned(Action::Skip, Some(reason)));
        }
        // If nobody has changed what an earlier pull has made, it is what the workspace had then.
        let first = match self.pulled.get(&text) {
            Some(made) if made.node == *host => {
                if made.workspace == *workspace {
                    return Ok(planned(Action::Keep, None));
                }
                if made.workspace == *host {
                    host.clone()
                } else {
                    base.clone()
                }
            }
            _ => base.clone(),
        };
        let content = Some(self.number(Side::New));
        let changed = |action, new: Node, content| Planned {
            change: Some(Change {
                base: base.clone(),
                workspace: workspace.clone(),
                old: host.clone(),
                new,
                content,
            }),
            ..planned(action, None)
        };
        let take = |workspace: &Node| {
            let action = match (host, workspace) {
                (_, Node::Absent) => Action::Delete,
                (Node::Absent, _) => Action::Add,
                _ => Action::Modify,
            };
            let content = content.filter(|_| matches!(workspace, Node::File { .. }));
            changed(action, workspace.clone(), content)
        };
        let conflict = match decide(&first, workspace, host) {
            Decision::Keep => return Ok(planned(Action::Keep, None)),
            Decision::Take(node) => return Ok(take(&node)),
            Decision::SetMode(mode) => {
                let node = match host.clone() {
                    Node::File { sha256, .. } => Node::File { sha256, mode },
                    _ => Node::Directory { mode },
                };
                return Ok(changed(Action::Modify, node, None));
            }
            Decision::Merge(mode) => {
                match self
                    .merge(path, &first, mode)
                    .map_err(|error| failed(path, &error))?
                {
                    Some((node, is_clean)) => {
                        let action = if is_clean {
                            Action::Merge
                        } else {
                            Action::Mark
                        };
                        return Ok(changed(action, node, content));
                    }
                    None => Reason::ChangedByBoth,
                }
            }
            Decision::Conflict(reason) => reason,
        };
        Ok(match self.on_conflict {
            OnConflict::Workspace if *host != Node::Other => Planned {
                reason: Some(conflict),
                ..take(workspace)
            },
            OnConflict::Host => planned(Action::Keep, Some(conflict)),
            _ => planned(Action::Conflict, Some(conflict)),
        })
    }

    /// Merges the texts of the three sides. `None` if they are not texts, or cannot be merged and
    /// are not to be marked.
    fn merge(&self, path: &[u8], base: &Node, mode: u32) -> std::io::Result<Option<(Node, bool)>> {
        let limit = pyro_diff::TEXT_LIMIT as u64;
        let read = |file: &File| -> std::io::Result<Option<Vec<u8>>> {
            use std::io::Read;
            let mut content = Vec::new();
            file.take(limit + 1).read_to_end(&mut content)?;
            Ok(pyro_diff::is_text(&content).then_some(content))
        };
        let theirs = read(&File::open(
            self.transaction.new_content(self.number(Side::New)),
        )?)?;
        let (directory, name) = open_parent(self.target.as_fd(), path)?;
        let ours = read(&open_file(&directory, name)?)?;
        let first = match base {
            Node::File { .. } => {
                match File::open(self.transaction.new_content(self.number(Side::Old))) {
                    Ok(file) => read(&file)?,
                    // It is empty.
                    Err(_) => Some(Vec::new()),
                }
            }
            _ => Some(Vec::new()),
        };
        let (Some(first), Some(theirs), Some(ours)) = (first, theirs, ours) else {
            return Ok(None);
        };
        let (content, is_clean) = match pyro_diff::merge(&first, &theirs, &ours) {
            Merge::Clean(content) => (content, true),
            Merge::Conflicts(conflicts) if self.on_conflict == OnConflict::Markers => {
                (conflicts.with_markers("workspace", "host"), false)
            }
            Merge::Conflicts(_) | Merge::NotText => return Ok(None),
        };
        let number = self.number(Side::New);
        fs::write(self.transaction.new_content(number), &content)?;
        let sha256 = Sum(Sha256::digest(&content).into());
        Ok(Some((Node::File { sha256, mode }, is_clean)))
    }

    fn create(&self, side: Side) -> std::io::Result<File> {
        File::create_new(self.transaction.new_content(self.number(side)))
    }
}

impl Changes for Receiver {
    fn change(&mut self, path: &[u8], change: FileChange) -> Result<(), Error> {
        self.finish()?;
        if self.count == MOST_PATHS {
            return Err(Error::pull_too_large(MOST_PATHS));
        }
        self.current = Some(Current {
            path: path.to_vec(),
            change,
            old: Content::default(),
            new: Content::default(),
        });
        Ok(())
    }

    fn content(&mut self, side: Side, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let content = match side {
            Side::Old => &mut current.old,
            Side::New => &mut current.new,
        };
        content.hash.update(bytes);
        let written = match &mut content.file {
            Some(file) => file.write_all(bytes),
            None => self.create(side).and_then(|mut file| {
                file.write_all(bytes)?;
                content.file = Some(file);
                Ok(())
            }),
        };
        written.map_err(|error| failed(&current.path, &error))?;
        self.current = Some(current);
        self.bytes += bytes.len() as u64;
        self.listener.report(Event::Transfer {
            what: "pull",
            bytes: self.bytes,
            total: None,
        });
        Ok(())
    }
}

fn with_content(node: Node, content: Sum) -> Node {
    match node {
        Node::File { mode, .. } => Node::File {
            sha256: content,
            mode,
        },
        node => node,
    }
}

fn failed(path: &[u8], error: &std::io::Error) -> Error {
    let path = String::from_utf8_lossy(path);
    Error::transfer(&format!("{}: {error}", pyro_text::line(&path)))
}
