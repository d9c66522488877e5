//! The *diagnostics* of a supervisor: its log and its panics, in a file of its object's directory,
//! because no terminal shows its standard error.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::OFlags;

/// The file. Every supervisor truncates it.
const NAME: &str = "supervisor.log";
/// How much of its end is read.
const TAIL_BYTES: u64 = 8 * 1024;
/// How many of its lines an error shows.
const SHOWN_LINES: usize = 10;

/// Returns the standard error for a supervisor.
pub(super) fn stderr(directory: &Path) -> Stdio {
    match open(directory) {
        Ok(file) => file.into(),
        Err(error) => {
            tracing::debug!(%error, "a supervisor's diagnostics are not kept");
            Stdio::null()
        }
    }
}

/// Truncates the log of the last supervisor. Called by the one that owns the object now.
pub(super) fn begin(directory: &Path) {
    let emptied = open(directory).and_then(|file| file.set_len(0));
    if let Err(error) = emptied {
        tracing::debug!(%error, "older diagnostics stay");
    }
}

/// Returns the last lines of a supervisor's log, if there are any.
pub(super) fn last_words(directory: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let mut file = File::options()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(directory.join(NAME))
        .ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(pyro_text::line)
        .collect();
    let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// Every writer appends: a second supervisor may start, and log that the first one exists.
fn open(directory: &Path) -> std::io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(directory.join(NAME))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_end_is_shown_and_the_next_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(last_words(directory.path()), None);
        let mut file = open(directory.path()).unwrap();
        for number in 0..1000 {
            writeln!(file, "line {number}\x1b[31m").unwrap();
        }
        let words = last_words(directory.path()).unwrap();
        assert_eq!(words.lines().count(), SHOWN_LINES);
        assert!(words.lines().last().unwrap().starts_with("line 999"));
        assert!(!words.contains('\x1b'), "{words}");
        begin(directory.path());
        assert_eq!(last_words(directory.path()), None);
        // A writer that has the file open appends at its end, which is now its beginning.
        writeln!(file, "again").unwrap();
        assert_eq!(last_words(directory.path()).unwrap(), "again");
    }
}
