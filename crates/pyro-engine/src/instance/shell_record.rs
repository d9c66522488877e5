//! The *record* of a shell, and its files.

use std::fs;
use std::path::{Path, PathBuf};

use pyro_machine::TerminalSize;
use pyro_store::{create_private_directory, write_atomically};
use serde::{Deserialize, Serialize};

use super::files::SHELLS;
use super::text_log::TextLog;
use crate::Error;
use crate::command_options::CommandOptions;

const RECORD: &str = "shell.json";
const OUTPUT: &str = "output";
/// The limit on a record's size.
const RECORD_LIMIT_BYTES: u64 = 64 * 1024;
/// The maximum number of ended shells whose output is kept.
const ENDED: usize = 64;

/// The record of a shell.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ShellRecord {
    pub(crate) shell_id: String,
    pub(crate) cwd: String,
    pub(crate) cols: u16,
    pub(crate) rows: u16,
    /// Seconds since the Unix epoch.
    pub(crate) started_at: f64,
    /// When it ended, if it has ended and the time is known.
    #[serde(default)]
    pub(crate) ended_at: Option<f64>,
    /// Its exit code, if it has one: 128 + N if signal N ended it.
    #[serde(default)]
    pub(crate) exit_code: Option<i32>,
    /// Whether it has ended.
    #[serde(default)]
    pub(crate) has_ended: bool,
}

/// A request for a shell.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NewShell {
    pub(crate) shell_id: String,
    pub(crate) size: TerminalSize,
    pub(crate) options: CommandOptions,
}

/// The files of the shells of one VM, for readers.
#[derive(Clone, Debug)]
pub(crate) struct ShellFiles {
    directory: PathBuf,
}

impl ShellFiles {
    pub(super) fn of(object: &Path) -> Self {
        Self {
            directory: object.join(SHELLS),
        }
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// The output of a shell.
    pub(crate) fn output(&self, id: &str) -> TextLog {
        TextLog::new(&self.path(id), OUTPUT)
    }

    /// The record of a shell; `None` if there is none with this id.
    pub(crate) fn record(&self, id: &str) -> Option<ShellRecord> {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return None;
        }
        let path = self.path(id).join(RECORD);
        let length = path.metadata().ok()?.len();
        if length > RECORD_LIMIT_BYTES {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// All records, the oldest first.
    pub(crate) fn all(&self) -> Vec<ShellRecord> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<_> = names.filter_map(|name| self.record(&name)).collect();
        all.sort_by(|one, other| one.started_at.total_cmp(&other.started_at));
        all
    }

    pub(super) fn write(&self, record: &ShellRecord) -> Result<(), Error> {
        let text =
            serde_json::to_vec(record).map_err(|error| Error::no_supervisor(&error.to_string()))?;
        let path = self.path(&record.shell_id).join(RECORD);
        Ok(write_atomically(&path, &text)?)
    }

    /// Creates the directory of a new shell, and removes the shells that ended longest ago.
    pub(super) fn begin(&self, record: &ShellRecord) -> Result<(), Error> {
        let ended: Vec<_> = self
            .all()
            .into_iter()
            .filter(|shell| shell.has_ended)
            .collect();
        for old in &ended[..ended.len().saturating_sub(ENDED)] {
            let _ = fs::remove_dir_all(self.path(&old.shell_id));
        }
        create_private_directory(&self.directory)?;
        create_private_directory(&self.path(&record.shell_id))?;
        self.write(record)
    }

    /// Records that no shell is running: they ended with their machine.
    pub(super) fn close(&self) -> Result<(), Error> {
        for mut record in self.all() {
            if !record.has_ended {
                record.has_ended = true;
                self.write(&record)?;
            }
        }
        Ok(())
    }
}
