//! *Attributes* come in front of a member because its header has no room for them: names that are
//! long, times that are exact, maps of holes.

use std::collections::BTreeMap;

use crate::sparse::Extent;
use crate::time::Time;

/// The largest number of extents of a file. They are kept in memory.
pub(crate) const MOST_EXTENTS: usize = 1 << 20;

/// The largest number of extended attributes of a file, and the longest name with its value. An
/// inode of an image has no space for more.
const MOST_EXTENDED: usize = 128;
const LONGEST_EXTENDED: usize = 4096;

#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) size: Option<Vec<u8>>,
    pub(crate) modified: Option<Time>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) group: Option<Vec<u8>>,
    pub(crate) sparse: SparseAttributes,
    pub(crate) extended: ExtendedAttributes,
}

/// Extended attributes of a file, by their names.
#[derive(Default)]
pub(crate) struct ExtendedAttributes {
    pub(crate) values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Some were not kept, because they were too many or too long.
    pub(crate) are_too_many: bool,
}

/// How GNU tar describes holes, in three versions.
#[derive(Default)]
pub(crate) struct SparseAttributes {
    /// Since version 1.0 the map is in front of the content.
    pub(crate) map_in_content: bool,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) extents: Vec<Extent>,
    /// The beginning of an extent whose length is still to come.
    offset: Option<u64>,
    pub(crate) is_present: bool,
    pub(crate) is_broken: bool,
}

impl Attributes {
    /// Takes what matters from pax attributes, the last of each. None if they are broken.
    pub(crate) fn read(&mut self, mut attributes: &[u8]) -> Option<()> {
        // Some programs count the padding of the block in the size.
        while !attributes.is_empty() && attributes[0] != 0 {
            let (key, value, rest) = attribute(attributes)?;
            attributes = rest;
            // An empty value removes an earlier one.
            let kept = (!value.is_empty()).then(|| value.to_vec());
            match key {
                b"path" => self.name = kept,
                b"linkpath" => self.target = kept,
                b"size" => self.size = kept,
                b"uid" => self.user = kept,
                b"gid" => self.group = kept,
                // An invalid time is no reason to refuse the file.
                b"mtime" => self.modified = Time::from_decimal(value),
                key => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        self.sparse.read(key, value);
                    } else if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.extended.read(name, value);
                    }
                }
            }
        }
        Some(())
    }
}

impl ExtendedAttributes {
    fn read(&mut self, name: &[u8], value: &[u8]) {
        let has_room = self.values.len() < MOST_EXTENDED;
        if has_room && name.len() + value.len() <= LONGEST_EXTENDED {
            self.values.insert(name.to_vec(), value.to_vec());
        } else {
            self.are_too_many = true;
        }
    }
}

impl SparseAttributes {
    fn read(&mut self, key: &[u8], value: &[u8]) {
        self.is_present = true;
        match key {
            b"major" => self.map_in_content = value != b"0",
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = self.number(value),
            b"offset" => self.offset = self.number(value),
            b"numbytes" => {
                let length = self.number(value);
                let offset = self.offset.take();
                self.extent(offset, length);
            }
            b"map" if value.is_empty() => self.extents.clear(),
            b"map" => {
                self.extents.clear();
                let mut numbers = value.split(|byte| *byte == b',');
                while let Some(offset) = numbers.next() {
                    let offset = self.number(offset);
                    let length = numbers.next().and_then(|length| self.number(length));
                    self.extent(offset, length);
                }
            }
            _ => {}
        }
    }

    fn extent(&mut self, offset: Option<u64>, length: Option<u64>) {
        match (offset, length) {
            (Some(offset), Some(length)) if self.extents.len() < MOST_EXTENTS => {
                self.extents.push(Extent { offset, length });
            }
            _ => self.is_broken = true,
        }
    }

    fn number(&mut self, text: &[u8]) -> Option<u64> {
        let number = decimal(text);
        self.is_broken |= number.is_none();
        number
    }
}

pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

/// Returns the first pax attribute's key and value, and what follows it. Its length, which counts
/// itself, says where it ends: names may contain newlines.
fn attribute(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space])
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let (attribute, rest) = bytes.split_at_checked(length)?;
    let attribute = attribute.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = attribute.iter().position(|byte| *byte == b'=')?;
    Some((&attribute[..equals], &attribute[equals + 1..], rest))
}
