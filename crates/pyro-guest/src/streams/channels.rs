//! The *channels* of a stream carry its data: one input and up to two outputs, each a pipe with the
//! credit of its sender.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pyro_protocol::{Credit, DATA_CHUNK_BYTES, Frame, FrameKind, HEADER_BYTES, INITIAL_WINDOW};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::outbox::Outbox;
use crate::terminal;

/// The most output bytes in one frame. With its header the frame is exactly two of the 32 KiB
/// writes into which the kernel's virtio-serial driver splits data.
pub(crate) const OUTPUT_CHUNK_BYTES: usize = DATA_CHUNK_BYTES - HEADER_BYTES;

/// Standard input is granted in steps of this size, so that a few bytes cost no credit frame.
const GRANT_STEP_BYTES: u32 = INITIAL_WINDOW / 4;

/// More than a terminal holds: the kernel's own limit for it is 64 KiB.
const TERMINAL_BYTES: u64 = 128 * 1024;

/// The channels of one stream.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) input: Input,
    pub(super) outputs: Vec<Output>,
}

impl Channels {
    /// Returns the pipes to poll; outputs only if there is room for their data.
    pub(super) fn watch<'a>(
        &'a self,
        has_room: bool,
        mut watch: impl FnMut(FrameKind, BorrowedFd<'a>, PollFlags),
    ) {
        if let Some(pipe) = self.input.writable() {
            watch(FrameKind::Stdin, pipe.as_fd(), PollFlags::OUT);
        }
        for output in self.outputs.iter().filter(|_| has_room) {
            if let Some(pipe) = output.readable() {
                watch(output.kind, pipe.as_fd(), PollFlags::IN);
            }
        }
    }

    /// Returns an output by its kind.
    pub(super) fn output(&mut self, kind: FrameKind) -> Option<&mut Output> {
        self.outputs.iter_mut().find(|output| output.kind == kind)
    }

    /// Closes all pipes.
    pub(super) fn close(&mut self) {
        self.input.close();
        for output in &mut self.outputs {
            output.pipe = None;
        }
    }

    /// Whether all data of the pipes were passed on, and no more will come.
    pub(super) fn are_drained(&self) -> bool {
        self.outputs.iter().all(|output| output.pipe.is_none())
    }
}

/// An output channel.
#[derive(Debug)]
pub(super) struct Output {
    kind: FrameKind,
    /// `None` after its end.
    pub(super) pipe: Option<OwnedFd>,
    /// How many bytes the host accepts.
    credit: u64,
    /// After the command's end: how many bytes in the pipe still belong to the command.
    owed: Option<u64>,
    /// Whether the pipe is the agent's side of a terminal.
    is_terminal: bool,
    /// Whether it ended because it could not be read.
    failed: bool,
}

impl Output {
    pub(super) fn new(kind: FrameKind, pipe: OwnedFd) -> Self {
        Self {
            kind,
            pipe: Some(pipe),
            credit: u64::from(INITIAL_WINDOW),
            owed: None,
            is_terminal: false,
            failed: false,
        }
    }

    pub(super) fn of_terminal(kind: FrameKind, terminal: OwnedFd) -> Self {
        Self {
            is_terminal: true,
            ..Self::new(kind, terminal)
        }
    }

    /// Adds credit from the host.
    pub(super) fn grant(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(u64::from(bytes));
    }

    /// Returns the pipe if it may be read.
    pub(super) fn readable(&self) -> Option<&OwnedFd> {
        self.pipe
            .as_ref()
            .filter(|_| self.credit > 0 && self.owed != Some(0))
    }

    /// Has no more sent than what is in the pipe now.
    pub(super) fn limit_to_buffered(&mut self) {
        let there = |pipe| rustix::io::ioctl_fionread(pipe).unwrap_or(0);
        self.owed = Some(match &self.pipe {
            // The kernel does not say how much a terminal holds.
            Some(terminal) if self.is_terminal && has_data(terminal) => TERMINAL_BYTES,
            Some(_) if self.is_terminal => 0,
            pipe => pipe.as_ref().map_or(0, there),
        });
    }

    /// Whether it ended because it could not be read.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether some of that is still in the pipe.
    pub(super) fn has_buffered(&self) -> bool {
        self.pipe.is_some() && self.owed.is_some_and(|bytes| bytes > 0)
    }

    /// Moves at most one chunk from the pipe to the outbox; returns whether there was data.
    pub(super) fn pump(&mut self, stream: u32, scratch: &mut [u8], outbox: &mut Outbox) -> bool {
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
                let left = match self.owed {
                    Some(_) if self.is_terminal && !has_data(pipe) => Some(0),
                    owed => owed.map(|owed| owed - count as u64),
                };
                self.credit -= count as u64;
                self.owed = left;
                outbox.push(&Frame::data(stream, self.kind, &scratch[..count]));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // After the command's end another process has read its remaining output.
                self.owed = self.owed.map(|_| 0);
                return false;
            }
            // Reading a pipe does not fail; a terminal that no process has open any more does, and so
            // does a connection that was reset. No more data will come. What a connection was reset
            // before must not look as if it had ended.
            Err(_) => {
                self.pipe = None;
                self.failed = true;
                if self.is_terminal {
                    outbox.push(&Frame::data(stream, self.kind, Vec::new()));
                }
            }
        }
        true
    }
}

