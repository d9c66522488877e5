//! A *command* is one stream: a process, its three pipes, and the credit of each.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pyro_protocol::{
    Credit, DATA_CHUNK_BYTES, Exit, Frame, GuestMessage, HEADER_BYTES, INITIAL_WINDOW, Kind,
};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::group::Group;
use crate::outbox::Outbox;
use crate::reaper::Ended;
use crate::spawn::Spawned;

/// The most output bytes in one frame. With the header the frame is exactly two of the 32 KiB
/// writes into which the kernel's virtio-serial driver cuts what it is given.
pub(crate) const OUTPUT_CHUNK_BYTES: usize = DATA_CHUNK_BYTES - HEADER_BYTES;

/// Standard input is granted in steps of this, so that a few bytes cost no credit frame.
const GRANT_STEP_BYTES: u32 = INITIAL_WINDOW / 4;

/// A command whose end was not reported to the host yet.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pid: Pid,
    started: Instant,
    /// When it is killed; taken when it was.
    deadline: Option<Instant>,
    timed_out: bool,
    /// Whether the kernel has killed a process of it because there was no memory left.
    pub(crate) killed_for_memory: bool,
    ended: Option<Ended>,
    pub(crate) group: Option<Group>,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Command {
    pub(crate) fn new(
        spawned: Spawned,
        group: Option<Group>,
        started: Instant,
        timeout_ms: Option<u64>,
    ) -> Self {
        Self {
            group,
            killed_for_memory: false,
            pid: spawned.pid,
            started,
            deadline: timeout_ms
                .and_then(|limit| started.checked_add(Duration::from_millis(limit))),
            timed_out: false,
            ended: None,
            stdin: Input::new(spawned.stdin),
            stdout: Output::new(Kind::Stdout, spawned.stdout),
            stderr: Output::new(Kind::Stderr, spawned.stderr),
        }
    }

    /// Returns when the command is to be killed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Kills the command and everything it started, because its time is up.
    pub(crate) fn time_out(&mut self) {
        self.deadline = None;
        self.timed_out = true;
        self.kill();
    }

    /// Kills the command and everything it started.
    pub(crate) fn kill(&self) {
        match self.group.as_ref().map(Group::kill) {
            Some(Ok(())) => {}
            Some(Err(_)) | None => crate::process_tree::kill(self.pid),
        }
    }

    /// Kills the command because the host sent more standard input than it was granted.
    pub(crate) fn punish(&mut self) {
        self.stdin.close();
        self.kill();
    }

    /// Notes that the main process has ended. What is in its pipes at this moment is still sent;
    /// what daemons it left behind write later is not.
    pub(crate) fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.deadline = None;
        self.stdin.close();
        self.stdout.owe_what_is_there();
        self.stderr.owe_what_is_there();
    }

    /// Returns how the command ended, once all its output was handed on.
    pub(crate) fn exit(&self) -> Option<GuestMessage> {
        let ended = self.ended?;
        if self.stdout.owes() || self.stderr.owes() {
            return None;
        }
        let signal = ended.status.terminating_signal();
        Some(GuestMessage::Exited(Exit {
            code: ended.status.exit_status(),
            signal,
            // It may have ended by itself in the moment it was to be killed.
            timed_out: self.timed_out && signal == Some(Signal::KILL.as_raw()),
            // A command that ends well did without what was killed.
            oom_killed: self.killed_for_memory && ended.status.exit_status() != Some(0),
            duration_ms: milliseconds(ended.at.saturating_duration_since(self.started)),
        }))
    }

    /// Returns the output pipes that daemons may still write to.
    pub(crate) fn into_leftovers(self) -> impl Iterator<Item = OwnedFd> {
        [self.stdout.pipe, self.stderr.pipe].into_iter().flatten()
    }
}

/// A duration as the protocol's unit.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One of the two output channels.
#[derive(Debug)]
pub(crate) struct Output {
    kind: Kind,
    /// `None` after its end.
    pipe: Option<OwnedFd>,
    /// How many bytes the host will take.
    credit: u64,
    /// After the command's end: how many bytes of the pipe are still the command's.
    owed: Option<u64>,
}

impl Output {
    fn new(kind: Kind, pipe: OwnedFd) -> Self {
        Self {
            kind,
            pipe: Some(pipe),
            credit: u64::from(INITIAL_WINDOW),
            owed: None,
        }
    }

    /// Adds what the host granted.
    pub(crate) fn grant(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(u64::from(bytes));
    }

    /// Returns the pipe if something may be read from it.
    pub(crate) fn readable(&self) -> Option<&OwnedFd> {
        self.pipe
            .as_ref()
            .filter(|_| self.credit > 0 && self.owed != Some(0))
    }

    fn owe_what_is_there(&mut self) {
        let there = |pipe| rustix::io::ioctl_fionread(pipe).unwrap_or(0);
        self.owed = Some(self.pipe.as_ref().map_or(0, there));
    }

    fn owes(&self) -> bool {
        self.pipe.is_some() && self.owed.is_some_and(|bytes| bytes > 0)
    }

