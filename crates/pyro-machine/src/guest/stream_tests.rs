//! The streams of a command, with every kind of file at the host's end, against a guest that the
//! test plays: no byte is lost or invented, and a loss never ends as a success.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Read, Seek, Write, pipe};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proptest::prelude::*;
use pyro_protocol::{Answer, Credit, Exit, Frame, FrameKind, INITIAL_WINDOW};

use super::tests::{Agent, pair};
use super::*;
use crate::descriptor::{DescriptorReader, DescriptorWriter};

/// The kind of a command's input.
#[derive(Clone, Copy, Debug)]
enum Source {
    Pipe {
        nonblocking: bool,
        step: usize,
        pauses: bool,
    },
    File,
    /// A file that can be opened but not read.
    Directory,
}

/// The kind of a command's output.
#[derive(Clone, Copy, Debug)]
enum Sink {
    Pipe {
        nonblocking: bool,
        step: usize,
        pauses: bool,
    },
    /// A pipe whose reader goes away after this many bytes.
    Closing {
        nonblocking: bool,
        after: usize,
    },
    File,
    Full,
}

/// The bytes that arrived at a sink; `None` if nothing reads it.
type Arrived = Option<JoinHandle<Vec<u8>>>;

fn source() -> impl Strategy<Value = Source> {
    let pipe =
        (any::<bool>(), 1_usize..70_000, any::<bool>()).prop_map(|(nonblocking, step, pauses)| {
            Source::Pipe {
                nonblocking,
                step,
                pauses,
            }
        });
    prop_oneof![6 => pipe, 1 => Just(Source::File), 1 => Just(Source::Directory)]
}

fn sink() -> impl Strategy<Value = Sink> {
    let pipe =
        (any::<bool>(), 1_usize..70_000, any::<bool>()).prop_map(|(nonblocking, step, pauses)| {
            Sink::Pipe {
                nonblocking,
                step,
                pauses,
            }
        });
    let closing = (any::<bool>(), 0_usize..200_000)
        .prop_map(|(nonblocking, after)| Sink::Closing { nonblocking, after });
    prop_oneof![7 => pipe, 2 => closing, 1 => Just(Sink::File), 1 => Just(Sink::Full)]
}

/// Bytes that show their position.
fn pattern(length: usize, seed: u8) -> Vec<u8> {
    let byte = |position: usize| (position / 251 + position).to_le_bytes()[0] ^ seed;
    (0..length).map(byte).collect()
}

fn pause(pauses: bool) {
    if pauses {
        thread::sleep(Duration::from_micros(300));
    }
}

fn set(end: impl Into<OwnedFd>, nonblocking: bool) -> OwnedFd {
    let end = end.into();
    rustix::io::ioctl_fionbio(&end, nonblocking).unwrap();
    end
}

impl Source {
    fn open(self, bytes: Vec<u8>) -> DescriptorReader {
        match self {
            Self::Pipe {
                nonblocking,
                step,
                pauses,
            } => {
                let (ours, theirs) = pipe().unwrap();
                thread::spawn(move || write_in_steps(theirs, &bytes, step, pauses));
                set(ours, nonblocking)
            }
            Self::File => {
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(&bytes).unwrap();
                file.rewind().unwrap();
                file.into()
            }
            Self::Directory => File::open("/").unwrap().into(),
        }
        .into()
    }
}

fn write_in_steps(mut to: PipeWriter, bytes: &[u8], step: usize, pauses: bool) {
    for part in bytes.chunks(step) {
        pause(pauses);
        // The reader may have finished early.
        if to.write_all(part).is_err() {
            return;
        }
    }
}

impl Sink {
    fn open(self) -> (DescriptorWriter, Arrived, Option<File>) {
        let piped = |nonblocking, read: Box<dyn FnOnce(PipeReader) -> Vec<u8> + Send>| {
            let (theirs, ours) = pipe().unwrap();
            let arrived = thread::spawn(move || read(theirs));
            (set(ours, nonblocking).into(), Some(arrived), None)
        };
        match self {
            Self::Pipe {
                nonblocking,
                step,
                pauses,
            } => piped(
                nonblocking,
                Box::new(move |from| read_in_steps(from, step, pauses)),
            ),
            Self::Closing { nonblocking, after } => piped(
                nonblocking,
                Box::new(move |from| {
                    let mut bytes = Vec::new();
                    from.take(after as u64).read_to_end(&mut bytes).unwrap();
                    bytes
                }),
            ),
            Self::File => {
                let file = tempfile::tempfile().unwrap();
                let same = file.try_clone().unwrap();
                (OwnedFd::from(file).into(), None, Some(same))
            }
            Self::Full => {
                let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
                (OwnedFd::from(full).into(), None, None)
            }
        }
    }

    /// Fails unless the bytes that arrived are possible, given those that were sent.
    fn check(self, sent: &[u8], ended_well: bool, arrived: Arrived, file: Option<File>) {
        let mut bytes = arrived.map(|arrived| arrived.join().unwrap());
        if let Some(mut file) = file {
            file.rewind().unwrap();
            file.read_to_end(bytes.insert(Vec::new())).unwrap();
        }
        let bytes = bytes.unwrap_or_default();
        assert!(sent.starts_with(&bytes), "{self:?}: something was changed");
        if ended_well {
            let expected = match self {
                Self::Closing { after, .. } => sent.len().min(after),
                Self::Pipe { .. } | Self::File | Self::Full => sent.len(),
            };
            assert_eq!(bytes.len(), expected, "{self:?}: something was lost");
        }
    }
}