/// Whether a descriptor can be read without waiting. For a terminal, this also makes the kernel pass
/// on what was just written to it.
fn has_data(descriptor: &OwnedFd) -> bool {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::IN)];
    let none = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let ready = rustix::event::poll(&mut descriptors, Some(&none));
    ready.is_ok() && descriptors[0].revents().contains(PollFlags::IN)
}

/// What happens to the descriptor at the end of the input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum InputEnd {
    /// It is closed.
    #[default]
    Close,
    /// A socket: only this direction is closed.
    ShutDown,
    /// A terminal: the character that ends the input is typed.
    Type,
}

/// The input channel.
#[derive(Debug)]
pub(super) struct Input {
    /// `None` if the command takes no (more) input: further input is dropped and granted again, so
    /// that the host never waits for a command that does not read.
    pipe: Option<OwnedFd>,
    /// Input that the pipe has not accepted yet; at most a window.
    queue: VecDeque<u8>,
    /// Whether the pipe is to be closed after the queue.
    finished: bool,
    /// How many bytes the host may still send.
    allowance: u32,
    /// How many bytes were passed on but not granted again.
    ungranted: u32,
    end: InputEnd,
}

impl Input {
    pub(super) fn new(pipe: Option<OwnedFd>) -> Self {
        Self::with_end(pipe, InputEnd::Close)
    }

    pub(super) fn with_end(pipe: Option<OwnedFd>, end: InputEnd) -> Self {
        Self {
            end,
            pipe,
            queue: VecDeque::new(),
            finished: false,
            allowance: INITIAL_WINDOW,
            ungranted: 0,
        }
    }

    /// Accepts input from the host. Returns `false` if it exceeds the credit.
    #[must_use]
    pub(super) fn receive(&mut self, bytes: &[u8]) -> bool {
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
            if self.end == InputEnd::Type {
                self.queue.push_back(terminal::END_OF_INPUT);
            }
        } else {
            // Past the queue if there is none: under software emulation a copy less is worth much.
            let sent = if self.queue.is_empty() {
                self.send(bytes)
            } else {
                0
            };
            self.queue.extend(&bytes[sent..]);
        }
        self.pump();
        true
    }

    /// Writes to the pipe what it accepts without waiting; returns how much that was. What a command
    /// that closed its input does not take counts as well.
    fn send(&mut self, bytes: &[u8]) -> usize {
        let sent = match self
            .pipe
            .as_ref()
            .map(|pipe| rustix::io::write(pipe, bytes))
        {
            Some(Ok(count)) => count,
            Some(Err(Errno::AGAIN | Errno::INTR)) => 0,
            Some(Err(_)) | None => {
                self.close();
                bytes.len()
            }
        };
        self.pass_on(sent);
        sent
    }

    /// Returns the pipe if there is input for it.
    pub(super) fn writable(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref().filter(|_| !self.queue.is_empty())
    }

    /// Writes as much as the pipe accepts without waiting.
    pub(super) fn pump(&mut self) {
        while let Some(pipe) = self.writable() {
            match rustix::io::write(pipe, self.queue.as_slices().0) {
                Ok(count) => {
                    self.queue.drain(..count);
                    // The character at the end did not come from the host.
                    let typed =
                        self.finished && self.end == InputEnd::Type && self.queue.is_empty();
                    self.pass_on(count - usize::from(typed));
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // EPIPE: the command closed its input.
                Err(_) => self.close(),
            }
        }
        if self.finished && self.queue.is_empty() {
            if let Some(socket) = self.pipe.take_if(|_| self.end == InputEnd::ShutDown) {
                // It fails if the other side has gone.
                let _shut = rustix::net::shutdown(socket, Shutdown::Write);
            }
            self.pipe = None;
        }
    }

    /// Returns the pipe, if it is open.
    pub(super) fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }

    /// Whether more input may come, or has to be passed on.
    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Closes the pipe and drops its queue.
    pub(super) fn close(&mut self) {
        self.pipe = None;
        let typed = self.finished && self.end == InputEnd::Type && !self.queue.is_empty();
        self.pass_on(self.queue.len() - usize::from(typed));
        self.queue = VecDeque::new();
    }

    fn pass_on(&mut self, count: usize) {
        // Bounded by the window, like the queue.
        self.ungranted += u32::try_from(count).unwrap_or(INITIAL_WINDOW);
    }

    /// Returns the credit for the host, if it is worth a frame.
    pub(super) fn take_grant(&mut self) -> Option<Credit> {
        if self.ungranted < GRANT_STEP_BYTES {
            return None;
        }
        let bytes = std::mem::take(&mut self.ungranted);
        self.allowance += bytes;
        Some(Credit {
            channel: FrameKind::Stdin,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Input {
        /// Bytes that the host has sent and that were not granted again.
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
                    // Reads any data that are there.
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
