//! The *files* of a tar file, one after the other, for a caller that keeps them under names of its
//! own: nothing is made, opened or followed because of a name or a link.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::compressed;
use crate::content::{Content, Piece};
use crate::error::{Error, Refusal, fault};
use crate::tar_member::{Described, Form};
use crate::tar_members::TarMembers;
use crate::tar_reader::TarContent;

const BUFFER: usize = 256 * 1024;

/// Something with a name in a tar file.
pub enum TarFile<'a> {
    /// A file.
    File {
        /// Its size in bytes, as its header says; if the content ends before, reading fails.
        size: u64,
        /// Its content. What is not read is skipped.
        content: &'a mut dyn Read,
    },
    /// A link to a name, from the directory of the link if it is a symbolic one.
    Link {
        /// The name it leads to.
        target: &'a [u8],
        /// Whether it is a symbolic link.
        is_symbolic: bool,
    },
}

impl std::fmt::Debug for TarFile<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::File { .. } => "File",
            Self::Link { .. } => "Link",
        })
    }
}

/// Reads a tar file, compressed with gzip, zstd or xz or not at all, and hands over the name of each
/// file and link in it with what it is. Directories, devices and FIFOs are passed over. `archive` is
/// for errors. Memory does not grow with the input.
///
/// # Errors
/// That of `take`; [`Error::OtherKind`], [`Error::Damaged`] and [`Error::Unreadable`] for the input,
/// and [`Error::Refused`] for a member that cannot be understood or is sparse. An error of the input
/// comes before one that `take` makes of it.
pub fn read_tar_files<E: From<Error>>(
    archive: &Path,
    input: impl Read,
    mut take: impl FnMut(&[u8], TarFile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let has_more = Cell::new(false);
    let input = compressed::unpacked(input, &has_more).map_err(fault(archive))?;
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut members = TarMembers::new(&mut input, archive);
    while let Some(described) = members.next()? {
        let stored = described.stored;
        let mut content = Reading {
            content: TarContent {
                tar: &mut members.tar,
                left: stored,
            },
            fault: None,
        };
        let taken = hand_over(&described, &mut content, &mut take);
        let (left, fault) = (content.content.left, content.fault);
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        taken?;
        members.tar.skip(left)?;
        members.tar.skip_padding(stored)?;
    }
    // Checksums are at the end.
    members.end()?;
    if has_more.get() {
        let problem = "there is something behind its end".into();
        let path = archive.to_owned();
        return Err(Error::Damaged { path, problem }.into());
    }
    Ok(())
}

fn hand_over<E: From<Error>>(
    described: &Described,
    content: &mut Reading<'_, '_>,
    take: &mut impl FnMut(&[u8], TarFile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let name = described.name.as_slice();
    let what = match described.form {
        Form::File => TarFile::File {
            size: described.stored,
            content,
        },
        Form::Symlink | Form::HardLink => TarFile::Link {
            target: &described.target,
            is_symbolic: described.form == Form::Symlink,
        },
        Form::Directory | Form::Fifo | Form::Device => return Ok(()),
        Form::OldSparse | Form::Sparse => {
            return Err(Error::refused(name, Refusal::UnsupportedType).into());
        }
    };
    take(name, what)
}

/// The content of a member as it is read, and why it could not be.
struct Reading<'a, 'b> {
    content: TarContent<'a, 'b>,
    fault: Option<Error>,
}

impl Read for Reading<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.content.read(buffer) {
            Ok(Piece::Data(read)) => Ok(read),
            Ok(Piece::End | Piece::Hole(_)) => Ok(0),
            Err(error) => {
                let text = error.to_string();
                self.fault = Some(error);
                Err(io::Error::other(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(bytes: &[u8]) -> Result<Vec<String>, Error> {
        let mut list = Vec::new();
        read_tar_files(Path::new("x.tar"), bytes, |name, file| {
            let name = String::from_utf8_lossy(name);
            list.push(match file {
                TarFile::File { size, content } => {
                    let mut text = String::new();
                    content.read_to_string(&mut text).unwrap_or_default();
                    format!("{name}={text} ({size})")
                }
                TarFile::Link { target, .. } => {
                    format!("{name}->{}", String::from_utf8_lossy(target))
                }
            });
            Ok::<_, Error>(())
        })?;
        Ok(list)
    }

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let long = "d/".repeat(100) + "f";
        for (name, content) in [("a", "abc"), (&long, "long"), ("empty", "")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "x/l", "../../etc/passwd")
            .unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_and_links_come_in_order_and_nothing_is_followed() {
        let expected = [
            "a=abc (3)".to_owned(),
            format!("{}f=long (4)", "d/".repeat(100)),
            "empty= (0)".to_owned(),
            "x/l->../../etc/passwd".to_owned(),
        ];
        assert_eq!(listed(&archive()).unwrap(), expected);
    }

    #[test]
    fn wherever_it_is_cut_it_is_refused_and_never_read_as_shorter() {
        let whole = archive();
        // Up to the end mark, which may be missing.
        for length in (0..whole.len() - 1024).filter(|length| length % 512 != 0) {
            // Padding may be missing, too.
            match listed(&whole[..length]) {
                Err(_) => {}
                Ok(list) => assert!(list.iter().all(|line| whole_line(line)), "{length}"),
            }
        }
        assert!(listed(b"").is_err());
        assert!(listed(b"{\"no\": \"tar\"}").is_err());
    }

    fn whole_line(line: &str) -> bool {
        let Some((text, size)) = line.split_once(" (") else {
            return true;
        };
        let (_, text) = text.split_once('=').unwrap();
        size == format!("{})", text.len())
    }

    #[test]
    fn what_the_caller_does_not_want_ends_it() {
        let outcome = read_tar_files(Path::new("x.tar"), &archive()[..], |name, _| {
            Err(Error::refused(name, Refusal::LongPath))
        });
        assert!(matches!(outcome, Err(Error::Refused { .. })));
    }
}
