//! The host's *commands* and unpackings, by the streams on which it talks to them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use pyro_protocol::{CONNECTION, ExecFailure, Frame, GuestMessage, Kind};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::command::{Command, Input};
use crate::console;
use crate::group::Group;
use crate::outbox::Outbox;
use crate::prestart::Prestarted;
use crate::reaper::{self, Mailbox};
use crate::server::Source;
use crate::spawn::{self, Request, Spawned};
use crate::streams::StreamSet;
use crate::unpack::{self, Order};
use crate::workers::Workers;

/// The stream of an unpacking, and how it ended.
type Unpacked = (u32, GuestMessage);

/// Makes the control group of a command. A command runs without, if it must.
fn new_group(groups: Option<BorrowedFd<'_>>) -> Option<Group> {
    Group::make(groups?)
        .inspect_err(|error| console::log(&format!("no control group: {error}")))
        .ok()
}

/// All commands that run, and what is left of those that ran.
pub(crate) struct Commands {
    mailbox: Arc<Mailbox>,
    used: StreamSet,
    /// The shell that waits for the next command.
    prestarted: Option<Prestarted>,
    running: BTreeMap<u32, Command>,
    /// What goes to unpackings whose end was not reported to the host yet.
    unpackings: BTreeMap<u32, Input>,
    /// Where their ends are told, and heard of.
    tell: Sender<Unpacked>,
    unpacked: Receiver<Unpacked>,
    /// Output pipes of ended commands that daemons hold open; read so that these do not die of
    /// SIGPIPE. `None` once closed, until the end of the turn.
    leftovers: Vec<Option<OwnedFd>>,
    /// The control groups of ended commands. Daemons may still be in them.
    groups_left: Vec<Group>,
    /// The stream whose output was sent last; the others come first in the next turn.
    served: u32,
}

impl Commands {
    pub(crate) fn new() -> Result<Self, Errno> {
        let (tell, unpacked) = mpsc::channel();
        Ok(Self {
            mailbox: Arc::new(Mailbox::new()?),
            used: StreamSet::default(),
            prestarted: None,
            running: BTreeMap::new(),
            unpackings: BTreeMap::new(),
            tell,
            unpacked,
            leftovers: Vec::new(),
            groups_left: Vec::new(),
            served: 0,
        })
    }

    /// Starts a command and returns its pid.
    pub(crate) fn start(
        &mut self,
        stream: u32,
        request: &Request,
        timeout_ms: Option<u64>,
        groups: Option<BorrowedFd<'_>>,
    ) -> Result<i32, spawn::Failure> {
        self.use_stream(stream)?;
        let started = Instant::now();
        let (prestarted, group) = self.take_prestarted();
        let (spawned, group) =
            if let Some(spawned) = prestarted.and_then(|shell| shell.run(request)) {
                (spawned, group)
            } else {
                self.groups_left.extend(group);
                self.spawn(request, groups)?
            };
        let pid = spawned.pid.as_raw_pid();
        let command = Command::new(spawned, group, started, timeout_ms);
        self.running.insert(stream, command);
        Ok(pid)
    }

    fn spawn(
        &mut self,
        request: &Request,
        groups: Option<BorrowedFd<'_>>,
    ) -> Result<(Spawned, Option<Group>), spawn::Failure> {
        self.groups_left.retain(|group| !group.remove());
        let group = new_group(groups);
        match spawn::spawn(request, &self.mailbox, group.as_ref()) {
            Ok(spawned) => Ok((spawned, group)),
            Err(failure) => {
                self.groups_left.extend(group);
                Err(failure)
            }
        }
    }

    /// Takes the shell that waits, if one does, and the control group that it is in.
    fn take_prestarted(&mut self) -> (Option<Prestarted>, Option<Group>) {
        let mut prestarted = self.prestarted.take();
        let group = prestarted.as_mut().and_then(|shell| shell.group.take());
        (prestarted, group)
    }

