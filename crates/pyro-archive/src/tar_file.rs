//! A *tar file* is a sequence of headers, each followed by its content, in blocks of 512 bytes.
//!
//! It is read here and not by a crate, because those keep long names and attributes of any length
//! in memory, do not tell the end of a file that was cut from the end of the archive, and write
//! out holes.

use std::io::Read;
use std::path::Path;

use crate::content::Nothing;
use crate::error::{Error, Refusal};
use crate::member::{Member, MemberPath, What};
use crate::reading::Reading;
use crate::report::{Reason, Warning};
use crate::selection::plain;
use crate::sparse::Sparse;
use crate::tar_member::{Described, Form};
use crate::tar_members::TarMembers;
use crate::tar_reader::{TarContent, TarReader};
use crate::tar_sparse;

/// Reads all members but the root.
pub(crate) fn each(
    input: &mut dyn Read,
    archive: &Path,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let mut members = TarMembers::new(input, archive);
    while let Some(described) = members.next()? {
        member(&mut members.tar, &described, reading)?;
    }
    let end = members.end()?;
    if !end.has_mark {
        reading.warn(Warning::NoEndMark);
    }
    if end.has_more {
        reading.warn(Warning::MoreAfterEnd);
    }
    Ok(())
}

/// Reads the member that was described.
fn member(
    tar: &mut TarReader<'_>,
    described: &Described,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let stored = described.stored;
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
    let what = match described.what(&mut content)? {
        What::HardLink { target } if reading.excludes(target.as_bytes(), false) => {
            reading.leave_out(path.as_bytes(), Reason::Excluded);
            return content.tar.skip_content(stored);
        }
        what => what,
    };
    let file = Member {
        path,
        mode: described.mode(),
        modified: described.modified(),
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
    fn what(&self, content: &mut TarContent<'_, '_>) -> Result<What, Error> {
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
                let (size, extents) = tar_sparse::checked_map(self, content)?;
                What::File {
                    size,
                    extents: Some(extents),
                }
            }
        })
    }
}
