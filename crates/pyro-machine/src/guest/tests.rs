//! The host's side of the protocol against a guest that is played by the test.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pyro_protocol::{Credit, Decoder, Exit, INITIAL_WINDOW, Kind};

use super::*;

/// The guest's end of the connection.
struct Agent {
    stream: UnixStream,
    decoder: Decoder,
}

impl Agent {
    fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return frame;
            }
            let mut buffer = vec![0; 65536];
            let length = self.stream.read(&mut buffer).unwrap();
            assert!(length > 0, "the host closed the connection");
            self.decoder.push(&buffer[..length]);
        }
    }

    fn say(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.to_bytes()).unwrap();
    }

    fn say_exited(&mut self, stream: u32) {
        let exit = Exit {
            code: Some(3),
            signal: None,
            timed_out: false,
            duration_ms: 5,
        };
        self.say(&Frame::control(stream, &GuestMessage::Exited(exit)).unwrap());
    }
}

fn pair() -> (UnixStream, Agent) {
    let (host, guest) = UnixStream::pair().unwrap();
    (
        host,
        Agent {
            stream: guest,
            decoder: Decoder::new(),
        },
    )
}

/// Runs a command against an agent that behaves as `play` says, and returns what came out.
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
    };
    let command = Command {
        argv: vec!["true".into()],
        ..Command::default()
    };
    let result = guest.run(&command, streams).await;
    drop(guest);
    // The aborted tasks let go of the connection only when the runtime comes round to them.
    tokio::task::spawn_blocking(move || player.join().unwrap())
        .await
        .unwrap();
    (result, stdout)
}

#[tokio::test]
async fn output_comes_through_and_is_granted_again() {
    let (result, stdout) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::data(stream, Kind::Stdout, *b"\xff\x00hello"));
        let credit = agent.next().as_credit().unwrap();
        assert_eq!((credit.channel, credit.bytes), (Kind::Stdout, 7));
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
            Kind::Stdout,
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
            assert_eq!(frame.kind, Kind::Stdin);
            if frame.payload.is_empty() {
                break;
            }
            received += frame.payload.len();
            window = window
                .checked_sub(frame.payload.len())
                .expect("never beyond the credit");
            if window == 0 {
                let credit = Credit {
                    channel: Kind::Stdin,
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
                channel: Kind::Stdin,
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

#[tokio::test]
async fn a_guest_that_goes_away_is_noticed() {
    let (result, stdout) = run_against(None, |mut agent| {
        let stream = agent.next().stream;
        agent.say(&Frame::data(stream, Kind::Stdout, *b"partial"));
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
    };
    let outcome = guest.run(&command, streams).await.unwrap();
    assert!(outcome.timed_out);
    assert_eq!(agent.next().kind, Kind::Control);
}
