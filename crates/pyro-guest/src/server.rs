//! The *server* answers the host: one loop over the port and the pipes of all commands.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyro_protocol::{
    CONNECTION, Call, Clocks, Decoder, Disk, Frame, FrameKind, GENERATION, GuestMessage,
    HostMessage, Network, Refusal, RefusalReason, milliseconds,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::console;
use crate::error::Error;
use crate::flush::Flushes;
use crate::kernel_log::KernelLog;
use crate::layers::Layers;
use crate::outbox::Outbox;
use crate::poll::Source;
use crate::reaper;
use crate::streams::{NotOpen, OUTPUT_CHUNK_BYTES, Streams, Surroundings};
use crate::workers::Workers;

/// The agent's operations on its machine.
pub trait Machine {
    /// Returns how long the machine has been running.
    fn age(&self) -> Age;

    /// Returns the clocks that the kernel has chosen, if they are known.
    fn clocks(&self) -> Option<Clocks>;

    /// Assembles the root file system. Returns why an unpacking that was interrupted could not be
    /// finished, if one could not.
    ///
    /// # Errors
    /// When a step fails; the machine is unusable then.
    fn prepare(&mut self, disk: Disk, seed: bool) -> Result<Option<String>, Error>;

    /// Gives the machine an identity. It can happen several times in a machine's life.
    ///
    /// # Errors
    /// When a step fails; the machine must not run commands then.
    fn adopt(&mut self, adoption: &Adoption) -> Result<(), Error>;

    /// Sets the clock.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn set_clock(&mut self, unix_time_ns: u64) -> Result<(), Error>;

    /// Returns the wall clock, in nanoseconds since the Unix epoch.
    fn clock(&self) -> u64;

    /// Returns the layers of the root file system, if it has some.
    fn layers(&self) -> Option<Arc<Layers>> {
        None
    }

    /// Returns a descriptor of the private disk's file system, for flushing it.
    ///
    /// # Errors
    /// When there is none yet.
    fn disk(&self) -> io::Result<OwnedFd>;

    /// Returns the root of the file system that commands see.
    fn root(&self) -> &Path;

    /// Returns the library for shells that are started ahead of their command, if there is one.
    fn prestart_library(&self) -> Option<BorrowedFd<'_>>;

    /// Returns the root of the control groups, if there is one.
    fn control_groups(&self) -> Option<BorrowedFd<'_>>;

    /// Opens the kernel's log, if it can be read; each read, which must not block, is one record.
    fn kernel_log(&self) -> Option<OwnedFd>;
}

/// How long a machine has been running.
#[derive(Clone, Copy, Debug, Default)]
pub struct Age {
    /// From the kernel's start to the agent's first instruction.
    pub kernel: Duration,
    /// Since the agent's first instruction.
    pub agent: Duration,
}

/// The data that make a machine different from every other.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// At least 32 bytes of host entropy, in hexadecimal.
    pub entropy_hex: String,
    /// Nanoseconds since the Unix epoch.
    pub unix_time_ns: u64,
    /// The host name.
    pub hostname: String,
    /// 32 hexadecimal digits.
    pub machine_id: String,
    /// The network card's own address.
    pub mac: Option<String>,
    /// The network for the card, if there is one.
    pub network: Option<Network>,
}

/// Why the server stopped.
#[derive(Debug)]
pub enum End {
    /// The host asked for it.
    Shutdown,
    /// The host closed the port.
    Closed,
    /// The host broke the protocol, or the port is broken.
    Broken(String),
}

/// Serves the host over `port` until it requests the shutdown or the connection fails. Commands
/// that still run then keep running.
///
/// This affects the whole process: a thread reaps every child of the process.
pub fn serve(port: OwnedFd, machine: &mut dyn Machine) -> End {
    match Server::new(port, machine) {
        Ok(mut server) => loop {
            if let Err(end) = server.turn() {
                return end;
            }
        },
        Err(error) => broken("cannot serve", &error),
    }
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> End {
    End::Broken(format!("{what}: {error}"))
}

/// The state of the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Booted,
    Prepared,
    Adopted,
}

