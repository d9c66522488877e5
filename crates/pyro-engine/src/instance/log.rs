//! The *log* of a running command: its output is written to files as it is printed, and clients
//! that follow the command are notified.

use std::fs::File;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use pyro_store::History;
use tokio::sync::watch;

use super::redacted::Keep;
use crate::off_thread::off_thread;

/// The maximum that is kept of one output of one command. Further output is counted and dropped: a
/// guest must not decide how much disk space of the host it uses.
const LIMIT_BYTES: u64 = 1024 * 1024 * 1024;
/// The maximum that is kept of all outputs of all commands of one VM. Newer output is kept, because
/// it is more useful to the caller of a command.
const TOTAL_LIMIT_BYTES: u64 = 4 * LIMIT_BYTES;
/// The share that is dropped at once, because dropping searches all commands.
const DROPPED_SHARE: u64 = 16;

/// The space for all outputs of all commands of one VM.
#[derive(Clone, Debug)]
pub(super) struct LogRoom {
    history: History,
    limit: u64,
    taken: Arc<Mutex<UsedRoom>>,
    /// Held while old outputs are dropped.
    dropping: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct UsedRoom {
    bytes: u64,
    /// Nothing could be dropped the last time, and no command has ended since then.
    nothing_to_drop: bool,
    /// How many commands have ended.
    ended: u64,
}

impl LogRoom {
    pub(super) fn of(history: History) -> Self {
        Self::with_limit(history, TOTAL_LIMIT_BYTES)
    }

    fn with_limit(history: History, limit: u64) -> Self {
        let taken = UsedRoom {
            bytes: history.output_bytes(),
            nothing_to_drop: false,
            ended: 0,
        };
        Self {
            history,
            limit,
            taken: Arc::new(Mutex::new(taken)),
            dropping: Arc::default(),
        }
    }

    /// The space in use, in bytes.
    pub(super) fn taken(&self) -> u64 {
        self.lock().bytes
    }

    /// Records that a command has ended: its outputs may be dropped from now on.
    pub(super) fn command_ended(&self) {
        let mut taken = self.lock();
        taken.nothing_to_drop = false;
        taken.ended += 1;
    }

    /// Whether old outputs have to be dropped before `wanted` bytes fit.
    fn lacks(&self, wanted: u64) -> bool {
        let taken = self.lock();
        taken.bytes.saturating_add(wanted) > self.limit && !taken.nothing_to_drop
    }

    /// Drops old outputs so that `wanted` bytes fit, but not those of running commands. This writes
    /// to many files, so it runs on another thread, and to its end even if the future is dropped.
    async fn make_room(self, wanted: u64) {
        let dropping = Arc::clone(&self.dropping).lock_owned().await;
        if !self.lacks(wanted) {
            return;
        }
        off_thread(move || {
            let _dropping = dropping;
            let ended = self.lock().ended;
            let share = wanted.max(self.limit / DROPPED_SHARE);
            let dropped = self.history.drop_outputs(share).unwrap_or_else(|error| {
                tracing::warn!(%error, "old outputs are not dropped");
                0
            });
            let mut taken = self.lock();
            taken.bytes = taken.bytes.saturating_sub(dropped);
            taken.nothing_to_drop = dropped < wanted && taken.ended == ended;
        })
        .await;
    }

    /// Reserves space for `wanted` bytes, or as many as fit.
    fn take(&self, wanted: u64) -> u64 {
        let mut taken = self.lock();
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
pub(super) struct LogWriter<'a> {
    file: &'a File,
    grown: &'a watch::Sender<()>,
    all: &'a LogRoom,
    room: u64,
    dropped: u64,
    /// The pending removal of old outputs, which makes room for the next write.
    making_room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<'a> LogWriter<'a> {
    pub(super) fn new(file: &'a File, grown: &'a watch::Sender<()>, all: &'a LogRoom) -> Self {
        Self {
            file,
            grown,
            all,
            room: LIMIT_BYTES,
            dropped: 0,
            making_room: None,
        }
    }

    /// How many bytes were dropped.
    pub(super) fn dropped_bytes(&self) -> u64 {
        self.dropped
    }
}

impl Keep for LogWriter<'_> {
    fn poll_room(&mut self, wanted: u64, context: &mut Context<'_>) -> Poll<()> {
        if self.making_room.is_none() {
            let wanted = self.room.min(wanted);
            if !self.all.lacks(wanted) {
                return Poll::Ready(());
            }
            self.making_room = Some(Box::pin(self.all.clone().make_room(wanted)));
        }
        if let Some(making_room) = &mut self.making_room {
            ready!(making_room.as_mut().poll(context));
            self.making_room = None;
        }
        Poll::Ready(())
    }

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
    use std::future::poll_fn;

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

    #[tokio::test]
    async fn new_output_takes_the_place_of_old_and_what_runs_keeps_its_own() {
        let base = tempfile::tempdir().unwrap();
        let history = History::new(base.path().join("history"));
        let room = LogRoom::with_limit(history.clone(), 1000);
        let grown = watch::Sender::new(());
        let print = async |log: &Log, bytes: usize| {
            let mut writer = LogWriter::new(&log.stdout, &grown, &room);
            poll_fn(|context| writer.poll_room(bytes as u64, context)).await;
            writer.keep(&vec![b'x'; bytes]);
            writer.dropped_bytes()
        };
        let kept = |sequence| std::fs::metadata(history.stdout(sequence)).unwrap().len();

        let runs = begin(&history, 1);
        assert_eq!(print(&runs, 300).await, 0);
        for sequence in 2..=20 {
            let log = begin(&history, sequence);
            assert_eq!(print(&log, 300).await, 0, "{sequence}");
            log.end(Exit::default()).unwrap();
            room.command_ended();
        }
        let left: Vec<u64> = (1..=20).filter(|number| kept(*number) > 0).collect();
        assert_eq!(left, [1, 19, 20]);
        assert_eq!(room.taken(), 900);
        assert_eq!(history.output_bytes(), 900);
        let dropped = history.entry(18).unwrap().exit.unwrap().dropped_bytes;
        assert_eq!(dropped, 300);

        // A running command keeps printing until it has used all the space; further output is
        // dropped.
        assert_eq!(print(&runs, 600).await, 0);
        assert_eq!(print(&runs, 200).await, 100);
        assert_eq!(print(&runs, 200).await, 200);
        assert_eq!((kept(1), room.taken()), (1000, 1000));
        runs.end(Exit::default()).unwrap();
        room.command_ended();
        let last = begin(&history, 21);
        assert_eq!(print(&last, 300).await, 0);
        assert_eq!((kept(1), kept(21), room.taken()), (0, 300, 300));
        let again = LogRoom::with_limit(history, 1000);
        assert_eq!(again.taken(), 300, "as whoever starts it again finds it");
    }
}
