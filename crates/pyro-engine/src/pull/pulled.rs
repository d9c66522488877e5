//! What earlier pulls of a workspace have made in directories of the host. It is in the directory
//! of the workspace, and removed with it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::made::{Made, MadePath};
use super::packed::Packed;
use super::plan::Planned;
use super::rewrite::{self, rewrite};
use crate::Error;

/// The name of the record in the directory of a workspace.
const FILE: &str = "pulled.json";

/// What was made in one target.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    record: PulledRecord,
    /// All paths of the target, sorted.
    paths: Packed<MadePath>,
}

/// The record of a workspace about one target.
#[derive(Clone, Debug)]
pub(super) struct PulledRecord {
    file: PathBuf,
    target: String,
}

impl Pulled {
    /// Reads what is known of a target, in the directory of a workspace. A record that cannot be
    /// read is as none: paths that were changed on both sides are conflicts then.
    pub(super) fn read(workspace: &Path, target: &str) -> Self {
        let file = workspace.join(FILE);
        let known = Known::default();
        let is_record = rewrite::read(&file, target, &known);
        let mut paths = known.0.into_inner();
        if !is_record {
            paths = Packed::default();
        }
        paths.sort();
        Self {
            record: PulledRecord {
                file,
                target: target.to_owned(),
            },
            paths,
        }
    }

    /// What is known of a path.
    pub(super) fn get(&self, path: &str) -> Option<Made> {
        let number = self.paths.find(path)?;
        Some(self.paths.get(number).made)
    }

    /// How many paths of the target are known.
    pub(super) fn count(&self) -> usize {
        self.paths.len()
    }

    /// Returns one of them, by its number in their order.
    pub(super) fn nth(&self, number: usize) -> MadePath {
        self.paths.get(number)
    }

    /// Forgets all but where it is written.
    pub(super) fn into_record(self) -> PulledRecord {
        self.record
    }
}

impl PulledRecord {
    /// Notes what a plan has made, whose paths are sorted.
    pub(super) fn write(&self, plan: &Packed<Planned>) -> Result<(), Error> {
        let new = New {
            plan,
            is_noted: RefCell::new(vec![false; plan.len()]),
        };
        rewrite(&self.file, &self.target, &new)
    }
}

/// Notes that what the last pull has made of these paths of a target was undone.
pub(super) fn step_back(
    workspace: &Path,
    target: &str,
    undone: &HashSet<&str>,
) -> Result<(), Error> {
    let file = workspace.join(FILE);
    // What is none stays as it is.
    if !rewrite::is_record(&file) {
        return Ok(());
    }
    rewrite(&file, target, &Undone(undone))
}

/// What is known, once the record was read.
#[derive(Default)]
struct Known(RefCell<Packed<MadePath>>);

impl rewrite::Change for Known {
    fn change(&self, path: &str, made: Made) -> Option<Made> {
        let path = path.to_owned();
        self.0.borrow_mut().push(&MadePath { path, made });
        None
    }
}

/// What a plan has made.
struct New<'a> {
    plan: &'a Packed<Planned>,
    /// Whether each path of the plan was known already.
    is_noted: RefCell<Vec<bool>>,
}

impl New<'_> {
    fn made(planned: Planned, before: Option<Made>) -> Option<Made> {
        let change = planned.change?;
        Some(Made {
            base: change.base,
            node: change.new,
            workspace: change.workspace,
            // Only the last pull can be taken back.
            before: before.map(|made| {
                Box::new(Made {
                    before: None,
                    ..made
                })
            }),
        })
    }
}

impl rewrite::Change for New<'_> {
    fn change(&self, path: &str, earlier: Made) -> Option<Made> {
        let Some(number) = self.plan.find(path) else {
            return Some(earlier);
        };
        self.is_noted.borrow_mut()[number] = true;
        let planned = self.plan.get(number);
        if planned.change.is_none() {
            return Some(earlier);
        }
        Self::made(planned, Some(earlier))
    }

    fn more(&self) -> Box<dyn Iterator<Item = (String, Made)> + '_> {
        let numbers = (0..self.plan.len()).filter(|number| !self.is_noted.borrow()[*number]);
        Box::new(numbers.filter_map(|number| {
            let planned = self.plan.get(number);
            Some((planned.path.clone(), Self::made(planned, None)?))
        }))
    }
}

