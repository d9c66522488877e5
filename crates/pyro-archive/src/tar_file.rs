//! A *tar file* is a sequence of headers, each followed by its content, in blocks of 512 bytes.
//!
//! It is read here and not by a crate, because those keep long names and attributes of any length
//! in memory, do not tell the end of a file that was cut from the end of the archive, and write
//! out holes.

use std::io::Read;
use std::path::Path;

use crate::content::Nothing;
use crate::error::{Error, Refusal};
use crate::header::Header;
use crate::member::{Member, MemberPath, What};
use crate::pax::Attributes;
use crate::reading::Reading;
use crate::report::Reason;
use crate::selection::plain;
use crate::sparse::{Extents, Sparse};
use crate::tar_member::{Described, Form};
use crate::tar_reader::{TarContent, TarReader};
use crate::tar_sparse;
use crate::time::Time;

/// Reads all members but the root.
pub(crate) fn each(
    input: &mut dyn Read,
    archive: &Path,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let mut tar = TarReader::new(input, archive);
    let mut attributes = Attributes::default();
    let mut of_all: Option<Time> = None;
    while let Some(header) = tar.header()? {
        match header.kind() {
            b'L' => attributes.name = Some(tar.name(&header)?),
            b'K' => attributes.target = Some(tar.name(&header)?),
            // As Solaris marks the same.
            b'x' | b'X' => {
                let bytes = tar.extension(&header)?;
                let read = attributes.read(&bytes);
                read.ok_or_else(|| tar.damaged("a pax header is broken"))?;
            }
            // Of what is said of all members only the time can be meant for each.
            b'g' => {
                let bytes = tar.extension(&header)?;
                let mut global = Attributes::default();
                if global.read(&bytes).is_some() {
                    of_all = global.modified.or(of_all);
                }
            }
            // A label of the tape, or permissions in a form of Solaris.
            b'V' | b'A' => tar.skip_content(header.size().unwrap_or_default())?,
            _ => {
                let mut attributes = std::mem::take(&mut attributes);
                attributes.modified = attributes.modified.or(of_all);
                member(&mut tar, &header, attributes, reading)?;
            }
        }
    }
    tar.end(reading)
}

/// Reads the member that a header and what came before it describe.
fn member(
    tar: &mut TarReader<'_>,
    header: &Header,
    attributes: Attributes,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let described = Described::new(header, attributes)?;
    let has_content = described.form.has_content()
        || described.stored > 0 && (described.is_sure_of_size || !tar.is_header_next()?);
    let stored = if has_content { described.stored } else { 0 };
    let is_directory = described.form == Form::Directory;
    let name = plain(&described.name);
    if reading.excludes(&name, is_directory) {
        return tar.skip_content(stored);
    }
    if described.form == Form::Device {
        reading.leave_out(&name, Reason::Device);
        return tar.skip_content(stored);
    }
    let path = MemberPath::parse(&described.name)?;
    if path.is_root() {
        return match described.form {
            Form::Directory => tar.skip_content(stored),
            _ => Err(Error::refused(&described.name, Refusal::UnsafePath)),
        };
    }
    let mut content = TarContent { tar, left: stored };
    let what = match described.what(&path, &mut content)? {
        What::HardLink { target } if reading.excludes(target.as_bytes(), false) => {
            reading.leave_out(path.as_bytes(), Reason::Excluded);
            return content.tar.skip_content(stored);
        }
        what => what,
    };
    let file = Member {
        path,
        mode: described.mode(header),
        modified: described.modified(header),
        what,
    };
    if let What::File {
        size,
        extents: Some(extents),
    } = &file.what
    {
        let (size, extents) = (*size, extents.clone());
        reading.take(file, &mut Sparse::new(&mut content, &extents, size))?;
    } else if matches!(file.what, What::File { .. }) {
        reading.take(file, &mut content)?;
    } else {
        reading.take(file, &mut Nothing)?;
    }
    let left = content.left;
    tar.skip(left)?;
    tar.skip_padding(stored)
}

impl Described {
    /// Returns what the member is. Reads the map of a sparse file if it is in front of its content.
    fn what(&self, path: &MemberPath, content: &mut TarContent<'_, '_>) -> Result<What, Error> {
        let refuse = |refusal| Error::refused(&self.name, refusal);
        Ok(match self.form {
            Form::Directory => What::Directory,
            Form::Fifo | Form::Device => What::Fifo,
            Form::Symlink => What::Symlink {
                target: self.target.clone(),
            },
            Form::HardLink => What::HardLink {
                target: MemberPath::parse(&self.target)
                    .map_err(|_| refuse(Refusal::StrayHardLink))?,
            },
            Form::File => What::File {
                size: self.stored,
                extents: None,
            },
            Form::OldSparse | Form::Sparse => {
                let (size, extents) = tar_sparse::map(self, content)?;
                // What is stored are the extents, no more and no less.
                let extents = Extents::checked(extents, size);
                let extents = extents.filter(|extents| extents.data() == content.left);
                let extents =
                    extents.ok_or_else(|| Error::refused(path.as_bytes(), Refusal::BadSparse))?;
                What::File {
                    size,
                    extents: Some(extents),
                }
            }
        })
    }
}
