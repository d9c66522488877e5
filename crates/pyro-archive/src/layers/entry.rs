//! An *entry* of a layer adds or replaces one name, or removes it.

use super::attributes;
use crate::error::{Error, Refusal};
use crate::member::{MODE_BITS, MemberPath, check_target};
use crate::node::{Body, Stored};
use crate::numbers::Owner;
use crate::sparse::Extents;
use crate::tar_member::{Described, Form};
use crate::tar_reader::TarContent;
use crate::tar_sparse;
use crate::time::Time;

/// A name with this prefix is not a file, but a mark: a whiteout.
const MARK: &[u8] = b".wh.";
/// This mark removes everything that lower layers have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Files in the root that eStargz uses to find its index.
const LANDMARKS: [&[u8]; 3] = [
    b"stargz.index.json",
    b".prefetch.landmark",
    b".no.prefetch.landmark",
];

/// A layer that was read.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// What it removes from lower layers.
    pub(crate) removed: Vec<Removed>,
    /// Its other entries, in order.
    pub(crate) entries: Vec<Entry>,
}

/// Something that is removed.
#[derive(Debug)]
pub(crate) enum Removed {
    /// The name at a path, with everything below it.
    Name(MemberPath),
    /// Everything in a directory.
    Children(MemberPath),
}

/// What the name of an entry means.
#[derive(Debug)]
pub(crate) enum Place {
    At(MemberPath),
    Removed(Removed),
    /// It is ignored: it is meant for programs that process layers.
    Nowhere,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: MemberPath,
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    pub(crate) modified: Time,
    /// In the encoding of EROFS.
    pub(crate) attributes: Box<[u8]>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Directory,
    HardLink { target: MemberPath },
    Other(Body),
}

/// The content of a file that is not read yet.
#[derive(Debug)]
pub(crate) struct Shape {
    /// In bytes, including holes.
    pub(crate) size: u64,
    /// The parts that are not holes; none if there are no holes.
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
        // The type of a mark does not matter: some programs write directories or hard links.
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
    /// Makes an entry from its description, and returns the shape of its content if it is a file.
    /// Reads the map of a sparse file if that is in front of the content.
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

    /// Returns how many bytes its path, target and attributes take.
    pub(crate) fn description_bytes(&self) -> usize {
        let target = match &self.what {
            What::HardLink { target } => target.as_bytes().len(),
            What::Other(Body::Symlink { target }) => target.len(),
            _ => 0,
        };
        self.path.as_bytes().len() + target + self.attributes.len()
    }

    /// Sets the position of a file's content in the image.
    pub(crate) fn set_stored(&mut self, place: Stored) {
        if let What::Other(Body::File { stored, .. }) = &mut self.what {
            *stored = place;
        }
    }
}

/// Checks a name. It is relative to the root, with or without a slash in front.
fn path(name: &[u8]) -> Result<MemberPath, Error> {
    let start = name.iter().position(|byte| *byte != b'/');
    match start {
        None if !name.is_empty() => Ok(MemberPath::default()),
        start => MemberPath::parse(&name[start.unwrap_or_default()..]),
    }
}

/// Whether a directory, or one above it, has the name of a mark; aufs had such directories.
fn is_below_mark(parents: &[u8]) -> bool {
    let mut parts = parents.split(|byte| *byte == b'/');
    parts.any(|part| part.starts_with(MARK))
}