    /// Moves at most one chunk from the pipe to the outbox; returns whether there was anything.
    pub(crate) fn pump(&mut self, stream: u32, scratch: &mut [u8], outbox: &mut Outbox) -> bool {
        let Some(pipe) = self.readable() else {
            return false;
        };
        let limit = self.credit.min(self.owed.unwrap_or(u64::MAX));
        let limit =
            usize::try_from(limit).map_or(OUTPUT_CHUNK_BYTES, |n| n.min(OUTPUT_CHUNK_BYTES));
        match rustix::io::read(pipe, &mut scratch[..limit]) {
            Ok(0) => {
                self.pipe = None;
                outbox.push(&Frame::data(stream, self.kind, Vec::new()));
            }
            Ok(count) => {
                self.credit -= count as u64;
                self.owed = self.owed.map(|owed| owed - count as u64);
                outbox.push(&Frame::data(stream, self.kind, &scratch[..count]));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // After the command's end somebody else has read what it left: nothing is owed.
                self.owed = self.owed.map(|_| 0);
                return false;
            }
            // A pipe does not fail; if it did, nothing more would come.
            Err(_) => self.pipe = None,
        }
        true
    }
}

/// The standard input channel.
#[derive(Debug)]
pub(crate) struct Input {
    /// `None` when the command takes no (more) input: what still comes is thrown away, and
    /// granted again, so that the host never waits for a command that does not read.
    pipe: Option<OwnedFd>,
    /// What the pipe did not take yet; at most a window.
    queue: VecDeque<u8>,
    /// Whether the pipe is closed after the queue.
    finished: bool,
    /// How many bytes the host may still send.
    allowance: u32,
    /// How many bytes were passed on but not granted again.
    ungranted: u32,
}

impl Input {
    pub(crate) fn new(pipe: Option<OwnedFd>) -> Self {
        Self {
            pipe,
            queue: VecDeque::new(),
            finished: false,
            allowance: INITIAL_WINDOW,
            ungranted: 0,
        }
    }

    /// Takes what the host sent. Returns `false` if it was more than the host was granted.
    #[must_use]
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> bool {
        let Some(allowance) = u32::try_from(bytes.len())
            .ok()
            .and_then(|count| self.allowance.checked_sub(count))
        else {
            return false;
        };
        self.allowance = allowance;
        if self.finished || self.pipe.is_none() {
            self.pass_on(bytes.len());
        } else if bytes.is_empty() {
            self.finished = true;
        } else {
            self.queue.extend(bytes);
        }
        self.pump();
        true
    }

    /// Returns the pipe if something is to be written to it.
    pub(crate) fn writable(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref().filter(|_| !self.queue.is_empty())
    }

    /// Writes what the pipe takes without waiting.
    pub(crate) fn pump(&mut self) {
        while let Some(pipe) = self.writable() {
            match rustix::io::write(pipe, self.queue.as_slices().0) {
                Ok(count) => {
                    self.queue.drain(..count);
                    self.pass_on(count);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // EPIPE: the command reads no more.
                Err(_) => self.close(),
            }
        }
        if self.finished && self.queue.is_empty() {
            self.pipe = None;
        }
    }

    /// Gives up the pipe and what was queued for it.
    pub(crate) fn close(&mut self) {
        self.pipe = None;
        self.pass_on(self.queue.len());
        self.queue = VecDeque::new();
    }

    fn pass_on(&mut self, count: usize) {
        // Bounded by the window, like the queue.
        self.ungranted += u32::try_from(count).unwrap_or(INITIAL_WINDOW);
    }

    /// Returns what to grant the host, if it is worth a frame.
    pub(crate) fn take_grant(&mut self) -> Option<Credit> {
        if self.ungranted < GRANT_STEP_BYTES {
            return None;
        }
        let bytes = std::mem::take(&mut self.ungranted);
        self.allowance += bytes;
        Some(Credit {
            channel: Kind::Stdin,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Input {
        /// Bytes the host has sent and was not granted again.
        fn outstanding(&self) -> u32 {
            u32::try_from(self.queue.len()).unwrap() + self.ungranted
        }
    }

    fn window() -> usize {
        usize::try_from(INITIAL_WINDOW).unwrap()
    }

    #[test]
    fn input_nobody_reads_is_granted_again() {
        let mut input = Input::new(None);
        for _ in 0..100 {
            assert!(input.receive(&vec![0; window()]));
            assert_eq!(input.take_grant().unwrap().bytes, INITIAL_WINDOW);
        }
        assert!(input.queue.is_empty());
    }

    #[test]
    fn an_overrun_is_noticed() {
        let mut input = Input::new(None);
        assert!(input.receive(&vec![0; window()]));
        assert!(input.receive(&[]));
        assert!(!input.receive(&[0]));
    }

    proptest! {
        #[test]
        fn no_byte_of_the_window_is_lost_or_made(
            sizes in proptest::collection::vec(0usize..120_000, 1..60),
            end in 0usize..80,
        ) {
            let (read, write) = rustix::pipe::pipe().unwrap();
            for pipe in [&read, &write] {
                rustix::fs::fcntl_setfl(pipe, rustix::fs::OFlags::NONBLOCK).unwrap();
            }
            let mut read = Some(read);
            let mut input = Input::new(Some(write));
            for (turn, size) in sizes.into_iter().enumerate() {
                if turn == end {
                    read = None; // the command closes its input
                }
                let within = size <= input.allowance as usize;
                prop_assert_eq!(input.receive(&vec![1; size]), within);
                if let Some(read) = &read {
                    // Whatever is there, if anything.
                    let _count = rustix::io::read(read, vec![0; 70_000].as_mut_slice());
                }
                input.pump();
                prop_assert_eq!(input.allowance + input.outstanding(), INITIAL_WINDOW);
                input.take_grant();
                prop_assert_eq!(input.allowance + input.outstanding(), INITIAL_WINDOW);
            }
        }
    }
}
