//! The *log* of a running command: its output is written to files as it comes, and clients that
//! follow the command are notified.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyro_store::History;
use tokio::sync::watch;

use super::redacted::Keep;

/// The most that is kept of one output of one command. Further output is counted and dropped: a
/// guest decides how much it prints, the host how much disk space that takes.
const LIMIT_BYTES: u64 = 1024 * 1024 * 1024;
/// The most that is kept of all outputs of all commands of one VM. Newer output is worth more: the
/// caller of a command wants to see what it prints.
const TOTAL_LIMIT_BYTES: u64 = 4 * LIMIT_BYTES;
/// The share that is dropped at once, because it takes a search through all commands.
const DROPPED_SHARE: u64 = 16;

/// The space for all outputs of all commands of one VM.
#[derive(Debug)]
pub(super) struct LogRoom {
    history: History,
    limit: u64,
    taken: Mutex<UsedRoom>,
}

#[derive(Debug)]
struct UsedRoom {
    bytes: u64,
    /// Nothing could be dropped the last time, and no command has ended since.
    nothing_to_drop: bool,
}

impl LogRoom {
    pub(super) fn of(history: History) -> Self {
        Self::with_limit(history, TOTAL_LIMIT_BYTES)
    }

    fn with_limit(history: History, limit: u64) -> Self {
        let taken = UsedRoom {
            bytes: history.output_bytes(),
            nothing_to_drop: false,
        };
        Self {
            history,
            limit,
            taken: Mutex::new(taken),
        }
    }

    /// The space in use, in bytes.
    pub(super) fn taken(&self) -> u64 {
        self.lock().bytes
    }

    /// Notes that a command has ended: its outputs may be dropped from now on.
    pub(super) fn command_ended(&self) {
        self.lock().nothing_to_drop = false;
    }

    /// Reserves space for `wanted` bytes, or as many as fit. Old outputs are dropped for it, but
    /// not those of running commands.
    fn take(&self, wanted: u64) -> u64 {
        let mut taken = self.lock();
        if taken.bytes.saturating_add(wanted) > self.limit && !taken.nothing_to_drop {
            let dropped = self
                .history
                .drop_outputs(wanted.max(self.limit / DROPPED_SHARE));
            let dropped = dropped.unwrap_or_else(|error| {
                tracing::warn!(%error, "old outputs are not dropped");
                0
            });
            taken.bytes = taken.bytes.saturating_sub(dropped);
            taken.nothing_to_drop = dropped < wanted;
        }
        let granted = wanted.min(self.limit.saturating_sub(taken.bytes));
        taken.bytes += granted;
        granted
    }

    fn give_back(&self, bytes: u64) {
        let mut taken = self.lock();
        taken.bytes = taken.bytes.saturating_sub(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, UsedRoom> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One output of a running command.
#[derive(Debug)]
pub(super) struct LogWriter<'a> {
    file: &'a File,
    grown: &'a watch::Sender<()>,
    all: &'a LogRoom,
    room: u64,
    dropped: u64,
}

impl<'a> LogWriter<'a> {
    pub(super) fn new(file: &'a File, grown: &'a watch::Sender<()>, all: &'a LogRoom) -> Self {
        Self {
            file,
            grown,
            all,
            room: LIMIT_BYTES,
            dropped: 0,
        }
    }

    /// How many bytes were dropped.
    pub(super) fn dropped_bytes(&self) -> u64 {
        self.dropped
    }
}

impl Keep for LogWriter<'_> {
    fn keep(&mut self, bytes: &[u8]) {
        let granted = self.all.take(self.room.min(bytes.len() as u64));
        let kept = usize::try_from(granted).unwrap_or(bytes.len());
        // A full disk must not end the command.
        let written = match self.file.write_all(&bytes[..kept]) {
            Ok(()) => kept,
            Err(error) => {
                tracing::warn!(%error, "output is not logged any more");
                self.all.give_back(granted);
                self.room = 0;
                0
            }
        };
        self.room = self.room.saturating_sub(written as u64);
        self.dropped += (bytes.len() - written) as u64;
        self.grown.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use pyro_store::{Exit, HistoryEntry, Log};

    use super::*;

    fn begin(history: &History, sequence: u64) -> Log {
        let entry = HistoryEntry {
            sequence,
            command: "true".into(),
            cwd: "/workspace".into(),
            execution_mode: "guest_vsock".into(),
            recorded_at: 1.5,
            exit: None,
        };
        history.begin(entry).unwrap()
    }

    #[test]
    fn new_output_takes_the_place_of_old_and_what_runs_keeps_its_own() {
        let base = tempfile::tempdir().unwrap();
        let history = History::new(base.path().join("history"));
        let room = LogRoom::with_limit(history.clone(), 1000);
        let grown = watch::Sender::new(());
        let print = |log: &Log, bytes: usize| {
            let mut writer = LogWriter::new(&log.stdout, &grown, &room);
            writer.keep(&vec![b'x'; bytes]);
            writer.dropped_bytes()
        };
        let kept = |sequence| std::fs::metadata(history.stdout(sequence)).unwrap().len();

        let runs = begin(&history, 1);
        assert_eq!(print(&runs, 300), 0);
        for sequence in 2..=20 {
            let log = begin(&history, sequence);
            assert_eq!(print(&log, 300), 0, "{sequence}");
            log.end(Exit::default()).unwrap();
            room.command_ended();
        }
        let left: Vec<u64> = (1..=20).filter(|number| kept(*number) > 0).collect();
        assert_eq!(left, [1, 19, 20]);
        assert_eq!(room.taken(), 900);
        assert_eq!(history.output_bytes(), 900);
        let dropped = history.entry(18).unwrap().exit.unwrap().dropped_bytes;
        assert_eq!(dropped, 300);

        // A running command keeps printing until it has all the space; what follows is dropped.
        assert_eq!(print(&runs, 600), 0);
        assert_eq!(print(&runs, 200), 100);
        assert_eq!(print(&runs, 200), 200);
        assert_eq!((kept(1), room.taken()), (1000, 1000));
        runs.end(Exit::default()).unwrap();
        room.command_ended();
        let last = begin(&history, 21);
        assert_eq!(print(&last, 300), 0);
        assert_eq!((kept(1), kept(21), room.taken()), (0, 300, 300));
        let again = LogRoom::with_limit(history, 1000);
        assert_eq!(again.taken(), 300, "as whoever starts it again finds it");
    }
}
