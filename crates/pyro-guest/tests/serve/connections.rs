//! Connections to ports of the guest, and secrets.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use pyro_protocol::{Answer, Call, Frame, FrameKind, GuestMessage, HostMessage, RefusalReason};

use crate::host::{Host, pattern};

fn connect(port: u16) -> Call {
    Call::Connect {
        port,
        only_try: false,
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn refused(answer: &GuestMessage) -> RefusalReason {
    match answer {
        GuestMessage::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_go_both_ways_and_each_way_ends_alone() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            eprintln!("SKIPPED bytes_go_both_ways ({address}): it is not there");
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            // Only the end of the other direction ends this.
            connection.read_to_end(&mut request).unwrap();
            connection.write_all(&request).unwrap();
            connection.write_all(b"end").unwrap();
        });
        let mut host = Host::adopted();
        let sent = pattern(50_000);
        let (received, answer) = host.call(connect(port), &sent);
        let closed = GuestMessage::Answered {
            answer: Answer::Closed,
        };
        assert_eq!(answer, closed);
        assert!(received == [&sent[..], b"end"].concat());
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_ends_first_can_still_be_sent_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut request = Vec::new();
        connection.read_to_end(&mut request).unwrap();
        request
    });
    let mut host = Host::adopted();
    host.streams += 1;
    let stream = host.streams;
    host.say(
        stream,
        &HostMessage::Call {
            call: connect(port),
        },
    );
    let end = host.next(stream);
    assert_eq!((end.kind, end.payload.len()), (FrameKind::Stdout, 0));
    host.send(&Frame::data(stream, FrameKind::Stdin, b"late".to_vec()));
    host.send(&Frame::data(stream, FrameKind::Stdin, Vec::new()));
    assert!(matches!(host.answer(stream), GuestMessage::Answered { .. }));
    assert_eq!(server.join().unwrap(), b"late");
}

#[test]
fn a_port_where_nothing_listens_is_refused() {
    let mut host = Host::adopted();
    let port = free_port();
    for only_try in [false, true] {
        let (_, answer) = host.call(Call::Connect { port, only_try }, b"");
        assert_eq!(refused(&answer), RefusalReason::NothingListens);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let only_try = true;
    let (_, answer) = host.call(Call::Connect { port, only_try }, b"");
    assert!(
        matches!(answer, GuestMessage::Answered { .. }),
        "{answer:?}"
    );
}

#[test]
fn a_connection_that_the_server_resets_has_no_proper_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        // Unread data in its buffer make the kernel send a reset.
        let mut one = [0];
        connection.peek(&mut one).unwrap();
    });
    let mut host = Host::adopted();
    host.streams += 1;
    let stream = host.streams;
    host.say(
        stream,
        &HostMessage::Call {
            call: connect(port),
        },
    );
    host.send(&Frame::data(stream, FrameKind::Stdin, b"x".to_vec()));
    server.join().unwrap();
    // No end of the output comes before it.
    let next = host.next(stream);
    assert_eq!(next.kind, FrameKind::Control);
    let answer = next.message().unwrap();
    assert_eq!(refused(&answer), RefusalReason::Refused);
}

#[test]
fn a_server_sees_a_reset_where_the_host_breaks_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut host = Host::adopted();
    host.streams += 1;
    let stream = host.streams;
    host.say(
        stream,
        &HostMessage::Call {
            call: connect(port),
        },
    );
    host.send(&Frame::data(stream, FrameKind::Stdin, b"half".to_vec()));
    let (mut connection, _) = listener.accept().unwrap();
    let mut half = [0; 4];
    connection.read_exact(&mut half).unwrap();
    host.say(stream, &HostMessage::Signal { signal: 9 });
    let error = connection.read(&mut half).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_secret_is_a_file_that_only_its_owner_reads() {
    let mut host = Host::adopted();
    std::fs::create_dir(host.root.path().join("run")).unwrap();
    let keep = |name: &str, bytes| Call::KeepSecret {
        name: name.to_owned(),
        bytes,
    };
    for value in ["first", "second value\n"] {
        let (_, answer) = host.call(keep("TOKEN", value.len() as u64), value.as_bytes());
        let kept = GuestMessage::Answered {
            answer: Answer::SecretKept,
        };
        assert_eq!(answer, kept);
        let path = host.root.path().join("run/pyro-secrets/TOKEN");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), value);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let directory = host.root.path().join("run/pyro-secrets");
    let mode = directory.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let (_, answer) = host.call(keep("TOKEN", 100), b"cut");
    assert_eq!(refused(&answer), RefusalReason::Cut);
    for name in ["", "../x", "a/b", ".x", "ü"] {
        let (_, answer) = host.call(keep(name, 1), b"x");
        assert_eq!(refused(&answer), RefusalReason::Refused, "{name:?}");
    }
}
