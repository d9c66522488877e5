//! A *text log* keeps the newest output of a long-lived process: a shell, a service. Positions in
//! it are counted in characters since the beginning, and remain valid when old output is dropped.
//!
//! It consists of files, each named after the position where it begins, so there is no index that
//! could be wrong: `output.0`, `output.524288`. Only the supervisor writes; other processes may
//! read at any time.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use pyro_store::create_private_file;
use tokio::sync::watch;

use super::redacted::Keep;

/// The minimum number of characters in a file before the next one begins.
const FILE_CHARS: u64 = 512 * 1024;
/// How many files are kept.
const FILES: usize = 4;
/// How often a reader tries again if the file was dropped in the meantime.
const READS: usize = 16;

/// The log of one output, for readers.
#[derive(Clone, Debug)]
pub(crate) struct TextLog {
    directory: PathBuf,
    name: &'static str,
}

/// A part of a log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Part {
    /// Where it begins: after the requested position if output was dropped.
    pub(crate) start: u64,
    pub(crate) text: String,
    /// Where it ends.
    pub(crate) end: u64,
    /// Whether the log continues there.
    pub(crate) more: bool,
}

impl TextLog {
    /// The log `name` in a directory.
    pub(crate) fn new(directory: &Path, name: &'static str) -> Self {
        Self {
            directory: directory.to_owned(),
            name,
        }
    }

    /// Reads at most `max_chars` from `cursor` on.
    pub(crate) fn read(&self, cursor: u64, max_chars: u64) -> io::Result<Part> {
        for _ in 0..READS {
            match self.read_files(cursor, max_chars) {
                // The writer has dropped it since the directory was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return read,
            }
        }
        Err(io::Error::other("it is written faster than it is read"))
    }

    /// Returns the last lines; `more` says whether there are others before them.
    pub(crate) fn tail(&self, lines: usize) -> io::Result<Part> {
        let mut all = self.read(0, u64::MAX)?;
        // The newline of the last line does not begin another one.
        let text = all.text.strip_suffix('\n').unwrap_or(&all.text);
        let mut ends = text.rmatch_indices('\n').map(|(place, _)| place + 1);
        let start = lines.checked_sub(1).and_then(|others| ends.nth(others));
        all.more = start.is_some() || all.start > 0;
        let before = start.unwrap_or(0);
        all.start += all.text[..before].chars().count() as u64;
        all.text.drain(..before);
        Ok(all)
    }

