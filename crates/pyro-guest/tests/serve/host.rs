//! The *host* of these tests: it speaks with an agent that serves in a thread.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pyro_guest::{Adoption, Age, End, Error, Machine, serve};
use pyro_protocol::{
    Answer, CONNECTION, Call, Clocks, Credit, Decoder, Disk, Exec, Exit, Frame, FrameKind,
    GuestMessage, HostMessage, INITIAL_WINDOW,
};
use tempfile::TempDir;

pub(crate) const WINDOW: usize = INITIAL_WINDOW as usize;
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A machine whose root is a directory.
pub(crate) struct NoMachine {
    pub(crate) root: PathBuf,
    pub(crate) disk: Option<OwnedFd>,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) library: Option<File>,
    /// What the kernel logs.
    pub(crate) kernel_log: Option<OwnedFd>,
}

impl Machine for NoMachine {
    fn age(&self) -> Age {
        Age::default()
    }

    fn clocks(&self) -> Option<Clocks> {
        None
    }

    fn prepare(&mut self, _disk: Disk, _seed: bool) -> Result<Option<String>, Error> {
        self.disk = Some(File::open(&self.root).unwrap().into());
        Ok(None)
    }

    fn adopt(&mut self, _adoption: &Adoption) -> Result<(), Error> {
        Ok(())
    }

    fn set_clock(&mut self, unix_time_ns: u64) -> Result<(), Error> {
        self.clock.store(unix_time_ns, Ordering::SeqCst);
        Ok(())
    }

    fn clock(&self) -> u64 {
        self.clock.load(Ordering::SeqCst) + 1
    }

    fn disk(&self) -> io::Result<OwnedFd> {
        let disk = self.disk.as_ref().ok_or(io::ErrorKind::NotFound)?;
        disk.try_clone()
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn prestart_library(&self) -> Option<BorrowedFd<'_>> {
        self.library.as_ref().map(AsFd::as_fd)
    }

    fn control_groups(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn kernel_log(&self) -> Option<OwnedFd> {
        self.kernel_log.as_ref().map(|log| log.try_clone().unwrap())
    }
}

/// The result of a command.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) exit: Option<Exit>,
}