struct Server<'a> {
    port: OwnedFd,
    machine: &'a mut dyn Machine,
    stage: Stage,
    decoder: Decoder,
    outbox: Outbox,
    streams: Streams,
    flushes: Flushes,
    kernel_log: Option<KernelLog>,
    /// Dropped, and waited for, after the commands, with which the archives end: a disk to which a
    /// worker writes cannot be remounted read-only.
    workers: Workers,
    scratch: Vec<u8>,
}

impl<'a> Server<'a> {
    fn new(port: OwnedFd, machine: &'a mut dyn Machine) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&port)?;
        rustix::fs::fcntl_setfl(&port, flags | OFlags::NONBLOCK)?;
        reaper::start();
        Ok(Self {
            port,
            kernel_log: machine.kernel_log().map(KernelLog::from),
            machine,
            stage: Stage::Booted,
            decoder: Decoder::new(),
            outbox: Outbox::default(),
            streams: Streams::new()?,
            flushes: Flushes::new()?,
            workers: Workers::new()?,
            scratch: vec![0; OUTPUT_CHUNK_BYTES],
        })
    }

    /// Waits for events and handles them.
    fn turn(&mut self) -> Result<(), End> {
        self.flush()?;
        for (source, happened) in self.wait()? {
            match source {
                // The port accepts more: the next turn begins by flushing.
                Source::Port if happened == PollFlags::OUT => {}
                Source::Port => self.read_port()?,
                Source::KernelLog => self.note_killed(),
                Source::Bell => self.streams.collect_ended(),
                Source::Flush => self.report_flushed(),
                Source::Stream(stream, kind) => self.pump(stream, kind)?,
                Source::Leftover(index) => self.streams.discard(index, &mut self.scratch),
            }
        }
        self.streams.end_overdue();
        self.streams.report_ended(&mut self.outbox);
        Ok(())
    }