fn read_in_steps(mut from: PipeReader, step: usize, pauses: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        pause(pauses);
        match from.read(&mut buffer).unwrap() {
            0 => return bytes,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

/// One output of the command that the test plays.
struct Channel {
    kind: FrameKind,
    left: Vec<u8>,
    window: usize,
}

impl Channel {
    fn say_what_may_be_said(&mut self, agent: &mut Agent, stream: u32) -> bool {
        let length = self.left.len().min(self.window).min(60_000);
        if length == 0 {
            return true;
        }
        let rest = self.left.split_off(length);
        let said = std::mem::replace(&mut self.left, rest);
        self.window -= length;
        agent.try_to_say(&Frame::data(stream, self.kind, said)) && {
            self.say_what_may_be_said(agent, stream)
        }
    }
}

/// Plays a command that copies its input to its output, and prints `says` on standard error.
/// Returns its input if that was complete.
fn play(mut agent: Agent, says: Vec<u8>) -> Option<Vec<u8>> {
    let stream = agent.next_or_end()?.stream;
    let window = INITIAL_WINDOW as usize;
    let channel = |kind, left| Channel { kind, left, window };
    let mut channels = [
        channel(FrameKind::Stdout, Vec::new()),
        channel(FrameKind::Stderr, says),
    ];
    let (mut input, mut ended) = (Vec::new(), false);
    loop {
        for channel in &mut channels {
            if !channel.say_what_may_be_said(&mut agent, stream) {
                return None;
            }
        }
        if ended && channels.iter().all(|channel| channel.left.is_empty()) {
            let exit = Exit {
                code: Some(0),
                signal: None,
                timed_out: false,
                oom_killed: false,
                duration_ms: 1,
            };
            let exited = GuestMessage::Answered {
                answer: Answer::Exited(exit),
            };
            agent.try_to_say(&Frame::control(stream, &exited).unwrap());
            // A guest does not hang up; the host does.
            while agent.next_or_end().is_some() {}
            return Some(input);
        }
        let frame = agent.next_or_end()?;
        match frame.kind {
            FrameKind::Stdin if frame.payload.is_empty() => ended = true,
            FrameKind::Stdin => {
                input.extend_from_slice(&frame.payload);
                channels[0].left.extend_from_slice(&frame.payload);
                let bytes = u32::try_from(frame.payload.len()).unwrap();
                let credit = Credit {
                    channel: FrameKind::Stdin,
                    bytes,
                };
                if !agent.try_to_say(&Frame::credit(stream, credit)) {
                    return None;
                }
            }
            FrameKind::Credit => {
                let credit = frame.as_credit().unwrap();
                let channel = channels
                    .iter_mut()
                    .find(|channel| channel.kind == credit.channel);
                channel.unwrap().window += credit.bytes as usize;
            }
            // The host wants the command to end.
            FrameKind::Control => return None,
            other => panic!("{other:?}"),
        }
    }
}

fn run_case(source: Source, sinks: [Sink; 2], input: usize, says: usize) {
    let (input, says) = (pattern(input, 0), pattern(says, 0x5a));
    let (host, agent) = pair();
    let said = says.clone();
    let player = thread::spawn(move || play(agent, said));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let [stdout, stderr] = sinks.map(Sink::open);
    let (mut to_stdout, mut to_stderr) = (stdout.0, stderr.0);
    let mut stdin = source.open(input.clone());
    let result = runtime.block_on(async {
        let guest = Guest::connect(host).unwrap();
        let streams = Streams {
            stdin: Some(&mut stdin),
            stdout: &mut to_stdout,
            stderr: &mut to_stderr,
            controls: None,
            started: None,
        };
        let command = Command {
            argv: vec!["copy".into()],
            ..Command::default()
        };
        guest.run(&command, streams).await
    });
    drop((to_stdout, to_stderr, stdin));
    runtime.shutdown_background();
    let heard = player.join().unwrap();
    let ended_well = result.is_ok();

    if ended_well {
        assert_eq!(heard.as_ref(), Some(&input), "a part of the input was lost");
    }
    sinks[0].check(&input, ended_well, stdout.1, stdout.2);
    sinks[1].check(&says, ended_well, stderr.1, stderr.2);
    let lengths = [input.len(), says.len()];
    let full = |(sink, length): (&Sink, usize)| matches!(sink, Sink::Full) && length > 0;
    match result {
        Ok(outcome) => assert_eq!(outcome.code, Some(0)),
        Err(Failure::Input(_)) => assert!(matches!(source, Source::Directory)),
        Err(Failure::OutputFailed(_)) => assert!(sinks.iter().zip(lengths).any(full)),
        Err(Failure::OutputClosed) => {
            assert!(
                sinks
                    .iter()
                    .any(|sink| matches!(sink, Sink::Closing { .. }))
            );
        }
        Err(other) => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_is_lost_without_a_word(
        source in source(),
        sinks in [sink(), sink()],
        input in 0_usize..400_000,
        says in 0_usize..400_000,
    ) {
        run_case(source, sinks, input, says);
    }
}
