//! The *history* of an object: the commands that were run in it, a directory for each. Output is
//! appended as it comes, so that a crash keeps what was printed.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crash_point::between_steps;
use crate::objects::{read_small, remove_drafts};
use crate::power_loss::flushed;
use crate::record::create_lasting_directory;
use crate::record::{replace, text_of};
use crate::{Error, create_private_directory, sync_directory, write_atomically, write_record};

const ENTRY: &str = "command.json";
const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";
const NEW: &str = ".new-";
/// Longer than any entry: a command line has at most 128 KiB, which escaping may make six times
/// as long.
const ENTRY_LIMIT_BYTES: u64 = 1024 * 1024;

/// The commands of one object.
#[derive(Clone, Debug)]
pub struct History {
    directory: PathBuf,
}

/// The record of one command.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Its number; the first is 1.
    pub sequence: u64,
    /// The command.
    pub command: String,
    /// Its working directory.
    pub cwd: String,
    /// Where it ran.
    pub execution_mode: String,
    /// When it was started, in seconds since the Unix epoch.
    pub recorded_at: f64,
    /// How it ended, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a command ended.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Exit {
    /// The exit code that its caller received; `None` if there was none.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// The signal that killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether it exceeded its time limit.
    #[serde(default)]
    pub timed_out: bool,
    /// Whether it failed, and the kernel killed one of its processes for lack of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// Why it has no exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// Bytes of output that were dropped: beyond the limit, or to make room for newer output.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Why the files that it wrote are not on the disk, if the guest's flush failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_flushed: Option<String>,
}

/// The open log of a running command.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    entry: HistoryEntry,
    /// The file for its standard output.
    pub stdout: File,
    /// The file for its standard error.
    pub stderr: File,
}

impl History {
    /// Uses `directory` for the commands of one object.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns the number of the newest command, 0 if there is none.
    pub fn last(&self) -> u64 {
        self.sequences().last().copied().unwrap_or(0)
    }

    /// Returns the numbers of all commands, in order.
    pub fn sequences(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// Records that a command begins. Its number must be new; only the owner assigns numbers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, entry: HistoryEntry) -> Result<Log, Error> {
        create_lasting_directory(&self.directory)?;
        let directory = self.path(entry.sequence);
        let new = self.directory.join(format!("{NEW}{}", entry.sequence));
        // A process that died may have left one.
        let _ = fs::remove_dir_all(&new);
        between_steps();
        create_private_directory(&new)?;
        between_steps();
        replace(&new.join(ENTRY), &text_of(&entry))?;
        let output = |name: &str| {
            create_private(&new.join(name)).map_err(|source| Error::new("create", &new, source))
        };
        let (stdout, stderr) = (output(STDOUT)?, output(STDERR)?);
        between_steps();
        fs::rename(&new, &directory).map_err(|source| Error::new("rename", &new, source))?;
        between_steps();
        Ok(Log {
            directory,
            entry,
            stdout,
            stderr,
        })
    }

    /// Removes all commands with their logs. If the process dies meanwhile, some are left. None may
    /// be running.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn clear(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.directory) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::new("remove", &self.directory, source))
            }
            _ => Ok(()),
        }
    }

    /// Records `reason` for commands of an earlier owner that have no end. Only the owner may call
    /// this, before it begins its first command.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&self, reason: &str) -> Result<(), Error> {
        for sequence in self.sequences() {
            // An unreadable entry is reported when it is read on request.
            let Ok(mut entry) = self.entry(sequence) else {
                continue;
            };
            if entry.exit.is_none() {
                let directory = self.path(sequence);
                remove_drafts(&directory);
                entry.exit = Some(Exit {
                    interrupted: Some(reason.into()),
                    ..Exit::default()
                });
                write_record(&directory.join(ENTRY), &entry)?;
            }
        }
        Ok(())
    }

    /// Reads the record of a command.
    ///
    /// # Errors
    /// When there is no record, or it cannot be read.
    pub fn entry(&self, sequence: u64) -> Result<HistoryEntry, Error> {
        let path = self.path(sequence).join(ENTRY);
        read_small(&path, ENTRY_LIMIT_BYTES)
            .and_then(|text| serde_json::from_slice(&text).map_err(Into::into))
            .map_err(|source| Error::new("read", &path, source))
    }

    /// The size of the outputs of all commands, in bytes.
    pub fn output_bytes(&self) -> u64 {
        let sequences = self.sequences();
        sequences.iter().map(|number| self.outputs(*number)).sum()
    }

    /// Empties the outputs of commands that have ended, the oldest first, until `wanted` bytes were
    /// dropped or none are left. The records count them. A process that has an output open can read
    /// it to its end. Only the owner may call this. Returns the number of bytes dropped.
    ///
    /// # Errors
    /// When a record or an output cannot be written; the outputs before it stay dropped.
    pub fn drop_outputs(&self, wanted: u64) -> Result<u64, Error> {
        let mut dropped = 0;
        for sequence in self.sequences() {
            if dropped >= wanted {
                break;
            }
            let bytes = self.outputs(sequence);
            if bytes > 0 && self.drop_output(sequence, bytes)? {
                dropped += bytes;
            }
        }
        Ok(dropped)
    }

    /// Empties the outputs of a command, unless it is running or its record cannot be read.
    fn drop_output(&self, sequence: u64, bytes: u64) -> Result<bool, Error> {
        let Ok(mut entry) = self.entry(sequence) else {
            return Ok(false);
        };
        let Some(exit) = &mut entry.exit else {
            return Ok(false);
        };
        // Recorded first: after a crash the count may be too high, but never too low.
        exit.dropped_bytes = exit.dropped_bytes.saturating_add(bytes);
        write_record(&self.path(sequence).join(ENTRY), &entry)?;
        for output in [self.stdout(sequence), self.stderr(sequence)] {
            write_atomically(&output, &[])?;
        }
        Ok(true)
    }

    /// The size of a command's outputs, in bytes.
    fn outputs(&self, sequence: u64) -> u64 {
        let length = |path: PathBuf| fs::symlink_metadata(path).map_or(0, |found| found.len());
        length(self.stdout(sequence)) + length(self.stderr(sequence))
    }

    /// The path of a command's standard output.
    pub fn stdout(&self, sequence: u64) -> PathBuf {
        self.path(sequence).join(STDOUT)
    }

    /// The path of a command's standard error.
    pub fn stderr(&self, sequence: u64) -> PathBuf {
        self.path(sequence).join(STDERR)
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{sequence:06}"))
    }
}

