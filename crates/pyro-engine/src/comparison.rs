//! A *comparison* of a workspace with its initial files or with a snapshot, as a guest sends it.

use std::io::{self, Read};

use pyro_machine::{Answer, Call, FileChange, FileState, FileType, octets};
use tokio::io::AsyncWrite;

use crate::Error;
use crate::instance::{self, Instance, Reader};
use crate::off_thread::{off_thread, pipe};
use crate::request::WORKSPACE;

/// Longer than any line of a change: two link targets and a path of 4 KiB each, which escaping may
/// lengthen six times.
const LINE_LIMIT_BYTES: usize = 128 * 1024;

const BUFFER_BYTES: usize = 256 * 1024;

/// The longest path that Linux takes; see `PATH_MAX` in limits.h.
const PATH_LIMIT_BYTES: usize = 4096;

/// The sides of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Old,
    New,
}

/// The receiver of the changes.
pub(crate) trait Changes: Send {
    /// Receives a change; its contents follow.
    fn change(&mut self, path: &[u8], change: FileChange) -> Result<(), Error>;

    /// Receives a part of a content of the last change.
    fn content(&mut self, side: Side, bytes: &[u8]) -> Result<(), Error>;
}

/// The machine that makes the comparison.
#[derive(Clone, Copy)]
pub(crate) enum Machine<'a> {
    /// The instance itself, compared with its initial files.
    Itself(&'a Instance),
    /// A reader with a copy of the instance's disk, compared with its initial files or with the
    /// disk of a snapshot.
    Reader { reader: &'a Reader, snapshot: bool },
}

impl Machine<'_> {
    async fn call(
        self,
        call: &Call,
        output: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Answer, Error> {
        match self {
            Self::Itself(instance) => instance::call(instance, call, &[], output).await,
            Self::Reader { reader, .. } => reader.call(call, output).await,
        }
    }
}

/// Compares these paths below `/workspace`, or all of it. `changes` receives the result on a thread
/// where it may wait for the host's disk. Returns `changes`, and how many files changed while they
/// were read.
pub(crate) async fn compare<C: Changes + 'static>(
    machine: Machine<'_>,
    paths: Vec<String>,
    contents: bool,
    changes: C,
) -> Result<(C, u64), Error> {
    let call = Call::Compare {
        root: WORKSPACE.into(),
        paths,
        contents,
        snapshot: matches!(machine, Machine::Reader { snapshot: true, .. }),
    };
    receive(machine, &call, contents, changes).await
}

/// Reads the files at these paths below `/workspace`; each is reported as an added file.
pub(crate) async fn read_files<C: Changes + 'static>(
    instance: &Instance,
    paths: Vec<String>,
    changes: C,
) -> Result<C, Error> {
    let call = Call::ReadFiles {
        root: WORKSPACE.into(),
        paths,
    };
    let (changes, _) = receive(Machine::Itself(instance), &call, true, changes).await?;
    Ok(changes)
}

async fn receive<C: Changes + 'static>(
    machine: Machine<'_>,
    call: &Call,
    contents: bool,
    changes: C,
) -> Result<(C, u64), Error> {
    let (mut output, mut input) = pipe().map_err(|error| Error::transfer(&error))?;
    let reading = off_thread(move || {
        let mut reader = Incoming::new(contents, changes);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break Ok(reader),
                Ok(length) => reader.take(&buffer[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(Error::transfer(&error)),
            }
        }
    });
    let calling = async {
        let answer = machine.call(call, &mut output).await;
        drop(output);
        answer
    };
    let (reader, answer) = tokio::join!(reading, calling);
    let (reader, answer) = match (reader, answer) {
        // The call could not continue to write because its output was refused.
        (Err(error), Err(call)) if call.is_of_output() => return Err(error),
        (_, Err(error)) | (Err(error), Ok(_)) => return Err(error),
        (Ok(reader), Ok(answer)) => (reader, answer),
    };
    match answer {
        Answer::Compared { changes, changed } if reader.is_complete(changes) => {
            Ok((reader.changes, changed))
        }
        answer => Err(unreadable(&format!("{answer:?} after {}", reader.count))),
    }
}

fn unreadable(detail: &dyn std::fmt::Display) -> Error {
    Error::guest_output("a comparison", detail)
}

/// Reads the guest's data, which is untrusted.
struct Incoming<C> {
    contents: bool,
    changes: C,
    count: u64,
    line: Vec<u8>,
    /// The contents that follow, with the remaining bytes of each, in reverse order.
    left: Vec<(Side, u64)>,
}