    /// Removes it.
    pub(super) fn remove(&self) -> io::Result<()> {
        for (_, path) in self.files()? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn read_files(&self, cursor: u64, max_chars: u64) -> io::Result<Part> {
        let files = self.files()?;
        let first = files.first().map_or(0, |(start, _)| *start);
        let mut part = Part {
            start: cursor.max(first),
            ..Part::default()
        };
        part.end = part.start;
        let mut end_of_all = first;
        for (index, (start, path)) in files.iter().enumerate() {
            let next = files.get(index + 1).map(|(start, _)| *start);
            if next.is_some_and(|next| next <= part.end) {
                continue;
            }
            let mut bytes = Vec::new();
            File::open(path)?.read_to_end(&mut bytes)?;
            // The last character may be incomplete while the writer is writing.
            let text = valid_part(&bytes);
            let skipped = usize::try_from(part.end.saturating_sub(*start)).unwrap_or(usize::MAX);
            let room = usize::try_from(max_chars - (part.end - part.start)).unwrap_or(usize::MAX);
            let mut characters = text.chars();
            let before = characters.by_ref().take(skipped).count();
            let rest = characters.as_str();
            let taken: usize = rest.chars().take(room).map(char::len_utf8).sum();
            part.text.push_str(&rest[..taken]);
            part.end += rest[..taken].chars().count() as u64;
            end_of_all = start + before as u64 + rest.chars().count() as u64;
            if taken < rest.len() {
                break;
            }
        }
        if part.start > end_of_all {
            // A position that does not exist yet.
            part.start = end_of_all;
            part.end = end_of_all;
        }
        part.more = part.end < end_of_all;
        Ok(part)
    }

    /// The files with their start positions, in order.
    fn files(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let start = name.to_str().and_then(|name| {
                let rest = name.strip_prefix(self.name)?;
                rest.strip_prefix('.')?.parse().ok()
            });
            if let Some(start) = start {
                files.push((start, self.path(start)));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn path(&self, start: u64) -> PathBuf {
        self.directory.join(format!("{}.{start}", self.name))
    }
}

fn valid_part(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The writer of a log. Bytes that are not UTF-8 become replacement characters.
#[derive(Debug)]
pub(super) struct TextLogWriter {
    log: TextLog,
    file: Option<File>,
    /// The number of characters in total, and in the current file.
    total: u64,
    in_file: u64,
    /// An incomplete character at the end of the last write.
    partial: Vec<u8>,
    grown: watch::Sender<()>,
}

impl TextLogWriter {
    /// Begins an empty log. `grown` is told of all new output.
    pub(super) fn new(log: TextLog, grown: watch::Sender<()>) -> Self {
        Self {
            log,
            file: None,
            total: 0,
            in_file: 0,
            partial: Vec::new(),
            grown,
        }
    }

    /// Goes on with a log, which may be empty.
    pub(super) fn append_to(log: TextLog, grown: watch::Sender<()>) -> Result<Self, crate::Error> {
        let end = log.read(u64::MAX, 0);
        let end = end
            .map_err(|error| crate::Error::unreadable_output(&error))?
            .end;
        Ok(Self {
            total: end,
            ..Self::new(log, grown)
        })
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        if self.file.is_none() || self.in_file >= FILE_CHARS {
            let path = self.log.path(self.total);
            // A failed write may have left a file with the same name.
            let _ = fs::remove_file(&path);
            self.file = Some(create_private_file(&path)?);
            self.in_file = 0;
            self.drop_old()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(text.as_bytes())?;
        }
        let count = text.chars().count() as u64;
        self.in_file += count;
        self.total += count;
        Ok(())
    }

    fn drop_old(&self) -> io::Result<()> {
        let files = self.log.files()?;
        for (_, path) in &files[..files.len().saturating_sub(FILES)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Keep for TextLogWriter {
    fn keep(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let mut text = String::new();
        for chunk in all.utf8_chunks() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            let may_go_on =
                std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if may_go_on && ends_with(&all, invalid) {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        // A full disk must not end the process.
        if let Err(error) = self.append(&text) {
            tracing::warn!(%error, "output is not logged");
            self.file = None;
        }
        self.grown.send_replace(());
    }
}

/// Whether a part of `all` is its very end.
fn ends_with(all: &[u8], part: &[u8]) -> bool {
    std::ptr::eq(all.as_ptr_range().end, part.as_ptr_range().end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, TextLog, TextLogWriter) {
        let directory = tempfile::tempdir().unwrap();
        let log = TextLog::new(directory.path(), "output");
        let writer = TextLogWriter::new(log.clone(), watch::Sender::new(()));
        (directory, log, writer)
    }

    fn part(start: u64, text: &str, more: bool) -> Part {
        let end = start + text.chars().count() as u64;
        Part {
            start,
            text: text.into(),
            end,
            more,
        }
    }

    #[test]
    fn parts_are_counted_in_characters() {
        let (_directory, log, mut writer) = log();
        assert_eq!(log.read(0, 10).unwrap(), part(0, "", false));
        writer.keep("gr\u{fc}\u{df}e".as_bytes());
        assert_eq!(log.read(0, 3).unwrap(), part(0, "gr\u{fc}", true));
        assert_eq!(log.read(3, 99).unwrap(), part(3, "\u{df}e", false));
        assert_eq!(log.read(5, 99).unwrap(), part(5, "", false));
        assert_eq!(log.read(500, 99).unwrap(), part(5, "", false));
    }

    #[test]
    fn cut_characters_wait_for_their_end_and_wrong_bytes_are_replaced() {
        let (_directory, log, mut writer) = log();
        for bytes in [&b"a\xff\xc3"[..], b"\xbc", b"\xe2\x82", b"b\xc3"] {
            writer.keep(bytes);
        }
        let text = "a\u{fffd}\u{fc}\u{fffd}b";
        assert_eq!(log.read(0, 99).unwrap(), part(0, text, false));
    }

    #[test]
    fn the_newest_output_is_kept_and_places_stay() {
        let (directory, log, mut writer) = log();
        let piece = "\u{e4}".repeat(100_000);
        for index in 0..60_u64 {
            writer.keep(piece.as_bytes());
            writer.keep(format!("<{index:04}>").as_bytes());
        }
        let total = 60 * 100_006;
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), FILES);
        let last = log.read(total - 6, 99).unwrap();
        assert_eq!(last, part(total - 6, "<0059>", false));
        // Dropped output is skipped.
        let first = log.read(3, 2).unwrap();
        assert!(first.start > 1_000_000 && first.more, "{first:?}");
        let all = log.read(0, u64::MAX).unwrap();
        assert_eq!((all.end, all.more), (total, false));
        assert_eq!(all.text.chars().count() as u64, all.end - all.start);
        // Across the boundary of two files.
        let files = log.files().unwrap();
        let border = log.read(files[2].0 - 5, 10).unwrap();
        assert_eq!(border.text.chars().count(), 10);
    }

    #[test]
    fn the_tail_has_whole_lines() {
        let (_directory, log, mut writer) = log();
        writer.keep(b"one\ntwo\nthree\n");
        let tail = |lines| log.tail(lines).unwrap();
        assert_eq!(tail(2), part(4, "two\nthree\n", true));
        assert_eq!(tail(3), part(0, "one\ntwo\nthree\n", false));
        assert_eq!(tail(9), part(0, "one\ntwo\nthree\n", false));
        writer.keep(b"half");
        assert_eq!(tail(2), part(8, "three\nhalf", true));
    }
}
