//! The host's side of the protocol against a guest that the test plays.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pyro_protocol::{
    Answer, Call, Credit, Decoder, Exit, Frame, FrameKind, INITIAL_WINDOW, Refusal, RefusalReason,
};

use super::clock::unix_time_ns;
use super::*;
use crate::Error;

/// The guest's end of the connection.
pub(super) struct Agent {
    stream: UnixStream,
    decoder: Decoder,
}

impl Agent {
    fn next(&mut self) -> Frame {
        self.next_or_end().expect("the host closed the connection")
    }

    /// Returns the host's next frame, unless it has hung up.
    pub(super) fn next_or_end(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let mut buffer = vec![0; 65536];
            // Hanging up with unread data resets the connection.
            let Ok(length @ 1..) = self.stream.read(&mut buffer) else {
                return None;
            };
            self.decoder.push(&buffer[..length]);
        }
    }

    /// Sends a frame, unless the host has hung up.
    pub(super) fn try_to_say(&mut self, frame: &Frame) -> bool {
        self.stream.write_all(&frame.to_bytes()).is_ok()
    }

    fn say(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.to_bytes()).unwrap();
    }

    fn say_synced(&mut self, processes: u32) {
        let synced = GuestMessage::Synced { processes };
        self.say(&Frame::control(CONNECTION, &synced).unwrap());
    }

    fn say_exited(&mut self, stream: u32) {
        self.say_exited_with(stream, 3);
    }

    fn say_exited_with(&mut self, stream: u32, code: i32) {
        let exit = Exit {
            code: Some(code),
            signal: None,
            timed_out: false,
            oom_killed: false,
            duration_ms: 5,
        };
        self.say(&Frame::control(stream, &exited(exit)).unwrap());
    }
}

fn exited(exit: Exit) -> GuestMessage {
    GuestMessage::Answered {
        answer: Answer::Exited(exit),
    }
}

pub(super) fn pair() -> (UnixStream, Agent) {
    let (host, guest) = UnixStream::pair().unwrap();
    // A message that does not come fails the test.
    let patience = std::time::Duration::from_secs(30);
    guest.set_read_timeout(Some(patience)).unwrap();
    (
        host,
        Agent {
            stream: guest,
            decoder: Decoder::new(),
        },
    )
}

/// Runs a command against an agent that behaves as `play` says, and returns the result.
async fn run_against(
    stdin: Option<&'static [u8]>,
    play: impl FnOnce(Agent) + Send + 'static,
) -> (Result<Outcome, Failure>, Vec<u8>) {
    let (host, agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let player = std::thread::spawn(move || play(agent));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut input = stdin;
    let streams = Streams {
        stdin: input.as_mut().map(|bytes| bytes as _),
        stdout: &mut stdout,
        stderr: &mut stderr,
        controls: None,
        started: None,
    };
    let command = Command {
        argv: vec!["true".into()],
        ..Command::default()
    };
    let result = guest.run(&command, streams).await;
    drop(guest);
    // The aborted tasks release the connection only when the runtime polls them.
    tokio::task::spawn_blocking(move || player.join().unwrap())
        .await
        .unwrap();
    (result, stdout)
}

#[tokio::test]
async fn output_comes_through_and_is_granted_again() {
    let (result, stdout) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::data(stream, FrameKind::Stdout, *b"\xff\x00hello"));
        let credit = agent.next().as_credit().unwrap();
        assert_eq!((credit.channel, credit.bytes), (FrameKind::Stdout, 7));
        agent.say_exited(stream);
    })
    .await;
    assert_eq!(result.unwrap().code, Some(3));
    assert_eq!(stdout, b"\xff\x00hello");
}

#[tokio::test]
async fn more_output_than_granted_ends_the_connection() {
    let (result, stdout) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::data(
            stream,
            FrameKind::Stdout,
            vec![0; INITIAL_WINDOW as usize + 1],
        ));
        // The host may or may not close before it has read everything.
        let _ = agent.stream.read_to_end(&mut Vec::new());
    })
    .await;
    assert!(matches!(result, Err(Failure::Protocol(_))), "{result:?}");
    assert!(stdout.len() <= INITIAL_WINDOW as usize);
}

