//! The *streams* on which the host's calls run: commands, which are processes, and tasks, which
//! are threads of the agent.

mod channels;
mod command;
mod connection;
mod numbers;
mod stream;
pub(crate) mod task;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pyro_protocol::{
    CONNECTION, Call, Credit, Exec, Frame, FrameKind, Refusal, RefusalReason, TerminalSize,
};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::Pid;

use crate::console;
use crate::group::Group;
use crate::layers::Layers;
use crate::outbox::Outbox;
use crate::poll::Source;
use crate::prestart::Prestarted;
use crate::reaper::Mailbox;
use crate::spawn::{self, Spawned};
use crate::uncounted::Uncounted;
use crate::workers::Workers;
use crate::{files, secrets, unpack};
pub(crate) use channels::OUTPUT_CHUNK_BYTES;
use command::Command;
use connection::Connection;
use numbers::StreamSet;
use stream::Stream;
use task::{Task, simple};

/// The parts of the machine that calls need.
pub(crate) struct Surroundings<'a> {
    /// The root of the file system that commands see.
    pub(crate) root: &'a Path,
    /// The root of the control groups, if there is one.
    pub(crate) groups: Option<BorrowedFd<'a>>,
    /// The layers of the root file system, if it has some.
    pub(crate) layers: Option<Arc<Layers>>,
    /// The threads for tasks.
    pub(crate) workers: &'a Workers,
}

/// Makes the control group of a command; without one, the command still runs.
fn new_group(groups: Option<BorrowedFd<'_>>) -> Option<Group> {
    Group::make(groups?)
        .inspect_err(|error| console::log(&format!("no control group: {error}")))
        .ok()
}

/// All open streams, and the leftovers of ended ones.
pub(crate) struct Streams {
    mailbox: Arc<Mailbox>,
    used: StreamSet,
    /// The shell that waits for the next command.
    prestarted: Option<Prestarted>,
    open: BTreeMap<u32, Box<dyn Stream>>,
    /// Output pipes of ended commands that daemons hold open; they are read so that the daemons do
    /// not die of SIGPIPE. `None` once closed, until the end of the turn.
    leftovers: Vec<Option<OwnedFd>>,
    /// The control groups of ended commands, which may still contain daemons.
    groups_left: Vec<Group>,
    /// The stream whose output was sent last; the others come first in the next turn.
    served: u32,
}

