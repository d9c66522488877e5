//! An *entry* is what a layer says of one name: that it is there, and what it is, or that it is there
//! no longer.

use super::attributes;
use crate::error::{Error, Refusal};
use crate::member::{MODE_BITS, MemberPath, check_target};
use crate::node::{Body, Owner, Stored};
use crate::sparse::Extents;
use crate::tar_member::{Described, Form};
use crate::tar_reader::TarContent;
use crate::tar_sparse;
use crate::time::Time;

/// What begins with it is no file, but says something of files.
const MARK: &[u8] = b".wh.";
/// All that lower layers have in a directory is deleted.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Files in the root by which eStargz finds its way in a layer.
const LANDMARKS: [&[u8]; 3] = [
    b"stargz.index.json",
    b".prefetch.landmark",
    b".no.prefetch.landmark",
];

/// A layer that was read.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// What it deletes of lower layers.
    pub(crate) removed: Vec<Removed>,
    /// What it has itself, in its order.
    pub(crate) entries: Vec<Entry>,
}

/// Something that is deleted.
#[derive(Debug)]
pub(crate) enum Removed {
    /// What is at a path.
    Name(MemberPath),
    /// All that is in a directory.
    Children(MemberPath),
}

/// Where an entry belongs.
#[derive(Debug)]
pub(crate) enum Place {
    At(MemberPath),
    Removed(Removed),
    /// It is for programs that handle layers.
    Nowhere,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: MemberPath,
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    pub(crate) modified: Time,
    /// As an image has them.
    pub(crate) attributes: Box<[u8]>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Directory,
    HardLink { target: MemberPath },
    Other(Body),
}

/// The content of a file that is still to be read.
#[derive(Debug)]
pub(crate) struct Shape {
    /// In bytes, with its holes.
    pub(crate) size: u64,
    /// Where there is something; none if that is everywhere.
    pub(crate) extents: Option<Extents>,
}

impl Place {
    pub(crate) fn of(described: &Described) -> Result<Self, Error> {
        let path = path(&described.name)?;
        let Some((parents, name)) = path.split() else {
            return match described.form {
                Form::Directory => Ok(Self::At(path)),
                _ => Err(Error::refused(&described.name, Refusal::UnsafePath)),
            };
        };
        if parents.is_empty() && LANDMARKS.contains(&name) || is_below_mark(parents) {
            return Ok(Self::Nowhere);
        }
        let Some(marked) = name.strip_prefix(MARK) else {
            return Ok(Self::At(path));
        };
        // A mark is one whatever the entry is: some programs write directories and hard links.
        let removed = match marked {
            _ if name == OPAQUE => Removed::Children(path.parent()),
            b"" | b"." | b".." => return Ok(Self::Nowhere),
            _ if marked.starts_with(MARK) => return Ok(Self::Nowhere),
            _ => Removed::Name(path.parent().join(marked)),
        };
        Ok(Self::Removed(removed))
    }
}

impl Removed {
    pub(crate) fn description_bytes(&self) -> usize {
        let (Self::Name(path) | Self::Children(path)) = self;
        path.as_bytes().len()
    }
}

impl Entry {
    /// Returns what was described, and what its content is like if it has one. Takes of the content
    /// what belongs to the map of a sparse file.
    pub(crate) fn new(
        path: MemberPath,
        described: &Described,
        content: &mut TarContent<'_, '_>,
    ) -> Result<(Self, Option<Shape>), Error> {
        let refuse = |refusal| Error::refused(&described.name, refusal);
        let mut shape = None;
        let what = match described.form {
            Form::Directory => What::Directory,
            Form::HardLink => What::HardLink {
                target: self::path(&described.target)
                    .ok()
                    .filter(|target| !target.is_root())
                    .ok_or_else(|| refuse(Refusal::StrayHardLink))?,
            },
            Form::Symlink => {
                check_target(&path, &described.target)?;
                let target = described.target.clone().into_boxed_slice();
                What::Other(Body::Symlink { target })
            }
            Form::Fifo => What::Other(Body::Fifo),
            Form::Device => {
                let device = described
                    .device()
                    .ok_or_else(|| refuse(Refusal::BadHeader))?;
                if !device.has_blocks && device.major == 0 && device.minor == 0 {
                    return Err(refuse(Refusal::OverlayDevice));
                }
                What::Other(Body::Device(device))
            }
            Form::File | Form::OldSparse | Form::Sparse => {
                let (size, extents) = if described.form == Form::File {
                    (described.stored, None)
                } else {
                    let (size, extents) = tar_sparse::checked_map(described, content)?;
                    (size, Some(extents))
                };
                shape = Some(Shape { size, extents });
                let stored = Stored::Plain(0);
                What::Other(Body::File { size, stored })
            }
        };
        let mode = match what {
            What::Other(Body::Symlink { .. }) => 0o777,
            _ => described.mode() & MODE_BITS,
        };
        let owner = described
            .owner()
            .ok_or_else(|| refuse(Refusal::BadHeader))?;
        let attributes = attributes::kept(&described.extended, described.form);
        let entry = Self {
            path,
            mode,
            owner,
            modified: described.modified(),
            attributes: attributes.ok_or_else(|| refuse(Refusal::BadAttributes))?,
            what,
        };
        Ok((entry, shape))
    }

    /// Returns how many bytes are kept of it that it chooses itself.
    pub(crate) fn description_bytes(&self) -> usize {
        let target = match &self.what {
            What::HardLink { target } => target.as_bytes().len(),
            What::Other(Body::Symlink { target }) => target.len(),
            _ => 0,
        };
        self.path.as_bytes().len() + target + self.attributes.len()
    }

    /// Says where the image has the content of a file.
    pub(crate) fn set_stored(&mut self, place: Stored) {
        if let What::Other(Body::File { stored, .. }) = &mut self.what {
            *stored = place;
        }
    }
}

/// Checks a name. All names begin at the root, those with a slash in front too.
fn path(name: &[u8]) -> Result<MemberPath, Error> {
    let start = name.iter().position(|byte| *byte != b'/');
    match start {
        None if !name.is_empty() => Ok(MemberPath::default()),
        start => MemberPath::parse(&name[start.unwrap_or_default()..]),
    }
}

/// Whether a directory is one of marks, such as aufs had.
fn is_below_mark(parents: &[u8]) -> bool {
    let mut parts = parents.split(|byte| *byte == b'/');
    parts.any(|part| part.starts_with(MARK))
}