#[tokio::test]
async fn input_waits_for_credit() {
    const INPUT: &[u8] = &[7; 600_000];
    let (result, _) = run_against(Some(INPUT), |mut agent| {
        let stream = agent.next().stream;
        let mut received = 0;
        let mut window = INITIAL_WINDOW as usize;
        loop {
            let frame = agent.next();
            assert_eq!(frame.kind, FrameKind::Stdin);
            if frame.payload.is_empty() {
                break;
            }
            received += frame.payload.len();
            window = window
                .checked_sub(frame.payload.len())
                .expect("never beyond the credit");
            if window == 0 {
                let credit = Credit {
                    channel: FrameKind::Stdin,
                    bytes: INITIAL_WINDOW,
                };
                agent.say(&Frame::credit(stream, credit));
                window = INITIAL_WINDOW as usize;
            }
        }
        assert_eq!(received, INPUT.len());
        agent.say_exited(stream);
    })
    .await;
    assert!(result.is_ok());
}

#[tokio::test]
async fn credit_for_what_was_not_sent_ends_the_connection() {
    let (result, _) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::credit(
            stream,
            Credit {
                channel: FrameKind::Stdin,
                bytes: u32::MAX,
            },
        ));
        let _ = agent.stream.read_to_end(&mut Vec::new());
    })
    .await;
    assert!(matches!(result, Err(Failure::Protocol(_))), "{result:?}");
}

#[tokio::test]
async fn a_flood_of_messages_ends_the_connection() {
    let (result, _) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        for _ in 0..100 {
            let started = GuestMessage::Started { pid: 1 };
            let frame = Frame::control(stream, &started).unwrap();
            if agent.stream.write_all(&frame.to_bytes()).is_err() {
                return;
            }
        }
        let _ = agent.stream.read_to_end(&mut Vec::new());
    })
    .await;
    assert!(matches!(result, Err(Failure::Protocol(_))), "{result:?}");
}

/// A command that has started, or has printed something, must not be reported as not started: its
/// caller might run it again.
#[tokio::test]
async fn a_command_that_started_cannot_be_said_not_to_have() {
    let refusal = Refusal::new(RefusalReason::NotFound, "no such program");
    let failed = GuestMessage::Refused(refusal);
    let started = GuestMessage::Started { pid: 7 };
    for printed in [false, true] {
        let (failed, started) = (failed.clone(), started.clone());
        let (result, _) = run_against(None, move |mut agent| {
            let stream = agent.next().stream;
            if printed {
                agent.say(&Frame::data(stream, FrameKind::Stdout, *b"here I am"));
            } else {
                agent.say(&Frame::control(stream, &started).unwrap());
            }
            agent.say(&Frame::control(stream, &failed).unwrap());
        })
        .await;
        let error = run_error(result.unwrap_err()).unwrap();
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
        assert!(!error.before_dispatch());
    }
    let (result, _) = run_against(None, move |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::control(stream, &failed).unwrap());
    })
    .await;
    assert!(matches!(result, Err(Failure::Refused(_))), "{result:?}");
}

#[tokio::test]
async fn what_cannot_be_breaks_the_protocol() {
    for code in [256, -1, i32::MIN] {
        let (result, _) = run_against(None, move |mut agent| {
            let stream = agent.next().stream;
            agent.say_exited_with(stream, code);
        })
        .await;
        assert!(matches!(result, Err(Failure::Protocol(_))), "{result:?}");
    }
}

/// The guest may report any duration; the command's duration is limited to the host's wait.
#[tokio::test]
async fn no_command_takes_longer_than_it_was_waited_for() {
    let (result, _) = run_against(None, move |mut agent| {
        let stream = agent.next().stream;
        let exit = Exit {
            code: Some(0),
            signal: None,
            timed_out: false,
            oom_killed: false,
            duration_ms: u64::MAX,
        };
        agent.say(&Frame::control(stream, &exited(exit)).unwrap());
    })
    .await;
    assert!(result.unwrap().duration.as_secs() < 3600);
}

#[tokio::test]
async fn a_guest_that_goes_away_is_noticed() {
    let (result, stdout) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::data(stream, FrameKind::Stdout, *b"partial"));
    })
    .await;
    assert_eq!(result, Err(Failure::Closed));
    assert_eq!(stdout, b"partial");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_hangs_does_not_hang_the_host() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let command = Command {
        argv: vec!["true".into()],
        timeout: Some(std::time::Duration::from_secs(5)),
        ..Command::default()
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let streams = Streams {
        stdin: None,
        stdout: &mut stdout,
        stderr: &mut stderr,
        controls: None,
        started: None,
    };
    let outcome = guest.run(&command, streams).await.unwrap();
    assert!(outcome.timed_out);
    assert_eq!(agent.next().kind, FrameKind::Control);
}