impl<C: Changes> Incoming<C> {
    fn new(contents: bool, changes: C) -> Self {
        Self {
            contents,
            changes,
            count: 0,
            line: Vec::new(),
            left: Vec::new(),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if let Some((side, left)) = self.left.last_mut() {
                let length =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let (content, rest) = bytes.split_at(length);
                self.changes.content(*side, content)?;
                *left -= length as u64;
                if *left == 0 {
                    self.left.pop();
                }
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (piece, rest) = match end {
                Some(end) => (&bytes[..end], &bytes[end + 1..]),
                None => (bytes, &bytes[bytes.len()..]),
            };
            if self.line.len() + piece.len() > LINE_LIMIT_BYTES {
                return Err(unreadable(&"a line is too long"));
            }
            self.line.extend_from_slice(piece);
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.change(&line)?;
            }
        }
        Ok(())
    }

    fn change(&mut self, line: &[u8]) -> Result<(), Error> {
        let change: FileChange =
            serde_json::from_slice(line).map_err(|error| unreadable(&error))?;
        let path = octets::decode(&change.path).into_owned();
        if !is_relative(&path) {
            return Err(unreadable(&format!("the path {:?}", change.path)));
        }
        self.count += 1;
        let bytes = |state: &Option<FileState>| match state {
            Some(state) if state.file_type == FileType::File => state.size,
            _ => 0,
        };
        if self.contents && !change.same_content {
            let left = [
                (Side::New, bytes(&change.new)),
                (Side::Old, bytes(&change.old)),
            ];
            self.left
                .extend(left.into_iter().filter(|(_, left)| *left > 0));
        }
        self.changes.change(&path, change)
    }

    fn is_complete(&self, count: u64) -> bool {
        self.count == count && self.line.is_empty() && self.left.is_empty()
    }
}

/// Whether a path has the form that a directory walk yields.
fn is_relative(path: &[u8]) -> bool {
    path.len() <= PATH_LIMIT_BYTES
        && !path.contains(&0)
        && path
            .split(|byte| *byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<u8>);

    impl Changes for Seen {
        fn change(&mut self, path: &[u8], _: FileChange) -> Result<(), Error> {
            self.0.extend_from_slice(path);
            self.0.push(b':');
            Ok(())
        }

        fn content(&mut self, side: Side, bytes: &[u8]) -> Result<(), Error> {
            let shifted = bytes.iter().map(|byte| match side {
                Side::Old => byte.to_ascii_lowercase(),
                Side::New => byte.to_ascii_uppercase(),
            });
            self.0.extend(shifted);
            Ok(())
        }
    }

    fn file(size: u64) -> String {
        format!(r#"{{"file_type":"file","size":{size},"mode":420,"modified":0}}"#)
    }

    /// Reads the stream in chunks of each size. Returns the changes and whether the stream was
    /// complete.
    fn read(stream: &str, count: u64) -> Result<(String, bool), Error> {
        let mut results = Vec::new();
        for size in [1, 2, 7, stream.len().max(1)] {
            let mut reader = Incoming::new(true, Seen::default());
            for piece in stream.as_bytes().chunks(size) {
                reader.take(piece)?;
            }
            let complete = reader.is_complete(count);
            results.push((String::from_utf8(reader.changes.0).unwrap(), complete));
        }
        assert!(
            results.windows(2).all(|two| two[0] == two[1]),
            "{results:?}"
        );
        Ok(results.remove(0))
    }

    #[test]
    fn contents_follow_their_lines() {
        let stream = format!(
            "{{\"path\":\"a\",\"old\":{},\"new\":{}}}\nab\ncdef{{\"path\":\"b/c\",\"new\":{}}}\n",
            file(3),
            file(4),
            file(0)
        );
        assert_eq!(
            read(&stream, 2).unwrap(),
            ("a:ab\nCDEFb/c:".to_owned(), true)
        );
        assert!(!read(&stream, 3).unwrap().1);
        assert!(!read(&stream[..stream.len() - 1], 2).unwrap().1);
        assert!(!read(&stream[..stream.len() / 2], 1).unwrap().1);
    }

    #[test]
    fn what_no_walk_gives_is_refused() {
        let long = "a/".repeat(2048) + "a";
        for path in [
            "",
            "/a",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a/",
            "a\\u0000b",
            &long,
        ] {
            let stream = format!("{{\"path\":\"{path}\",\"new\":{}}}\n", file(0));
            assert!(read(&stream, 1).is_err(), "{path}");
        }
        assert!(read("nonsense\n", 1).is_err());
        assert!(read(&"x".repeat(LINE_LIMIT_BYTES + 1), 1).is_err());
    }
}
