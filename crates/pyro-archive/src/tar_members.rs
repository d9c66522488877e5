//! The *members* of a tar file in order, each with the extended headers in front of it.

use std::io::Read;
use std::path::Path;

use crate::error::Error;
use crate::pax::Attributes;
use crate::tar_member::Described;
use crate::tar_reader::{End, TarReader};
use crate::time::Time;

pub(crate) struct TarMembers<'a> {
    /// Its position is at the content of the member that was returned last. The caller reads or
    /// skips that content.
    pub(crate) tar: TarReader<'a>,
    /// The time that a global header gives all members.
    of_all: Option<Time>,
}

impl<'a> TarMembers<'a> {
    pub(crate) fn new(input: &'a mut dyn Read, archive: &'a Path) -> Self {
        Self {
            tar: TarReader::new(input, archive),
            of_all: None,
        }
    }

    /// Returns the next member, or none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Described>, Error> {
        let tar = &mut self.tar;
        let mut attributes = Attributes::default();
        while let Some(header) = tar.header()? {
            match header.kind() {
                b'L' => attributes.name = Some(tar.name(&header)?),
                b'K' => attributes.target = Some(tar.name(&header)?),
                // Solaris uses `X` for the same.
                b'x' | b'X' => {
                    let bytes = tar.extension(&header)?;
                    let read = attributes.read(&bytes);
                    read.ok_or_else(|| tar.damaged("a pax header is broken"))?;
                }
                // Of a global header only the time makes sense for all members.
                b'g' => {
                    let bytes = tar.extension(&header)?;
                    let mut global = Attributes::default();
                    if global.read(&bytes).is_some() {
                        self.of_all = global.modified.or(self.of_all);
                    }
                }
                // A label of the tape, or an access control list of Solaris.
                b'V' | b'A' => tar.skip_content(header.size().unwrap_or_default())?,
                _ => {
                    attributes.modified = attributes.modified.or(self.of_all);
                    let mut described = Described::new(&header, attributes)?;
                    let has_content = described.form.has_content()
                        || described.stored > 0
                            && (described.is_sure_of_size || !tar.is_header_next()?);
                    if !has_content {
                        described.stored = 0;
                    }
                    return Ok(Some(described));
                }
            }
        }
        Ok(None)
    }

    /// Reads what is behind the last member.
    pub(crate) fn end(&mut self) -> Result<End, Error> {
        self.tar.end()
    }
}
