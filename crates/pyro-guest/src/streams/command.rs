//! A *command* is a stream with a process: its standard input is the stream's input, its standard
//! output and standard error are the stream's outputs.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pyro_protocol::{
    Answer, Exec, Exit, FrameKind, GuestMessage, PauseRule, TerminalSize, milliseconds,
};
use rustix::process::{Pid, Signal};

use super::channels::{Channels, Input, InputEnd, Output};
use super::stream::Stream;
use crate::group::Group;
use crate::reaper::{self, Ended};
use crate::spawn::Spawned;
use crate::terminal;
use crate::uncounted::Uncounted;

/// A command whose end has not been reported to the host yet.
#[derive(Debug)]
pub(super) struct Command {
    pid: Pid,
    started: Instant,
    /// When it is killed; taken once that is done.
    deadline: Option<Instant>,
    timed_out: bool,
    /// Whether the kernel has killed one of its processes for lack of memory.
    killed_for_memory: bool,
    ended: Option<Ended>,
    group: Option<Group>,
    pause: PauseRule,
    has_terminal: bool,
    channels: Channels,
}

impl Command {
    pub(super) fn new(
        spawned: Spawned,
        group: Option<Group>,
        started: Instant,
        exec: &Exec,
    ) -> Self {
        let has_terminal = exec.terminal.is_some();
        let (outputs, end) = if has_terminal {
            let output = Output::of_terminal(FrameKind::Stdout, spawned.stdout);
            (vec![output], InputEnd::Type)
        } else {
            let stderr = spawned
                .stderr
                .map(|pipe| Output::new(FrameKind::Stderr, pipe));
            let stdout = Output::new(FrameKind::Stdout, spawned.stdout);
            (
                [Some(stdout), stderr].into_iter().flatten().collect(),
                InputEnd::Close,
            )
        };
        Self {
            group,
            pause: exec.pause,
            has_terminal,
            killed_for_memory: false,
            pid: spawned.pid,
            started,
            deadline: exec
                .timeout_ms
                .and_then(|limit| started.checked_add(Duration::from_millis(limit))),
            timed_out: false,
            ended: None,
            channels: Channels {
                input: Input::with_end(spawned.stdin, end),
                outputs,
            },
        }
    }

    /// The process group in the foreground of its terminal, if it has one and that is not its own.
    fn foreground(&self) -> Option<Pid> {
        let terminal = self
            .channels
            .outputs
            .first()
            .filter(|_| self.has_terminal)?;
        let group = rustix::termios::tcgetpgrp(terminal.pipe.as_ref()?).ok()?;
        Some(group).filter(|group| *group != self.pid)
    }

    /// Kills the command and all processes that it started.
    fn kill(&self) {
        match self.group.as_ref().map(Group::kill) {
            Some(Ok(())) => {}
            Some(Err(_)) | None => crate::process_tree::kill(self.pid),
        }
    }
}

impl Stream for Command {
    fn channels(&self) -> &Channels {
        &self.channels
    }

    fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    fn answer(&mut self) -> Option<GuestMessage> {
        let ended = self.ended?;
        if self.channels.outputs.iter().any(Output::has_buffered) {
            return None;
        }
        let signal = ended.status.terminating_signal();
        let exit = Exit {
            code: ended.status.exit_status(),
            signal,
            // It may have ended by itself just before it was to be killed.
            timed_out: self.timed_out && signal == Some(Signal::KILL.as_raw()),
            // A command that succeeds did not need the killed process.
            oom_killed: self.killed_for_memory && ended.status.exit_status() != Some(0),
            duration_ms: milliseconds(ended.at.saturating_duration_since(self.started)),
        };
        let answer = Answer::Exited(exit);
        Some(GuestMessage::Answered { answer })
    }

    fn signal(&mut self, signal: Signal) {
        if signal == Signal::KILL {
            return self.kill();
        }
        // As from the terminal's keys. The end of a terminal concerns the session's leader, too.
        let foreground = self.foreground();
        if foreground.is_none() || signal == Signal::HUP {
            reaper::signal_group(self.pid, signal);
        }
        if let Some(group) = foreground {
            // It may have ended by itself.
            let _sent = rustix::process::kill_process_group(group, signal);
        }
    }

    fn resize(&mut self, size: TerminalSize) {
        let terminal = self.channels.outputs.first().filter(|_| self.has_terminal);
        if let Some(terminal) = terminal.and_then(|output| output.pipe.as_ref()) {
            // It fails if the terminal was closed.
            let _resized = terminal::resize(terminal, size);
        }
    }

    fn abort(&mut self) {
        self.channels.input.close();
        self.kill();
    }

    fn uncounted(&self) -> Option<Uncounted> {
        let group = self.group.as_ref()?;
        Uncounted::of(self.pid, group, self.pause)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn time_out(&mut self) {
        self.deadline = None;
        self.timed_out = true;
        self.kill();
    }

    fn pid(&self) -> Option<Pid> {
        Some(self.pid)
    }

    fn has_process(&self, pid: i32, membership: &str) -> bool {
        let group = self.group.as_ref();
        self.pid.as_raw_pid() == pid || group.is_some_and(|group| group.has(membership))
    }

    /// Data that are in its pipes now are still sent; later output of its daemons is not.
    fn process_ended(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.deadline = None;
        self.channels.input.close();
        for output in &mut self.channels.outputs {
            output.limit_to_buffered();
        }
    }

    fn note_killed_for_memory(&mut self) {
        self.killed_for_memory = true;
    }

    fn into_leftovers(self: Box<Self>) -> (Option<Group>, Vec<OwnedFd>) {
        // A terminal is closed, as when a window is: what still runs there gets SIGHUP.
        if self.has_terminal {
            return (self.group, Vec::new());
        }
        let outputs = self.channels.outputs.into_iter();
        let pipes = outputs.filter_map(|output| output.pipe).collect();
        (self.group, pipes)
    }
}