impl Streams {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            mailbox: Arc::new(Mailbox::new()?),
            used: StreamSet::default(),
            prestarted: None,
            open: BTreeMap::new(),
            leftovers: Vec::new(),
            groups_left: Vec::new(),
            served: 0,
        })
    }

    /// Begins a call. Returns the command's process id, if it is a command.
    pub(crate) fn open(
        &mut self,
        number: u32,
        call: Call,
        around: &Surroundings<'_>,
    ) -> Result<Option<i32>, Refusal> {
        if number == CONNECTION || !self.used.insert(number) {
            let message = "the stream number is in use, or was";
            return Err(Refusal::new(RefusalReason::BadStream, message));
        }
        let root = around.root.to_owned();
        let work = match call {
            Call::Exec(exec) => {
                let command = self.start(&exec, around.groups)?;
                let pid = command.pid().map(Pid::as_raw_pid);
                self.open.insert(number, Box::new(command));
                return Ok(pid);
            }
            Call::Connect {
                port,
                only_try: false,
            } => {
                self.open.insert(number, Box::new(Connection::open(port)?));
                return Ok(None);
            }
            Call::Connect {
                port,
                only_try: true,
            } => simple(move |_| connection::try_port(port)),
            Call::KeepSecret { name, bytes } => {
                simple(move |pipes| secrets::keep(&root, &name, bytes, pipes))
            }
            Call::Unpack { destination, owner } => {
                // The archive may contain another shell, or files that the waiting shell would have
                // read at its start.
                self.drop_prestarted();
                task::work(move |pipes, done| {
                    unpack::unpack(&root, &destination, owner.as_deref(), pipes, done);
                })
            }
            Call::ResolvePath { path } => simple(move |_| files::resolve_path(&root, &path)),
            Call::ListFiles { file, recursive } => {
                simple(move |pipes| files::list(&root, &file, recursive, pipes))
            }
            Call::ReadFile {
                file,
                offset,
                max_bytes,
            } => simple(move |pipes| files::read(&root, &file, offset, max_bytes, pipes)),
            Call::WriteFile {
                file,
                bytes,
                mode,
                if_match,
            } => simple(move |pipes| {
                let new = files::New {
                    bytes,
                    mode,
                    if_match,
                };
                files::write(&root, &file, &new, pipes)
            }),
            Call::PackRoot => simple(move |pipes| files::pack_root(&root, pipes)),
            Call::CopyRoot => simple(move |_| files::copy_root(&root)),
            Call::Pack { file } => simple(move |pipes| files::pack(&root, &file, pipes)),
            Call::ReadFiles { root: top, paths } => {
                simple(move |pipes| files::read_all(&root, &top, &paths, pipes))
            }
            Call::EditFiles { root: top, edits } => {
                // It may change another shell, or what the waiting one has read.
                self.drop_prestarted();
                simple(move |pipes| unpack::edit(&root, &top, edits, pipes))
            }
            Call::Compare {
                root: top,
                paths,
                contents,
                snapshot,
            } => {
                let layers = around.layers.clone();
                let wanted = files::Comparison {
                    root: top,
                    paths,
                    contents,
                    snapshot,
                };
                simple(move |pipes| files::compare(&root, layers.as_deref(), &wanted, pipes))
            }
        };
        let task = Task::start(around.workers, &self.mailbox, work)
            .map_err(|error| Refusal::new(RefusalReason::Refused, error.to_string()))?;
        self.open.insert(number, Box::new(task));
        Ok(None)
    }

    /// Starts a command.
    fn start(&mut self, exec: &Exec, groups: Option<BorrowedFd<'_>>) -> Result<Command, Refusal> {
        let started = Instant::now();
        let (prestarted, group) = self.take_prestarted();
        let (spawned, group) = if let Some(spawned) = prestarted.and_then(|shell| shell.run(exec)) {
            (spawned, group)
        } else {
            self.groups_left.extend(group);
            self.spawn(exec, groups)?
        };
        Ok(Command::new(spawned, group, started, exec))
    }

    fn spawn(
        &mut self,
        exec: &Exec,
        groups: Option<BorrowedFd<'_>>,
    ) -> Result<(Spawned, Option<Group>), Refusal> {
        self.groups_left.retain(|group| !group.remove());
        let group = new_group(groups);
        match spawn::spawn(exec, &self.mailbox, group.as_ref()) {
            Ok(spawned) => Ok((spawned, group)),
            Err(refusal) => {
                self.groups_left.extend(group);
                Err(refusal)
            }
        }
    }

    /// Takes the waiting shell, if there is one, and its control group.
    fn take_prestarted(&mut self) -> (Option<Prestarted>, Option<Group>) {
        let mut prestarted = self.prestarted.take();
        let group = prestarted.as_mut().and_then(|shell| shell.group.take());
        (prestarted, group)
    }

    fn drop_prestarted(&mut self) {
        let (unwanted, group) = self.take_prestarted();
        drop(unwanted);
        self.groups_left.extend(group);
    }

    /// Starts a shell for the next command; returns whether there is one now.
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

    /// The number of shells that wait for a command.
    pub(crate) fn waiting(&self) -> u32 {
        u32::from(self.prestarted.is_some())
    }

    /// Passes on a stream's input from the host; returns the credit to grant for it. `Err` if the
    /// stream is not open.
    pub(crate) fn receive(&mut self, number: u32, bytes: &[u8]) -> Result<Option<Credit>, NotOpen> {
        let stream = self.open.get_mut(&number).ok_or(NotOpen)?;
        let input = &mut stream.channels_mut().input;
        let granted = input.receive(bytes);
        let credit = input.take_grant();
        if !granted {
            console::log(&format!(
                "stream {number}: more input than was granted; ending what runs there"
            ));
            stream.abort();
        }
        Ok(credit)
    }

    /// Grants a stream more output. `Err` if the stream is not open.
    pub(crate) fn grant(&mut self, number: u32, credit: Credit) -> Result<(), NotOpen> {
        let stream = self.open.get_mut(&number).ok_or(NotOpen)?;
        if let Some(output) = stream.channels_mut().output(credit.channel) {
            output.grant(credit.bytes);
        }
        Ok(())
    }

    /// Whether a stream is open, or was.
    pub(crate) fn knew(&self, number: u32) -> bool {
        self.used.contains(number)
    }

    /// Makes all stream numbers free again, unless a stream is open.
    pub(crate) fn forget_numbers(&mut self) {
        if self.open.is_empty() {
            self.used = StreamSet::default();
        }
    }

    /// Sends a signal to the call of a stream, unless it has ended. Returns whether the stream was
    /// ever open.
    pub(crate) fn signal(&mut self, number: u32, signal: i32) -> bool {
        match (self.open.get_mut(&number), crate::sys::signal(signal)) {
            (Some(stream), Some(signal)) => stream.signal(signal),
            (Some(_), None) => console::log(&format!("there is no signal {signal} to send")),
            (None, _) => return self.knew(number),
        }
        true
    }

    /// Changes the size of a stream's terminal. Returns whether the stream was ever open.
    pub(crate) fn resize(&mut self, number: u32, size: TerminalSize) -> bool {
        match self.open.get_mut(&number) {
            Some(stream) => stream.resize(size),
            None => return self.knew(number),
        }
        true
    }

    /// Returns which processes do not keep the machine from being paused.
    pub(crate) fn uncounted(&self) -> Vec<Uncounted> {
        let streams = self.open.values();
        streams.filter_map(|stream| stream.uncounted()).collect()
    }

    /// Returns the pipes to poll, in the order in which they are handled; output only if there is
    /// room for it.
    pub(crate) fn watch<'a>(
        &'a self,
        has_room: bool,
        mut watch: impl FnMut(Source, BorrowedFd<'a>, PollFlags),
    ) {
        watch(Source::Bell, self.mailbox.bell.as_fd(), PollFlags::IN);
        let after = self.open.range(self.served.saturating_add(1)..);
        let before = self.open.range(..=self.served);
        for (&number, stream) in after.chain(before) {
            stream.channels().watch(has_room, |kind, pipe, flags| {
                watch(Source::Stream(number, kind), pipe, flags);
            });
        }
        for (index, pipe) in self.leftovers.iter().enumerate() {
            if let Some(pipe) = pipe {
                watch(Source::Leftover(index), pipe.as_fd(), PollFlags::IN);
            }
        }
    }

    /// Moves data from or to one pipe of a stream. There must be room for output.
    pub(crate) fn pump(
        &mut self,
        number: u32,
        kind: FrameKind,
        scratch: &mut [u8],
        outbox: &mut Outbox,
    ) {
        let Some(stream) = self.open.get_mut(&number) else {
            return;
        };
        let channels = stream.channels_mut();
        if kind == FrameKind::Stdin {
            channels.input.pump();
            if let Some(credit) = channels.input.take_grant() {
                outbox.push(&Frame::credit(number, credit));
            }
        } else if let Some(output) = channels.output(kind)
            && output.pump(number, scratch, outbox)
        {
            self.served = number;
        }
    }

    /// Notes that the kernel has killed a process for lack of memory. If its command is unknown, it
    /// may have been any command's.
    pub(crate) fn note_killed_for_memory(&mut self, pid: i32) {
        let membership = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let is_own = |stream: &dyn Stream| stream.has_process(pid, &membership);
        let known = self.open.values().any(|stream| is_own(&**stream));
        for stream in self.open.values_mut() {
            if !known || is_own(&**stream) {
                stream.note_killed_for_memory();
            }
        }
    }

    /// Collects the ends of commands.
    pub(crate) fn collect_ended(&mut self) {
        for ended in self.mailbox.take() {
            let mut streams = self.open.values_mut();
            if let Some(stream) = streams.find(|stream| stream.pid() == Some(ended.pid)) {
                stream.process_ended(ended);
            }
        }
    }

    /// Reports the calls that have ended and whose output was sent completely.
    pub(crate) fn report_ended(&mut self, outbox: &mut Outbox) {
        self.leftovers.retain(Option::is_some);
        let mut ended = Vec::new();
        for (&number, stream) in &mut self.open {
            if let Some(answer) = stream.answer() {
                outbox.say(number, &answer);
                ended.push(number);
            }
        }
        for number in ended {
            if let Some(stream) = self.open.remove(&number) {
                let (group, pipes) = stream.into_leftovers();
                self.groups_left.extend(group);
                self.leftovers.extend(pipes.into_iter().map(Some));
            }
        }
    }

    /// Drops output of a daemon of an ended command.
    pub(crate) fn discard(&mut self, index: usize, scratch: &mut [u8]) {
        let Some(Some(pipe)) = self.leftovers.get(index) else {
            return;
        };
        match rustix::io::read(pipe, scratch) {
            Ok(1..) | Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(0) | Err(_) => self.leftovers[index] = None,
        }
    }

    /// The earliest deadline of the streams.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.open
            .values()
            .filter_map(|stream| stream.deadline())
            .min()
    }

    /// Ends the streams whose deadline has passed.
    pub(crate) fn end_overdue(&mut self) {
        let now = Instant::now();
        for stream in self.open.values_mut() {
            if stream.deadline().is_some_and(|deadline| deadline <= now) {
                stream.time_out();
            }
        }
    }
}

/// The stream is not open: the host cannot know yet that it has ended, or it never was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotOpen;