/// What is left when the last pull was taken back.
struct Undone<'a>(&'a HashSet<&'a str>);

impl rewrite::Change for Undone<'_> {
    fn change(&self, path: &str, made: Made) -> Option<Made> {
        if self.0.contains(path) {
            return made.before.map(|before| *before);
        }
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::{Node, Sum};
    use super::super::plan::{Action, Change};
    use super::*;

    fn made(sum: char, before: Option<&str>) -> String {
        let sum = sum.to_string().repeat(64);
        let before = before.map_or(String::new(), |before| format!(",\"before\":{before}"));
        format!(
            r#"{{"base":"absent","node":{{"file":{{"sha256":"{sum}","mode":420}}}},"workspace":"other"{before}}}"#
        )
    }

    fn record(here: &[(&str, &str)], there: &[(&str, &str)]) -> String {
        let paths = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(path, made)| format!("{path:?}:{made}"));
            all.collect::<Vec<_>>().join(",")
        };
        let (here, there) = (paths(here), paths(there));
        format!(r#"{{"format":1,"targets":{{"/here":{{{here}}},"/there":{{{there}}}}}}}"#)
    }

    #[test]
    fn only_what_was_undone_is_what_it_was_before() {
        let (one, two) = (made('1', None), made('2', Some(&made('3', None))));
        let all = [("a", &*one), ("b", &*one), ("c", &*two), ("d", &*two)];
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        std::fs::write(&file, record(&all, &all)).unwrap();
        let undone = HashSet::from(["b", "d", "not there"]);
        step_back(directory.path(), "/here", &undone).unwrap();
        let before = made('3', None);
        let left = [("a", &*one), ("c", &*two), ("d", &*before)];
        let found = std::fs::read_to_string(&file).unwrap();
        assert_eq!(found, record(&left, &all));

        // What is no record stays as it is, however much of it could be read.
        for broken in [
            &found[..found.len() - 1],
            "[]",
            r#"{"format":1}"#,
            &format!("{found}x"),
        ] {
            std::fs::write(&file, broken).unwrap();
            step_back(directory.path(), "/here", &undone).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
        }
        std::fs::remove_file(&file).unwrap();
        step_back(directory.path(), "/here", &undone).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn what_was_made_is_known_with_what_was_known_before() {
        let mut plan = Packed::default();
        for (path, sum) in [("a", Some(0x44)), ("c", None), ("new", Some(0x44))] {
            let change = sum.map(|sum| Change {
                base: Node::Absent,
                workspace: Node::Other,
                old: Node::Absent,
                new: Node::File {
                    sha256: Sum([sum; 32]),
                    mode: 420,
                },
                content: None,
            });
            plan.push(&Planned {
                path: path.into(),
                action: Action::Add,
                reason: None,
                change,
            });
        }
        let (one, two) = (made('1', None), made('2', Some(&made('3', None))));
        let (new, four) = (made('4', None), made('4', Some(&made('2', None))));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let note = || {
            let pulled = Pulled::read(directory.path(), "/here").into_record();
            pulled.write(&plan).unwrap();
            std::fs::read_to_string(&file).unwrap()
        };
        let all = [("c", &*one), ("b", &*one), ("a", &*two)];
        std::fs::write(&file, record(&all, &all)).unwrap();
        let known = Pulled::read(directory.path(), "/here");
        let paths: Vec<_> = known.paths.paths().collect();
        assert_eq!(paths, ["a", "b", "c"]);
        let text = |made: &Made| serde_json::to_string(made).unwrap();
        assert_eq!(text(&known.get("a").unwrap()), made('2', None));
        let left = [("c", &*one), ("b", &*one), ("a", &*four), ("new", &*new)];
        assert_eq!(note(), record(&left, &all));

        // Where nothing is known, of this target or at all.
        let first = [("a", &*new), ("new", &*new)];
        let only = record(&first, &[]).replace(r#","/there":{}"#, "");
        for nothing in ["[]", r#"{"format":1,"targets":{}}"#, &only[1..]] {
            std::fs::write(&file, nothing).unwrap();
            assert_eq!(note(), only, "{nothing}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(note(), only);
    }
}