#[tokio::test]
async fn a_command_nobody_waits_for_is_ended() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let command = Command {
        argv: vec!["sleep".into()],
        ..Command::default()
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let streams = Streams {
        stdin: None,
        stdout: &mut stdout,
        stderr: &mut stderr,
        controls: None,
        started: None,
    };
    let moment = std::time::Duration::from_millis(50);
    let run = tokio::time::timeout(moment, guest.run(&command, streams));
    assert!(run.await.is_err());
    tokio::task::spawn_blocking(move || {
        let stream = agent.next().stream;
        let frame = agent.next();
        assert_eq!(frame.stream, stream);
        assert_eq!(
            frame.message::<HostMessage>().unwrap(),
            HostMessage::Signal { signal: 9 }
        );
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn flushes_at_once_get_their_own_answers() {
    let (host, mut agent) = pair();
    let guest = Arc::new(Guest::connect(host).unwrap());
    let player = std::thread::spawn(move || {
        // More than the number of unread messages that are allowed.
        for processes in 1..=60 {
            assert_eq!(
                agent.next().message::<HostMessage>().unwrap(),
                HostMessage::Sync
            );
            agent.say_synced(processes);
        }
        agent
    });
    let flushes: Vec<_> = (0..60)
        .map(|_| {
            let guest = Arc::clone(&guest);
            tokio::spawn(async move { guest.sync().await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for flush in flushes {
        answers.push(flush.await.unwrap());
    }
    answers.sort_unstable();
    assert!(answers.into_iter().eq(1..=60));
    player.join().unwrap();
}

#[tokio::test]
async fn a_flush_that_failed_is_answered_too() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let player = std::thread::spawn(move || {
        agent.next();
        let message = "the disk is full".to_owned();
        let failed = GuestMessage::Failed { message };
        agent.say(&Frame::control(CONNECTION, &failed).unwrap());
        agent.next();
        agent.say_synced(2);
        agent
    });
    let failed = guest.sync().await;
    assert_eq!(failed, Err(Failure::Setup("the disk is full".into())));
    let patience = std::time::Duration::from_secs(5);
    let next = tokio::time::timeout(patience, guest.sync()).await;
    assert_eq!(next, Ok(Ok(2)));
    player.join().unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_waited_for_is_not_the_next_ones() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let moment = std::time::Duration::from_millis(50);
    for _ in 0..2 {
        let given_up = tokio::time::timeout(moment, guest.sync()).await;
        assert!(given_up.is_err());
    }
    let player = std::thread::spawn(move || {
        for processes in 1..=3 {
            agent.next();
            agent.say_synced(processes);
        }
        agent
    });
    assert_eq!(guest.sync().await, Ok(3));
    drop(player.join().unwrap());
    assert_eq!(guest.sync().await, Err(Failure::Closed));
}

/// Returns the time from the next message, which sets the clock.
fn told_time(agent: &mut Agent) -> u64 {
    let frame = agent.next();
    let HostMessage::SetClock { unix_time_ns } = frame.message().unwrap() else {
        panic!("{frame:?}");
    };
    assert_eq!(frame.stream, CONNECTION);
    unix_time_ns
}

fn clock_set(unix_time_ns: u64) -> Frame {
    Frame::control(CONNECTION, &GuestMessage::ClockSet { unix_time_ns }).unwrap()
}

#[tokio::test]
async fn the_clock_is_told_without_waiting() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    guest.set_clock().await.unwrap();
    let told = tokio::task::spawn_blocking(move || told_time(&mut agent))
        .await
        .unwrap();
    assert!(told > 0 && told <= unix_time_ns());
}

/// The guest sets its clock when the message arrives, not when it was sent.
#[tokio::test]
async fn a_clock_that_was_set_late_is_told_again_until_it_is_right() {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    guest.set_clock().await.unwrap();
    let player = std::thread::spawn(move || {
        for _ in 0..2 {
            let told = told_time(&mut agent);
            std::thread::sleep(2 * clock::TOLERANCE);
            agent.say(&clock_set(told));
        }
        told_time(&mut agent);
        // A clock that is right, even if this host is busy.
        agent.say(&clock_set(unix_time_ns() + 1_000_000_000));
        agent
    });
    let mut agent = tokio::task::spawn_blocking(move || player.join().unwrap())
        .await
        .unwrap();
    // The time is not sent again, and the next answer belongs to the next question.
    let sync = guest.sync();
    let answer = tokio::task::spawn_blocking(move || {
        let message: HostMessage = agent.next().message().unwrap();
        assert_eq!(message, HostMessage::Sync);
        agent.say_synced(3);
        agent
    });
    assert_eq!(sync.await, Ok(3));
    drop(answer.await.unwrap());
}

/// A guest that always reports a lag, even unasked, does not keep the host busy, and its machine is
/// used.
#[tokio::test]
async fn a_clock_that_is_never_right_is_given_up() {
    const TOLD: u32 = 5;
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    guest.set_clock().await.unwrap();
    let player = std::thread::spawn(move || {
        let (mut told, mut asked) = (0, false);
        while told < TOLD || !asked {
            match agent.next().message().unwrap() {
                HostMessage::SetClock { .. } => {
                    told += 1;
                    // More than the number of unread messages that are allowed.
                    for _ in 0..30 {
                        agent.say(&clock_set(0));
                    }
                }
                HostMessage::Sync => asked = true,
                other => panic!("{other:?}"),
            }
        }
        agent.say_synced(told);
        agent
    });
    assert_eq!(guest.sync().await, Ok(TOLD));
    let mut agent = player.join().unwrap();
    drop(guest);
    let next = tokio::task::spawn_blocking(move || agent.next_or_end());
    assert_eq!(next.await.unwrap(), None);
}

/// Unpacks against an agent that reads the archive and then gives an answer.
async fn unpack_against(answer: GuestMessage) -> Result<Answer, Failure> {
    let (host, mut agent) = pair();
    let guest = Guest::connect(host).unwrap();
    let player = std::thread::spawn(move || {
        let frame = agent.next();
        let destination = "/workspace/x".to_owned();
        let call = Call::Unpack {
            destination,
            owner: None,
        };
        let expected = HostMessage::Call { call };
        assert_eq!(frame.message::<HostMessage>().unwrap(), expected);
        let mut archive = Vec::new();
        loop {
            let frame = agent.next();
            if frame.payload.is_empty() {
                break;
            }
            archive.extend(frame.payload);
        }
        assert_eq!(archive, b"archive");
        agent.say(&Frame::control(frame.stream, &answer).unwrap());
        agent
    });
    let mut archive = &b"archive"[..];
    let call = Call::Unpack {
        destination: "/workspace/x".to_owned(),
        owner: None,
    };
    let streams = Streams {
        stdin: Some(&mut archive),
        stdout: &mut tokio::io::sink(),
        stderr: &mut tokio::io::sink(),
        controls: None,
        started: None,
    };
    let result = guest.call(&call, streams).await;
    drop(guest);
    tokio::task::spawn_blocking(move || drop(player.join().unwrap()))
        .await
        .unwrap();
    result
}

#[tokio::test]
async fn an_unpacking_says_how_it_ended() {
    let (entries, bytes) = (2, 5);
    let answer = Answer::Unpacked { entries, bytes };
    let whole = unpack_against(GuestMessage::Answered {
        answer: answer.clone(),
    });
    assert_eq!(whole.await, Ok(answer));
    let refusal = Refusal::new(RefusalReason::NotUnpacked, "cannot unpack a: why");
    let refused = unpack_against(GuestMessage::Refused(refusal.clone()));
    assert_eq!(refused.await, Err(Failure::Refused(refusal)));
    // Neither another message nor the answer to another call is accepted.
    for nonsense in [
        GuestMessage::Adopted,
        GuestMessage::Started { pid: 1 },
        GuestMessage::Answered {
            answer: Answer::Listed,
        },
    ] {
        let nonsense = unpack_against(nonsense).await;
        assert!(
            matches!(nonsense, Err(Failure::Protocol(_))),
            "{nonsense:?}"
        );
    }
}

#[tokio::test]
async fn what_an_unpacking_says_is_bounded() {
    let message = "x".repeat(200_000);
    let reason = RefusalReason::NotUnpacked;
    let refused = unpack_against(GuestMessage::Refused(Refusal { reason, message }));
    let Err(Failure::Refused(Refusal { message, .. })) = refused.await else {
        panic!("it did not fail");
    };
    assert!((5000..5100).contains(&message.chars().count()));
}