    /// Starts a shell for the next command, and returns whether there is one then.
    pub(crate) fn prestart(
        &mut self,
        library: BorrowedFd<'_>,
        groups: Option<BorrowedFd<'_>>,
    ) -> bool {
        if self.prestarted.is_none() {
            self.prestarted = Prestarted::start(library, &self.mailbox, new_group(groups))
                .inspect_err(|error| console::log(&format!("no shell waits: {error}")))
                .ok();
        }
        self.prestarted.is_some()
    }

    /// How many shells wait for a command.
    pub(crate) fn waiting(&self) -> u32 {
        u32::from(self.prestarted.is_some())
    }

    /// Begins to unpack what the host will send.
    pub(crate) fn start_unpacking(
        &mut self,
        stream: u32,
        workers: &Workers,
        order: Order,
    ) -> Result<(), spawn::Failure> {
        self.use_stream(stream)?;
        // It may bring another shell, or what the one that waits would have found when it began.
        let (unwanted, group) = self.take_prestarted();
        drop(unwanted);
        self.groups_left.extend(group);
        let tell = self.tell.clone();
        let mailbox = Arc::clone(&self.mailbox);
        let done = move |answer| {
            // It fails when the server is gone, with all who could be told.
            let _sent = tell.send((stream, answer));
            mailbox.ring();
        };
        let archive = unpack::start(workers, order, done)
            .map_err(|error| (ExecFailure::Refused, error.to_string()))?;
        self.unpackings.insert(stream, archive);
        Ok(())
    }

    fn use_stream(&mut self, stream: u32) -> Result<(), spawn::Failure> {
        if stream == CONNECTION || !self.used.insert(stream) {
            let message = "the stream number is in use, or was".to_owned();
            return Err((ExecFailure::BadStream, message));
        }
        Ok(())
    }

    /// Returns the command that runs on a stream.
    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Command> {
        self.running.get_mut(&stream)
    }

    /// Returns where the data goes that the host sends on a stream.
    pub(crate) fn input(&mut self, stream: u32) -> Option<&mut Input> {
        let command = self.running.get_mut(&stream);
        let archive = self.unpackings.get_mut(&stream);
        command.map(|command| &mut command.stdin).or(archive)
    }

    /// Ends who was sent more than was granted.
    pub(crate) fn punish(&mut self, stream: u32) {
        console::log(&format!(
            "stream {stream}: more input than was granted; ending what runs there"
        ));
        match self.running.get_mut(&stream) {
            Some(command) => command.punish(),
            None => self.abandon(stream),
        }
    }

    /// Ends an unpacking, unless it is committed.
    fn abandon(&mut self, stream: u32) {
        if let Some(archive) = self.unpackings.get_mut(&stream) {
            archive.close();
        }
    }

    /// Whether a stream belongs to a command, or did.
    pub(crate) fn knew(&self, stream: u32) -> bool {
        self.used.contains(stream)
    }

    /// Makes all stream numbers free again, if nothing runs.
    pub(crate) fn forget_streams(&mut self) {
        if self.running.is_empty() && self.unpackings.is_empty() {
            self.used = StreamSet::default();
        }
    }

    /// Sends a signal to a command, unless it has ended: SIGKILL to all that it has started, any
    /// other to its process group. Any signal ends an unpacking. Returns whether there ever was
    /// one.
    pub(crate) fn signal(&mut self, stream: u32, number: i32) -> bool {
        self.abandon(stream);
        match (self.running.get(&stream), crate::sys::signal(number)) {
            (Some(command), Some(Signal::KILL)) => command.kill(),
            (Some(command), Some(signal)) => reaper::signal_group(command.pid, signal),
            (Some(_), None) => console::log(&format!("there is no signal {number} to send")),
            (None, _) => return self.knew(stream),
        }
        true
    }

