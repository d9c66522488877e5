//! An *extraction* reads a tar stream that the guest wrote and that is not trusted, and makes files
//! or another tar file from it. Everything is checked first.

mod files;
mod repacked;

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use files::Files;
pub use files::UnfinishedDirectory;
use repacked::Repacked;

use crate::content::{Content, Piece};
use crate::error::{Error, Refusal};
use crate::member::{Member, What};
use crate::packer::Packer;
use crate::progress::{Meter, Progress};
use crate::reading::Reading;
use crate::selection::Selection;
use crate::tar_file;
use crate::time::Time;
use crate::tree::Tree;

/// The result of an extraction.
#[derive(Debug)]
pub struct Extracted {
    /// Members of the stream.
    pub entry_count: u64,
    /// What its regular files have, together.
    pub bytes_written: u64,
    /// What the member at the top is.
    pub top: Top,
    /// The directory at the top, if files were made. Its owner may still write in it, because else
    /// it could not be moved.
    pub directory: Option<UnfinishedDirectory>,
}

/// What the member at the top is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Top {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
}

/// What a stream is turned into.
#[derive(Debug)]
pub enum Target<'a> {
    /// Files, in this directory, which is empty.
    Files(BorrowedFd<'a>),
    /// A tar file.
    Tar {
        /// Where it is written.
        output: Packer<'a>,
        /// What the member at the top is named there: one part of a path.
        name: &'a [u8],
        /// The owner of everything: the numbers of a user and a group.
        owner: (u32, u32),
    },
}

/// Reads a tar stream. Its first member has to be `top`, and all others below it. When it is known
/// what the first one is, `choose` says what is made of the stream; or with an error that nothing
/// is, and then no content is read.
///
/// Nothing is made outside of a directory, and nothing replaced, whatever the stream says: each
/// name is checked, and the kernel follows no link. A tar file is written anew, of what was
/// checked. Holes, devices and pipes are refused, and so is a name that comes twice, and a stream
/// that does not end in a mark of its end. The caller removes what is there after an error.
///
/// # Errors
/// [`Error::Refused`] and [`Error::Damaged`] for the stream; [`Error::Write`] for what is made of
/// it; that of `choose`.
pub fn extract<'a>(
    input: &mut dyn Read,
    top: &str,
    choose: &mut dyn FnMut(Top) -> Result<Target<'a>, Error>,
    progress: &dyn Fn(Progress),
) -> Result<Extracted, Error> {
    let archive = Path::new("of the workspace");
    let mut extraction = Extraction {
        top: top.as_bytes(),
        tree: Tree::new(Time::now()),
        choose,
        begun: None,
        meter: Meter::new(progress, None),
    };
    let selection = Selection::default();
    let mut visit = |member: Member, content: &mut dyn Content| extraction.take(member, content);
    let mut reading = Reading::new(&selection, &mut visit);
    tar_file::each(input, archive, &mut reading)?;
    let report = reading.into_report();
    let damaged = |problem: &str| Error::Damaged {
        path: archive.to_owned(),
        problem: problem.into(),
    };
    if let Some(warning) = report.warnings.first() {
        return Err(damaged(&warning.to_string()));
    }
    if let Some((name, _)) = report.left_out.named().first() {
        return Err(Error::Refused {
            entry: name.clone(),
            refusal: Refusal::UnsupportedType,
        });
    }
    let Some((top, sink)) = extraction.begun else {
        return Err(damaged("it has no members"));
    };
    let directory = sink.finish()?;
    extraction.meter.report();
    Ok(Extracted {
        entry_count: report.entry_count,
        bytes_written: report.bytes_written,
        top,
        directory,
    })
}

struct Extraction<'a, 'b> {
    top: &'b [u8],
    tree: Tree,
    choose: &'b mut dyn FnMut(Top) -> Result<Target<'a>, Error>,
    begun: Option<(Top, Sink<'a>)>,
    meter: Meter<'b>,
}

impl Extraction<'_, '_> {
    fn take(&mut self, member: Member, content: &mut dyn Content) -> Result<(), Error> {
        self.check(&member)?;
        if self.begun.is_none() {
            let top = match member.what {
                What::Directory => Top::Directory,
                What::Symlink { .. } => Top::Symlink,
                _ => Top::File,
            };
            self.begun = Some((top, Sink::begin((self.choose)(top)?, self.top)));
        }
        let (_, sink) = self.begun.as_mut().expect("it has just begun");
        let meter = &mut self.meter;
        sink.take(member, &mut Metered { content, meter })
    }

    /// What is checked here holds for everything that is made of a stream.
    fn check(&mut self, member: &Member) -> Result<(), Error> {
        let refuse = |refusal| Err(Error::refused(member.path.as_bytes(), refusal));
        // The first member is the top, and each parent a directory that came before.
        let is_top = member.path.as_bytes() == self.top;
        if is_top != self.begun.is_none() || member.path.parts().next() != Some(self.top) {
            return refuse(Refusal::Conflict);
        }
        // A tree lets the last of several win, and not every target could take that back.
        if self.tree.find(&member.path).is_some() || self.tree.add(member)?.implied > 0 {
            return refuse(Refusal::Conflict);
        }
        match &member.what {
            What::File { extents, .. } if extents.is_some() => refuse(Refusal::BadSparse),
            What::Fifo => refuse(Refusal::UnsupportedType),
            _ => Ok(()),
        }
    }
}

/// Where members go when they are checked.
enum Sink<'a> {
    Files(Files<'a>),
    Repacked(Box<Repacked<'a>>),
}

impl<'a> Sink<'a> {
    fn begin(target: Target<'a>, top: &[u8]) -> Self {
        match target {
            Target::Files(directory) => Self::Files(Files::new(directory, top)),
            Target::Tar {
                output,
                name,
                owner,
            } => Self::Repacked(Box::new(Repacked::new(output, name, owner))),
        }
    }

    fn take(&mut self, member: Member, content: &mut dyn Content) -> Result<(), Error> {
        match self {
            Self::Files(files) => files.take(&member, content),
            Self::Repacked(archive) => archive.take(member, content),
        }
    }

    /// Returns the directory at the top, if one was made.
    fn finish(self) -> Result<Option<UnfinishedDirectory>, Error> {
        match self {
            Self::Files(files) => files.finish(),
            Self::Repacked(archive) => archive.finish().map(|()| None),
        }
    }
}

/// A content that is counted while it is read.
struct Metered<'a, 'b> {
    content: &'a mut dyn Content,
    meter: &'a mut Meter<'b>,
}

impl Content for Metered<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        let piece = self.content.read(buffer)?;
        if let Piece::Data(read) = piece {
            self.meter.add(read);
        }
        Ok(piece)
    }
}
