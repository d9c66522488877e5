//! The record of earlier pulls is *rewritten*: read and written at once, path by path. There may be many
//! paths, and all of them in memory take as much as all else that a pull needs.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::made::Made;
use super::transaction::write_compact;
use crate::Error;

/// A record without anything.
const EMPTY: &[u8] = br#"{"format":1,"targets":{}}"#;

/// What becomes of what is known of one target.
pub(super) trait Change {
    /// Returns what is known of a path from now on, if anything.
    fn change(&self, path: &str, made: Made) -> Option<Made>;

    /// Returns what is known of paths that nothing was known of, when all others were changed.
    fn more(&self) -> Box<dyn Iterator<Item = (String, Made)> + '_> {
        Box::new(std::iter::empty())
    }
}

/// Tells `reader` all that a record knows of a target. It is `false` if it is no record, however much
/// of it could be read.
pub(super) fn read(file: &Path, target: &str, reader: &dyn Change) -> bool {
    let rewritten = Rewritten {
        file: Some(file),
        target,
        change: reader,
    };
    serde_json::to_writer(io::sink(), &rewritten).is_ok()
}

/// Whether a file is a record.
pub(super) fn is_record(file: &Path) -> bool {
    struct Nothing;

    impl Change for Nothing {
        fn change(&self, _: &str, made: Made) -> Option<Made> {
            Some(made)
        }
    }

    read(file, "", &Nothing)
}

/// Writes a record anew, and what is none as if it were empty.
pub(super) fn rewrite(file: &Path, target: &str, change: &dyn Change) -> Result<(), Error> {
    let rewritten = Rewritten {
        file: is_record(file).then_some(file),
        target,
        change,
    };
    write_compact(file, &rewritten)
}

/// A record with its changes.
struct Rewritten<'a> {
    /// Nothing is as an empty record.
    file: Option<&'a Path>,
    target: &'a str,
    change: &'a dyn Change,
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

impl Serialize for Rewritten<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let opened: Box<dyn Read> = match self.file {
            Some(file) => Box::new(File::open(file).map_err(S::Error::custom)?),
            None => Box::new(EMPTY),
        };
        let mut reader = serde_json::Deserializer::from_reader(BufReader::new(opened));
        let written = Map {
            reader: RefCell::new(Some(&mut reader)),
            level: Level::Record,
            rewritten: self,
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
    rewritten: &'a Rewritten<'a>,
}

impl<'de, D: Deserializer<'de>> Serialize for Map<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reader = self.reader.take();
        let reader = reader.ok_or_else(|| S::Error::custom("it is read once"))?;
        let entries = Entries {
            serializer,
            level: self.level,
            rewritten: self.rewritten,
        };
        reader.deserialize_map(entries).map_err(S::Error::custom)
    }
}

/// Writes the entries of a map as they are read.
struct Entries<'a, S> {
    serializer: S,
    level: Level,
    rewritten: &'a Rewritten<'a>,
}

impl<'de, S: Serializer> Visitor<'de> for Entries<'_, S> {
    type Value = S::Ok;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record of pulls")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S::Ok, A::Error> {
        let Rewritten { target, change, .. } = *self.rewritten;
        let mut written = self
            .serializer
            .serialize_map(None)
            .map_err(A::Error::custom)?;
        // Whether what belongs into a map was there: the targets, and among them the one.
        let mut is_complete = false;
        while let Some(key) = map.next_key::<String>()? {
            let below = match self.level {
                Level::Record if key == "targets" => {
                    is_complete = true;
                    Level::Targets
                }
                Level::Record => {
                    let value: u64 = map.next_value()?;
                    let entry = written.serialize_entry(&key, &value);
                    entry.map_err(A::Error::custom)?;
                    continue;
                }
                Level::Targets => {
                    is_complete |= key == target;
                    Level::Paths {
                        are_of_target: key == target,
                    }
                }
                Level::Paths { are_of_target } => {
                    let made: Made = map.next_value()?;
                    let made = if are_of_target {
                        change.change(&key, made)
                    } else {
                        Some(made)
                    };
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
                rewritten: self.rewritten,
            })?;
        }
        match self.level {
            Level::Record if !is_complete => {
                return Err(A::Error::custom("a record has targets"));
            }
            Level::Targets if !is_complete => {
                let more = written.serialize_entry(target, &More(change));
                more.map_err(A::Error::custom)?;
            }
            Level::Paths {
                are_of_target: true,
            } => {
                for (path, made) in change.more() {
                    let entry = written.serialize_entry(&path, &made);
                    entry.map_err(A::Error::custom)?;
                }
            }
            _ => {}
        }
        written.end().map_err(A::Error::custom)
    }
}

/// The paths of a target that nothing was known of.
struct More<'a>(&'a dyn Change);

impl Serialize for More<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.more())
    }
}

/// Writes a map that is a value, as it is read.
struct Value<'a, M> {
    written: &'a mut M,
    level: Level,
    rewritten: &'a Rewritten<'a>,
}

impl<'de, M: SerializeMap> DeserializeSeed<'de> for Value<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let map = Map {
            reader: RefCell::new(Some(reader)),
            level: self.level,
            rewritten: self.rewritten,
        };
        self.written.serialize_value(&map).map_err(D::Error::custom)
    }
}