    /// Tells what to watch, in the order in which it is to be dealt with; output only if there is
    /// room for it.
    pub(crate) fn watch<'a>(
        &'a self,
        has_room: bool,
        mut watch: impl FnMut(Source, BorrowedFd<'a>, PollFlags),
    ) {
        watch(Source::Bell, self.mailbox.bell.as_fd(), PollFlags::IN);
        let after = self.running.range(self.served.saturating_add(1)..);
        let before = self.running.range(..=self.served);
        for (&stream, command) in after.chain(before) {
            if let Some(pipe) = command.stdin.writable() {
                let source = Source::Command(stream, Kind::Stdin);
                watch(source, pipe.as_fd(), PollFlags::OUT);
            }
            let outputs = [
                (Kind::Stdout, &command.stdout),
                (Kind::Stderr, &command.stderr),
            ];
            for (kind, output) in outputs.into_iter().filter(|_| has_room) {
                if let Some(pipe) = output.readable() {
                    watch(Source::Command(stream, kind), pipe.as_fd(), PollFlags::IN);
                }
            }
        }
        for (&stream, archive) in &self.unpackings {
            if let Some(pipe) = archive.writable() {
                let source = Source::Command(stream, Kind::Stdin);
                watch(source, pipe.as_fd(), PollFlags::OUT);
            }
        }
        for (index, pipe) in self.leftovers.iter().enumerate() {
            if let Some(pipe) = pipe {
                watch(Source::Leftover(index), pipe.as_fd(), PollFlags::IN);
            }
        }
    }

    /// Moves what one pipe of a command has or takes. There must be room for output.
    pub(crate) fn pump(
        &mut self,
        stream: u32,
        kind: Kind,
        scratch: &mut [u8],
        outbox: &mut Outbox,
    ) {
        if kind == Kind::Stdin {
            if let Some(input) = self.input(stream) {
                input.pump();
                if let Some(credit) = input.take_grant() {
                    outbox.push(&Frame::credit(stream, credit));
                }
            }
            return;
        }
        let Some(command) = self.running.get_mut(&stream) else {
            return;
        };
        let output = if kind == Kind::Stderr {
            &mut command.stderr
        } else {
            &mut command.stdout
        };
        if output.pump(stream, scratch, outbox) {
            self.served = stream;
        }
    }

    /// Notes that the kernel has killed a process because there was no memory left. Whose it was
    /// cannot always be told any more; then it may have been anybody's.
    pub(crate) fn note_killed_for_memory(&mut self, pid: i32) {
        let membership = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let is_owner = |command: &Command| {
            let group = command.group.as_ref();
            command.pid.as_raw_pid() == pid || group.is_some_and(|group| group.has(&membership))
        };
        let known = self.running.values().any(is_owner);
        for command in self.running.values_mut() {
            if !known || is_owner(command) {
                command.killed_for_memory = true;
            }
        }
    }

    /// Notes which commands have ended.
    pub(crate) fn collect_ended(&mut self) {
        for ended in self.mailbox.take() {
            let mut commands = self.running.values_mut();
            if let Some(command) = commands.find(|command| command.pid == ended.pid) {
                command.end(ended);
            }
        }
    }

    /// Reports the unpackings that ended, and the ended commands whose output was sent completely.
    pub(crate) fn report_ended(&mut self, outbox: &mut Outbox) {
        for (stream, answer) in self.unpacked.try_iter() {
            outbox.say(stream, &answer);
            self.unpackings.remove(&stream);
        }
        self.leftovers.retain(Option::is_some);
        let mut finished = Vec::new();
        for (&stream, command) in &self.running {
            if let Some(exit) = command.exit() {
                outbox.say(stream, &exit);
                finished.push(stream);
            }
        }
        for stream in finished {
            if let Some(mut command) = self.running.remove(&stream) {
                self.groups_left.extend(command.group.take());
                self.leftovers.extend(command.into_leftovers().map(Some));
            }
        }
    }

    /// Throws away what a daemon of an ended command has written.
    pub(crate) fn discard(&mut self, index: usize, scratch: &mut [u8]) {
        let Some(Some(pipe)) = self.leftovers.get(index) else {
            return;
        };
        match rustix::io::read(pipe, scratch) {
            Ok(1..) | Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(0) | Err(_) => self.leftovers[index] = None,
        }
    }

    /// When the next command's time is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.running.values().filter_map(Command::deadline).min()
    }

    /// Ends the commands whose time is over.
    pub(crate) fn kill_overdue(&mut self) {
        let now = Instant::now();
        for command in self.running.values_mut() {
            if command.deadline().is_some_and(|deadline| deadline <= now) {
                command.time_out();
            }
        }
    }
}
