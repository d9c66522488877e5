//! The record of earlier pulls *steps back* when the last one is undone. It is written as it is read:
//! there may be many paths, and all of them in memory take as much as all else that an undo needs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::pulled::{FILE, Made};
use super::transaction::write_compact;
use crate::Error;

/// Notes that what the last pull has made of these paths of a target was undone.
pub(super) fn step_back(
    workspace: &Path,
    target: &str,
    undone: &HashSet<&str>,
) -> Result<(), Error> {
    let earlier = Earlier {
        file: workspace.join(FILE),
        target,
        undone,
    };
    // A record that cannot be read is as none, and stays.
    if serde_json::to_writer(io::sink(), &earlier).is_err() {
        return Ok(());
    }
    write_compact(&earlier.file, &earlier)
}

/// The record as it was before the last pull.
struct Earlier<'a> {
    file: PathBuf,
    /// The target in which something was undone.
    target: &'a str,
    /// The paths there.
    undone: &'a HashSet<&'a str>,
}

/// The maps of a record.
#[derive(Clone, Copy)]
enum Level {
    Record,
    Targets,
    /// The paths of the target, or of another one.
    Paths {
        are_of_target: bool,
    },
}

impl Serialize for Earlier<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = File::open(&self.file).map_err(S::Error::custom)?;
        let mut reader = serde_json::Deserializer::from_reader(BufReader::new(file));
        let written = Map {
            reader: RefCell::new(Some(&mut reader)),
            level: Level::Record,
            earlier: self,
        }
        .serialize(serializer)?;
        reader.end().map_err(S::Error::custom)?;
        Ok(written)
    }
}

/// A map that is not read yet.
struct Map<'a, D> {
    /// Taken when it is read.
    reader: RefCell<Option<D>>,
    level: Level,
    earlier: &'a Earlier<'a>,
}

impl<'de, D: Deserializer<'de>> Serialize for Map<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reader = self.reader.take();
        let reader = reader.ok_or_else(|| S::Error::custom("it is read once"))?;
        let entries = Entries {
            serializer,
            level: self.level,
            earlier: self.earlier,
        };
        reader.deserialize_map(entries).map_err(S::Error::custom)
    }
}

/// Writes the entries of a map as they are read.
struct Entries<'a, S> {
    serializer: S,
    level: Level,
    earlier: &'a Earlier<'a>,
}

impl<'de, S: Serializer> Visitor<'de> for Entries<'_, S> {
    type Value = S::Ok;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record of pulls")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S::Ok, A::Error> {
        let Earlier { target, undone, .. } = *self.earlier;
        let mut written = self
            .serializer
            .serialize_map(None)
            .map_err(A::Error::custom)?;
        while let Some(key) = map.next_key::<String>()? {
            let below = match self.level {
                Level::Record if key == "targets" => Level::Targets,
                Level::Record => {
                    let value: u64 = map.next_value()?;
                    let entry = written.serialize_entry(&key, &value);
                    entry.map_err(A::Error::custom)?;
                    continue;
                }
                Level::Targets => Level::Paths {
                    are_of_target: key == target,
                },
                Level::Paths { are_of_target } => {
                    let mut made = Some(map.next_value::<Made>()?);
                    if are_of_target && undone.contains(&*key) {
                        made = made.and_then(|made| made.before).map(|before| *before);
                    }
                    if let Some(made) = made {
                        let entry = written.serialize_entry(&key, &made);
                        entry.map_err(A::Error::custom)?;
                    }
                    continue;
                }
            };
            written.serialize_key(&key).map_err(A::Error::custom)?;
            map.next_value_seed(Value {
                written: &mut written,
                level: below,
                earlier: self.earlier,
            })?;
        }
        written.end().map_err(A::Error::custom)
    }
}

/// Writes a map that is a value, as it is read.
struct Value<'a, M> {
    written: &'a mut M,
    level: Level,
    earlier: &'a Earlier<'a>,
}

impl<'de, M: SerializeMap> DeserializeSeed<'de> for Value<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let map = Map {
            reader: RefCell::new(Some(reader)),
            level: self.level,
            earlier: self.earlier,
        };
        self.written.serialize_value(&map).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_undone_is_what_it_was_before() {
        let made = |sum: char, before: Option<&str>| {
            let sum = sum.to_string().repeat(64);
            let before = before.map_or(String::new(), |before| format!(",\"before\":{before}"));
            format!(
                r#"{{"base":"absent","node":{{"file":{{"sha256":"{sum}","mode":420}}}},"workspace":"other"{before}}}"#
            )
        };
        let (one, two) = (made('1', None), made('2', Some(&made('3', None))));
        let record = |here: &[(&str, &str)], there: &[(&str, &str)]| {
            let paths = |all: &[(&str, &str)]| {
                let all = all.iter().map(|(path, made)| format!("{path:?}:{made}"));
                all.collect::<Vec<_>>().join(",")
            };
            let (here, there) = (paths(here), paths(there));
            format!(r#"{{"format":1,"targets":{{"/here":{{{here}}},"/there":{{{there}}}}}}}"#)
        };
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
        for broken in [&found[..found.len() - 1], "[]", &format!("{found}x")] {
            std::fs::write(&file, broken).unwrap();
            step_back(directory.path(), "/here", &undone).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
        }
        std::fs::remove_file(&file).unwrap();
        step_back(directory.path(), "/here", &undone).unwrap();
        assert!(!file.exists());
    }
}