impl Ran {
    pub(crate) fn note(&mut self, frame: &Frame) {
        match frame.kind {
            FrameKind::Stdout => self.stdout.extend(&frame.payload),
            FrameKind::Stderr => self.stderr.extend(&frame.payload),
            FrameKind::Control => match frame.message().unwrap() {
                GuestMessage::Answered {
                    answer: Answer::Exited(exit),
                } => self.exit = Some(exit),
                other => panic!("unexpected {other:?}"),
            },
            FrameKind::Stdin | FrameKind::Credit => {}
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit.expect("it exited")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// The host's side of the port.
pub(crate) struct Host {
    pub(crate) socket: UnixStream,
    pub(crate) decoder: Decoder,
    /// Frames of other streams that were read while waiting for one.
    pub(crate) waiting: VecDeque<Frame>,
    pub(crate) streams: u32,
    pub(crate) agent: JoinHandle<End>,
    pub(crate) root: TempDir,
    pub(crate) clock: Arc<AtomicU64>,
}

impl Host {
    /// Starts an agent that is not adopted yet.
    pub(crate) fn new() -> Self {
        Self::with(None, None)
    }

    /// The same, with a library for prestarted shells, and a kernel log.
    pub(crate) fn with(library: Option<File>, kernel_log: Option<OwnedFd>) -> Self {
        let (socket, port) = UnixStream::pair().unwrap();
        let root = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicU64::new(0));
        let mut machine = NoMachine {
            root: root.path().to_owned(),
            disk: None,
            clock: Arc::clone(&clock),
            library,
            kernel_log,
        };
        let agent = std::thread::spawn(move || serve(OwnedFd::from(port), &mut machine));
        Self {
            socket,
            decoder: Decoder::new(),
            waiting: VecDeque::new(),
            streams: 0,
            agent,
            root,
            clock,
        }
    }

    pub(crate) fn adopted() -> Self {
        let mut host = Self::new();
        host.adopt();
        host
    }

    pub(crate) fn adopt(&mut self) {
        self.say(
            CONNECTION,
            &HostMessage::Prepare {
                disk: Disk::Private,
                seed: false,
            },
        );
        self.say(CONNECTION, &adopt());
        let prepared = GuestMessage::Prepared { unfinished: None };
        assert_eq!(self.answer(CONNECTION), prepared);
        assert_eq!(self.answer(CONNECTION), GuestMessage::Adopted);
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        self.socket.write_all(&frame.to_bytes()).unwrap();
    }

    pub(crate) fn say(&mut self, stream: u32, message: &HostMessage) {
        self.send(&Frame::control(stream, message).unwrap());
    }

    pub(crate) fn grant(&mut self, stream: u32, channel: FrameKind, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap();
        self.send(&Frame::credit(stream, Credit { channel, bytes }));
    }

    /// Returns the next frame, or `None` if there is none within `limit`.
    pub(crate) fn receive(&mut self, limit: Duration) -> Option<Frame> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut buffer = vec![0; 100_000];
            match self.socket.read(&mut buffer) {
                Ok(0) => panic!("the agent closed the port"),
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // A read with a time limit fails so if the process was stopped and continued.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Returns the next frame of `stream`.
    pub(crate) fn next(&mut self, stream: u32) -> Frame {
        if let Some(index) = self.waiting.iter().position(|f| f.stream == stream) {
            return self.waiting.remove(index).unwrap();
        }
        loop {
            let frame = self.receive(PATIENCE).expect("the agent answers");
            if frame.stream == stream {
                return frame;
            }
            self.waiting.push_back(frame);
        }
    }

    /// Returns the next message of `stream`, before which there must be no output.
    pub(crate) fn answer(&mut self, stream: u32) -> GuestMessage {
        loop {
            let frame = self.next(stream);
            if frame.kind == FrameKind::Control {
                return frame.message().unwrap();
            }
            // Only the end of an output may come before.
            assert_eq!(frame.kind, FrameKind::Stdout);
            assert!(frame.payload.is_empty());
        }
    }

    /// Carries out a call that is no command, with this input. Returns its output and its answer.
    pub(crate) fn call(&mut self, call: Call, input: &[u8]) -> (Vec<u8>, GuestMessage) {
        let stream = self.begin_call(call, input);
        self.end_call(stream)
    }

    /// Sends a call with its input; returns its stream.
    pub(crate) fn begin_call(&mut self, call: Call, input: &[u8]) -> u32 {
        self.streams += 1;
        let stream = self.streams;
        self.say(stream, &HostMessage::Call { call });
        self.send(&Frame::data(stream, FrameKind::Stdin, input));
        self.send(&Frame::data(stream, FrameKind::Stdin, Vec::new()));
        stream
    }

    /// Returns the output of a call and its answer.
    pub(crate) fn end_call(&mut self, stream: u32) -> (Vec<u8>, GuestMessage) {
        let mut output = Vec::new();
        loop {
            let frame = self.next(stream);
            match frame.kind {
                FrameKind::Control => return (output, frame.message().unwrap()),
                FrameKind::Stdout => {
                    output.extend(&frame.payload);
                    self.grant(stream, FrameKind::Stdout, frame.payload.len());
                }
                FrameKind::Credit => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Sends a command; returns its stream.
    pub(crate) fn exec(&mut self, command: Exec) -> u32 {
        self.streams += 1;
        let call = Call::Exec(command);
        self.say(self.streams, &HostMessage::Call { call });
        self.streams
    }

    pub(crate) fn started(&mut self, stream: u32) -> i32 {
        match self.answer(stream) {
            GuestMessage::Started { pid } => pid,
            other => panic!("not started: {other:?}"),
        }
    }

    /// Reads all output of a command until its end, granting credit at once.
    pub(crate) fn finish(&mut self, stream: u32) -> Ran {
        let mut ran = Ran::default();
        while ran.exit.is_none() {
            let frame = self.next(stream);
            ran.note(&frame);
            if matches!(frame.kind, FrameKind::Stdout | FrameKind::Stderr)
                && !frame.payload.is_empty()
            {
                self.grant(stream, frame.kind, frame.payload.len());
            }
        }
        ran
    }

    /// Begins an unpacking to `/workspace`; returns its stream.
    pub(crate) fn begin_to_unpack(&mut self) -> u32 {
        self.streams += 1;
        let destination = "/workspace".to_owned();
        let call = Call::Unpack {
            destination,
            owner: None,
        };
        self.say(self.streams, &HostMessage::Call { call });
        self.streams
    }

    /// Sends an archive to be unpacked to `/workspace`.
    pub(crate) fn unpack(&mut self, archive: &[u8]) -> GuestMessage {
        let stream = self.begin_to_unpack();
        assert!(archive.len() <= WINDOW);
        self.send(&Frame::data(stream, FrameKind::Stdin, archive));
        self.send(&Frame::data(stream, FrameKind::Stdin, Vec::new()));
        self.answer(stream)
    }

    pub(crate) fn run(&mut self, command: Exec) -> Ran {
        let stream = self.exec(command);
        self.started(stream);
        self.finish(stream)
    }

    pub(crate) fn end(self) -> End {
        drop(self.socket);
        self.agent.join().unwrap()
    }
}

pub(crate) fn adopt() -> HostMessage {
    HostMessage::Adopt {
        entropy_hex: "00".repeat(32),
        unix_time_ns: 0,
        hostname: "test".to_owned(),
        machine_id: "0".repeat(32),
        mac: None,
        network: None,
    }
}

pub(crate) fn argv<const N: usize>(argv: [&str; N]) -> Exec {
    Exec {
        argv: argv.map(str::to_owned).to_vec(),
        ..Exec::default()
    }
}

pub(crate) fn bash(script: &str) -> Exec {
    argv(["bash", "-c", script])
}

/// Bytes in which a missing one is noticed at any position.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}

pub(crate) fn is_alive(pid: i32) -> bool {
    // A zombie that another process has to reap counts as gone.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

/// Waits until the process is gone.
pub(crate) fn is_gone(pid: i32) -> bool {
    within_patience(|| !is_alive(pid))
}

pub(crate) fn within_patience(is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