    /// Returns the sources of events, in the order in which they are handled.
    fn wait(&self) -> Result<Vec<(Source, PollFlags)>, End> {
        let mut descriptors = Vec::new();
        let mut sources = Vec::new();
        let mut watch = |source, descriptor, flags| {
            descriptors.push(PollFd::from_borrowed_fd(descriptor, flags));
            sources.push(source);
        };

        let mut port = PollFlags::empty();
        port.set(PollFlags::IN, !self.outbox.is_congested());
        port.set(PollFlags::OUT, !self.outbox.is_empty());
        watch(Source::Port, self.port.as_fd(), port);
        watch(Source::Flush, self.flushes.bell.as_fd(), PollFlags::IN);
        // Before the ends of commands that these records explain.
        if let Some(log) = &self.kernel_log {
            watch(Source::KernelLog, log.as_fd(), PollFlags::IN);
        }
        self.streams.watch(self.outbox.has_room(), watch);

        let timeout = self.streams.next_deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            })
        });
        match rustix::event::poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(broken("cannot poll", &error)),
        }
        let happened = descriptors.iter().map(PollFd::revents);
        Ok(sources
            .into_iter()
            .zip(happened)
            .filter(|(_, happened)| !happened.is_empty())
            .collect())
    }

    fn flush(&mut self) -> Result<(), End> {
        match self.outbox.flush(&self.port) {
            Ok(()) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(End::Closed),
            Err(error) => Err(broken("cannot write to the port", &error)),
        }
    }

    /// Reads frames from the host, but not so many that commands would wait for long.
    fn read_port(&mut self) -> Result<(), End> {
        let mut total = 0;
        while total < OUTPUT_CHUNK_BYTES {
            let count = match rustix::io::read(&self.port, &mut self.scratch) {
                Ok(0) | Err(Errno::CONNRESET) => return Err(End::Closed),
                Ok(count) => count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(broken("cannot read from the port", &error)),
            };
            self.decoder.push(&self.scratch[..count]);
            loop {
                match self.decoder.next_frame() {
                    Ok(Some(frame)) => self.handle(&frame)?,
                    Ok(None) => break,
                    Err(error) => return Err(broken("malformed frame", &error)),
                }
            }
            total += count;
            // The driver returns one page at a time; a shorter read was the last one.
            if count < 4096 {
                break;
            }
        }
        Ok(())
    }

    fn handle(&mut self, frame: &Frame) -> Result<(), End> {
        if frame.kind == FrameKind::Control {
            let message = frame
                .message()
                .map_err(|error| broken("malformed message", &error))?;
            self.handle_message(frame.stream, message)?;
            if frame.stream == CONNECTION {
                // The next message may take long, or fail: the host needs the answer now.
                self.flush()?;
            }
            return Ok(());
        }
        let taken = match frame.kind {
            FrameKind::Stdin => self.receive(frame.stream, &frame.payload),
            FrameKind::Credit => match frame.as_credit() {
                Ok(credit) if credit.channel != FrameKind::Stdin => {
                    self.streams.grant(frame.stream, credit)
                }
                _ => return Err(unexpected("credit", frame.stream)),
            },
            FrameKind::Control | FrameKind::Stdout | FrameKind::Stderr => {
                return Err(unexpected("output", frame.stream));
            }
        };
        if taken.is_ok() || self.streams.knew(frame.stream) {
            Ok(())
        } else {
            Err(unexpected("data", frame.stream))
        }
    }

    /// Handles the input of a stream.
    fn receive(&mut self, stream: u32, bytes: &[u8]) -> Result<(), NotOpen> {
        if let Some(credit) = self.streams.receive(stream, bytes)? {
            self.outbox.push(&Frame::credit(stream, credit));
        }
        Ok(())
    }

    fn handle_message(&mut self, stream: u32, message: HostMessage) -> Result<(), End> {
        match message {
            HostMessage::Call { call } => self.call(stream, call),
            HostMessage::Signal { signal } if stream != CONNECTION => {
                if !self.streams.signal(stream, signal) {
                    return Err(unexpected("signal", stream));
                }
            }
            HostMessage::Resize { size } if stream != CONNECTION => {
                if !self.streams.resize(stream, size) {
                    return Err(unexpected("size", stream));
                }
            }
            HostMessage::Hello { generation } if stream == CONNECTION => self.hello(generation),
            HostMessage::Prepare { disk, seed } if stream == CONNECTION => {
                self.prepare(disk, seed);
            }
            HostMessage::Adopt {
                entropy_hex,
                unix_time_ns,
                hostname,
                machine_id,
                mac,
                network,
            } if stream == CONNECTION => self.adopt(&Adoption {
                entropy_hex,
                unix_time_ns,
                hostname,
                machine_id,
                mac,
                network,
            }),
            HostMessage::SetClock { unix_time_ns } if stream == CONNECTION => {
                self.set_clock(unix_time_ns);
            }
            HostMessage::Prestart if stream == CONNECTION => self.prestart(),
            HostMessage::Sync if stream == CONNECTION => self.flush_disk(),
            HostMessage::Shutdown if stream == CONNECTION => return Err(End::Shutdown),
            _ => return Err(unexpected("message", stream)),
        }
        Ok(())
    }

    /// Answers a host that opens the connection. It may be another host process than before,
    /// because this machine may be a clone of the one that answered last. So the machine loses its
    /// identity, and all stream numbers are free again.
    fn hello(&mut self, generation: u32) {
        self.streams.forget_numbers();
        if self.stage == Stage::Adopted {
            self.stage = Stage::Prepared;
        }
        let age = self.machine.age();
        let answer = GuestMessage::Hello {
            generation: generation.min(GENERATION),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel_ms: milliseconds(age.kernel),
            agent_ms: milliseconds(age.agent),
            clocks: self.machine.clocks(),
        };
        self.outbox.say(CONNECTION, &answer);
    }

    fn prepare(&mut self, disk: Disk, seed: bool) {
        if self.stage != Stage::Booted {
            return self.fail("the machine was prepared before");
        }
        match self.machine.prepare(disk, seed) {
            Ok(unfinished) => {
                self.stage = Stage::Prepared;
                let answer = GuestMessage::Prepared { unfinished };
                self.outbox.say(CONNECTION, &answer);
            }
            Err(error) => self.fail(&error.to_string()),
        }
    }

    fn adopt(&mut self, adoption: &Adoption) {
        if self.stage == Stage::Booted {
            return self.fail("the machine was not prepared");
        }
        match self.machine.adopt(adoption) {
            Ok(()) => {
                self.stage = Stage::Adopted;
                self.outbox.say(CONNECTION, &GuestMessage::Adopted);
            }
            Err(error) => {
                self.stage = Stage::Prepared;
                self.fail(&error.to_string());
            }
        }
    }

    /// Sets the clock, and answers with its reading: the message may have taken long.
    fn set_clock(&mut self, unix_time_ns: u64) {
        if let Err(error) = self.machine.set_clock(unix_time_ns) {
            console::log(&error.to_string());
        }
        let answer = GuestMessage::ClockSet {
            unix_time_ns: self.machine.clock(),
        };
        self.outbox.say(CONNECTION, &answer);
    }

    fn fail(&mut self, message: &str) {
        console::log(message);
        let message = message.to_owned();
        self.outbox
            .say(CONNECTION, &GuestMessage::Failed { message });
    }

    fn flush_disk(&mut self) {
        let (disk, uncounted) = (self.machine.disk(), self.streams.uncounted());
        if let Err(error) = self.flushes.ask(&self.workers, disk, uncounted) {
            self.fail(&format!("cannot flush the private disk: {error}"));
        }
    }

    /// Reports a finished flush, and begins the next one.
    fn report_flushed(&mut self) {
        match self.flushes.take() {
            Some(Ok(processes)) => {
                // A shell without a command does not count as a process.
                let processes = processes.saturating_sub(self.streams.waiting());
                let answer = GuestMessage::Synced { processes };
                self.outbox.say(CONNECTION, &answer);
            }
            Some(Err(error)) => self.fail(&format!("cannot flush the private disk: {error}")),
            None => return,
        }
        if self.flushes.next_waits() {
            self.flush_disk();
        }
    }

    /// Notes which processes the kernel has killed for lack of memory.
    fn note_killed(&mut self) {
        let killed = self.kernel_log.as_ref().map(KernelLog::killed);
        for pid in killed.into_iter().flatten() {
            self.streams.note_killed_for_memory(pid);
        }
    }

    /// Begins a call.
    fn call(&mut self, stream: u32, call: Call) {
        let opened = if self.stage == Stage::Adopted {
            let around = Surroundings {
                root: self.machine.root(),
                groups: self.machine.control_groups(),
                layers: self.machine.layers(),
                workers: &self.workers,
            };
            self.streams.open(stream, call, &around)
        } else {
            let message = "the machine was not adopted yet";
            Err(Refusal::new(RefusalReason::NotReady, message))
        };
        let answer = match opened {
            Ok(Some(pid)) => GuestMessage::Started { pid },
            Ok(None) => return,
            Err(refusal) => GuestMessage::Refused(refusal),
        };
        self.outbox.say(stream, &answer);
    }

    fn prestart(&mut self) {
        let library = self.machine.prestart_library();
        let library = library.filter(|_| self.stage != Stage::Booted);
        let groups = self.machine.control_groups();
        let waits = library.is_some_and(|library| self.streams.prestart(library, groups));
        self.outbox
            .say(CONNECTION, &GuestMessage::Prestarted { waits });
    }

    /// Moves data from or to one pipe of a stream.
    fn pump(&mut self, stream: u32, kind: FrameKind) -> Result<(), End> {
        if kind != FrameKind::Stdin && !self.outbox.has_room() {
            self.flush()?;
            if !self.outbox.has_room() {
                return Ok(());
            }
        }
        let Self {
            streams,
            scratch,
            outbox,
            ..
        } = self;
        streams.pump(stream, kind, scratch, outbox);
        Ok(())
    }
}

fn unexpected(what: &str, stream: u32) -> End {
    End::Broken(format!("unexpected {what} on stream {stream}"))
}