/// Creates a file that only its owner can read, like all private files.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Most commands print to only one of their outputs, or to none.
fn flush_if_written(output: &File) -> std::io::Result<()> {
    if output.metadata()?.len() == 0 {
        return Ok(());
    }
    output.sync_data()?;
    flushed(output);
    Ok(())
}

impl Log {
    /// The record as it was last written.
    pub fn entry(&self) -> &HistoryEntry {
        &self.entry
    }

    /// The command's directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Records how the command ended. Its output is flushed to the disk before that.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self, exit: Exit) -> Result<HistoryEntry, Error> {
        for output in [&self.stdout, &self.stderr] {
            flush_if_written(output)
                .map_err(|source| Error::new("flush the output in", &self.directory, source))?;
        }
        self.entry.exit = Some(exit);
        write_record(&self.directory.join(ENTRY), &self.entry)?;
        if let Some(all) = self.directory.parent() {
            sync_directory(all)?;
        }
        Ok(self.entry)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn entry(sequence: u64) -> HistoryEntry {
        HistoryEntry {
            sequence,
            command: "true".into(),
            cwd: "/workspace".into(),
            execution_mode: "guest_vsock".into(),
            recorded_at: 1.5,
            exit: None,
        }
    }

    #[test]
    fn what_was_printed_stays_and_what_is_broken_does_not_stand_in_the_way() {
        let base = tempfile::tempdir().unwrap();
        let history = History::new(base.path().join("history"));
        assert_eq!((history.last(), history.sequences()), (0, vec![]));
        let mut log = history.begin(entry(1)).unwrap();
        log.stdout.write_all(b"half a li").unwrap();
        drop(log);
        let seen = history.entry(1).unwrap();
        assert_eq!((seen.exit, seen.command.as_str()), (None, "true"));
        assert_eq!(fs::read(history.stdout(1)).unwrap(), b"half a li");

        let exit = Exit {
            exit_code: Some(3),
            ..Exit::default()
        };
        history.begin(entry(2)).unwrap().end(exit.clone()).unwrap();
        assert_eq!(history.entry(2).unwrap().exit, Some(exit));
        fs::write(base.path().join("history/000001/command.json"), "{").unwrap();
        assert!(history.entry(1).is_err());
        assert_eq!(history.sequences(), [1, 2]);

        // The state that a process leaves if it dies while it begins a command.
        fs::create_dir(base.path().join("history/.new-3")).unwrap();
        assert_eq!(history.last(), 2);
        assert!(history.begin(entry(3)).is_ok());
    }

    #[test]
    fn the_oldest_outputs_are_dropped_first_and_those_of_running_commands_never() {
        let base = tempfile::tempdir().unwrap();
        let history = History::new(base.path().join("history"));
        let run = |sequence: u64, ends: bool| {
            let mut log = history.begin(entry(sequence)).unwrap();
            log.stdout.write_all(&[b'o'; 1000]).unwrap();
            log.stderr.write_all(&[b'e'; 10]).unwrap();
            if ends {
                log.end(Exit::default()).unwrap();
            }
        };
        run(1, false);
        for sequence in 2..=4 {
            run(sequence, true);
        }
        assert_eq!(history.output_bytes(), 4040);
        let mut reader = File::open(history.stdout(2)).unwrap();
        assert_eq!(history.drop_outputs(0).unwrap(), 0);
        assert_eq!(history.drop_outputs(1).unwrap(), 1010);
        assert_eq!(history.output_bytes(), 3030);
        let dropped = |sequence| {
            let exit = history.entry(sequence).unwrap().exit;
            exit.map(|exit| exit.dropped_bytes)
        };
        assert_eq!([1, 2, 3].map(dropped), [None, Some(1010), Some(0)]);
        assert_eq!(fs::read(history.stdout(2)).unwrap(), b"");
        let mut all = String::new();
        std::io::Read::read_to_string(&mut reader, &mut all).unwrap();
        assert_eq!(all.len(), 1000, "who reads it reads on");
        assert_eq!(history.drop_outputs(u64::MAX).unwrap(), 2020);
        assert_eq!(history.drop_outputs(u64::MAX).unwrap(), 0);
        assert_eq!(history.output_bytes(), 1010);
        assert_eq!(fs::read(history.stdout(1)).unwrap().len(), 1000);
    }

    #[test]
    fn a_count_that_cannot_be_is_no_fault_of_ours() {
        let base = tempfile::tempdir().unwrap();
        let history = History::new(base.path().join("history"));
        let mut log = history.begin(entry(1)).unwrap();
        log.stdout.write_all(b"some").unwrap();
        log.end(Exit {
            dropped_bytes: u64::MAX,
            ..Exit::default()
        })
        .unwrap();
        assert_eq!(history.drop_outputs(1).unwrap(), 4);
        let exit = history.entry(1).unwrap().exit.unwrap();
        assert_eq!(exit.dropped_bytes, u64::MAX);
    }
}
