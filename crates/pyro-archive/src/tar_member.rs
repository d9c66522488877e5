//! What a tar file *describes*: the fields of a header, and what comes in front of it where they
//! have no room.

use crate::error::{Error, Refusal};
use crate::header::Header;
use crate::member::IMPLIED_MODE;
use crate::numbers::{Device, Owner};
use crate::pax::{Attributes, ExtendedAttributes, SparseAttributes, decimal};
use crate::time::Time;

/// More than an image can hold, which is 16 TiB; so many of them can be added up.
pub(crate) const LARGEST_FILE_BYTES: u64 = 1 << 44;

/// The permissions of a file that has none.
const PLAIN_MODE: u32 = 0o644;

/// What a member is, by its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    File,
    Directory,
    Symlink,
    HardLink,
    Fifo,
    Device,
    /// A sparse file whose map is in the header.
    OldSparse,
    /// A sparse file whose map is in its attributes or its content.
    Sparse,
}

pub(crate) struct Described {
    pub(crate) name: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) form: Form,
    /// Bytes that follow the header.
    pub(crate) stored: u64,
    /// The size is valid: it is not a leftover in a field that is unused for this type.
    pub(crate) is_sure_of_size: bool,
    pub(crate) header: Header,
    pub(crate) sparse: SparseAttributes,
    pub(crate) extended: ExtendedAttributes,
    modified: Option<Time>,
    user: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
}

impl Form {
    /// Whether there are as many bytes behind the header as it says. Of others some programs write
    /// the size of what they are or were, and no content.
    pub(crate) fn has_content(self) -> bool {
        matches!(self, Self::File | Self::OldSparse | Self::Sparse)
    }
}

impl Described {
    pub(crate) fn new(header: &Header, attributes: Attributes) -> Result<Self, Error> {
        let sparse = attributes.sparse;
        let name = attributes.name.unwrap_or_else(|| header.name());
        // The name that the header has then is one for programs that do not know about holes.
        let name = sparse.name.clone().unwrap_or(name);
        let refuse = |refusal| Error::refused(&name, refusal);
        let form = match header.kind() {
            b'1' => Form::HardLink,
            b'2' => Form::Symlink,
            b'3' | b'4' => Form::Device,
            // The content of the second is a list of what was in it.
            b'5' | b'D' => Form::Directory,
            b'6' => Form::Fifo,
            // The rest of a file whose beginning is in another archive.
            b'M' => return Err(refuse(Refusal::UnsupportedType)),
            b'S' => Form::OldSparse,
            // This is how old programs mark directories.
            0 | b'0' if name.ends_with(b"/") => Form::Directory,
            _ if sparse.is_present => Form::Sparse,
            // POSIX says that an unknown type is treated as a file.
            _ => Form::File,
        };
        let is_sure_of_size = attributes.size.is_some() || header.kind() == b'D';
        let stored = match &attributes.size {
            Some(size) => decimal(size),
            None => header.size(),
        };
        let stored = stored.filter(|size| *size <= LARGEST_FILE_BYTES);
        Ok(Self {
            stored: stored.ok_or_else(|| refuse(Refusal::BadHeader))?,
            target: attributes
                .target
                .unwrap_or_else(|| header.target().to_vec()),
            modified: attributes.modified,
            name,
            form,
            is_sure_of_size,
            header: header.clone(),
            sparse,
            extended: attributes.extended,
            user: attributes.user,
            group: attributes.group,
        })
    }

    pub(crate) fn mode(&self) -> u32 {
        self.header.mode().unwrap_or(match self.form {
            Form::Directory => IMPLIED_MODE,
            _ => PLAIN_MODE,
        })
    }

    /// Returns the owner. None if a number is not valid for a user or a group.
    pub(crate) fn owner(&self) -> Option<Owner> {
        let (user, group) = self.header.owner();
        let number = |attribute: &Option<Vec<u8>>, field: Option<i64>| {
            let number = match attribute {
                Some(attribute) => decimal(attribute)?,
                None => field?.try_into().ok()?,
            };
            // The highest number means "no user" to Linux.
            u32::try_from(number).ok().filter(|id| *id < u32::MAX)
        };
        Some(Owner {
            user: number(&self.user, user)?,
            group: number(&self.group, group)?,
        })
    }

    /// Returns the device. None if a number is larger than Linux allows.
    pub(crate) fn device(&self) -> Option<Device> {
        let (major, minor) = self.header.device();
        let number = |number: Option<i64>, bits: u32| {
            let number = u32::try_from(number?).ok()?;
            (number >> bits == 0).then_some(number)
        };
        Some(Device {
            has_blocks: self.header.kind() == b'4',
            major: number(major, 12)?,
            minor: number(minor, 20)?,
        })
    }

    pub(crate) fn modified(&self) -> Time {
        self.modified.unwrap_or_else(|| self.header.modified())
    }
}
