//! Limits of a guest's network: sockets on the host, queries to name servers, and incoming data.

use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::context::{TestContext, debian};
use crate::skip;
use crate::stand_in::{self, ALLOWED, ANSWER, HOST, NameServer, STRANGER};

/// A limit, so that the test cannot hang.
const LIMIT: Duration = Duration::from_secs(200);
/// The states of bound and of listening sockets in the kernel's tables.
const BOUND: &str = "07";
const LISTENING: &str = "0A";

#[test]
fn a_guest_cannot_take_the_hosts_ports_or_skip() {
    // Sends from thousands of ports, then again from the first one, and connects.
    const FLOOD: &str = "use IO::Socket::INET; my ($to, $port, $web) = @ARGV; \
        my $place = sockaddr_in($port, inet_aton($to)); \
        my $open = sub { IO::Socket::INET->new(Proto => 'udp', LocalPort => shift) or die }; \
        my $first = $open->(32768); send $first, 'first', 0, $place; recv $first, my $got, 99, 0; \
        for my $own (32769 .. 40000) { my $s = $open->($own); send $s, 'x', 0, $place; } \
        send $first, 'again', 0, $place or die; recv $first, $got, 99, 0; print qq($got\\n); \
        my $c = IO::Socket::INET->new(PeerAddr => $to, PeerPort => $web) or die; \
        print qq(connected\\n); $| = 1; print qq(done\\n); sleep 100";
    const PASST_MAY_HAVE: usize = 512;
    if let Some(why) = stand_in::missing() {
        skip!("a_guest_cannot_take_the_hosts_ports", "{why}");
    }
    let context = TestContext::with(debian());
    stand_in::within(context.directory(), || {
        let _names = NameServer::start();
        let echo = UdpSocket::bind((HOST, 0)).unwrap();
        let web = TcpListener::bind((HOST, 0)).unwrap();
        let places = [echo.local_addr().unwrap(), web.local_addr().unwrap()];
        let [port, web_port] = places.map(|place| place.port().to_string());
        thread::spawn(move || {
            let mut buffer = [0; 99];
            while let Ok((length, from)) = echo.recv_from(&mut buffer) {
                let _ = echo.send_to(&buffer[..length], from);
            }
        });
        let taken = || stand_in::own_ports("udp", BOUND).len();
        let before = taken();
        let flood = context.debian(&["--network", "--timeout-seconds", "150", "--", "perl", "-e"]);
        let mut flood = flood
            .args(&[FLOOD, &HOST.to_string(), &port, &web_port])
            .env("PYRO_NETWORK_ALLOW", ALLOWED)
            .start();
        flood.wait_for_stdout("done\n");
        let after = taken();
        assert!(after > before + PASST_MAY_HAVE / 2, "{before} to {after}");
        assert!(after <= before + PASST_MAY_HAVE, "{before} to {after}");
        assert!(UdpSocket::bind((HOST, 0)).is_ok());
        let second = context.debian(&["--network", "--", "getent", "ahostsv4", "a.example"]);
        let second = second.env("PYRO_NETWORK_ALLOW", ALLOWED).run().expect(0);
        assert!(second.out().starts_with(&ANSWER.to_string()), "{second:?}");
        flood.signal(rustix::process::Signal::TERM);
        let flood = flood.finish();
        assert!(flood.out().starts_with("again\nconnected\n"), "{flood:?}");
    });
}

#[test]
fn a_stranger_reaches_no_guest_or_skip() {
    // Sends a datagram, listens for connections, and prints the first received datagram.
    const ASK: &str = "use IO::Socket::INET; my ($to, $port) = @ARGV; \
        my $l = IO::Socket::INET->new(Listen => 5, LocalPort => 45679) or die; \
        my $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 45678) or die; \
        send $s, 'question', 0, sockaddr_in($port, inet_aton($to)) or die; \
        recv $s, my $got, 99, 0; print $got";
    if let Some(why) = stand_in::missing() {
        skip!("a_stranger_reaches_no_guest", "{why}");
    }
    let context = TestContext::with(debian());
    stand_in::within(context.directory(), || {
        let service = UdpSocket::bind((HOST, 0)).unwrap();
        service.set_read_timeout(Some(LIMIT)).unwrap();
        let port = service.local_addr().unwrap().port().to_string();
        let ask = context.debian(&["--network", "--timeout-seconds", "150", "--", "perl", "-e"]);
        let ask = ask
            .args(&[ASK, &HOST.to_string(), &port])
            .env("PYRO_NETWORK_ALLOW", ALLOWED)
            .start();
        let mut question = [0; 99];
        let (length, guest) = service.recv_from(&mut question).unwrap();
        assert_eq!(
            (&question[..length], guest.port()),
            (&b"question"[..], 45678)
        );
        let waiting = stand_in::own_ports("tcp", LISTENING);
        assert!(waiting.is_empty(), "{waiting:?} wait for connections");
        // The guest may send to both, but has not.
        for address in [STRANGER, HOST] {
            let stranger = UdpSocket::bind((address, 0)).unwrap();
            stranger.send_to(b"unasked", guest).unwrap();
        }
        service.send_to(b"answer", guest).unwrap();
        ask.finish().expect(0).out_is("answer");
    });
}

#[test]
fn name_servers_hear_questions_only_or_skip() {
    // Sends each of its hexadecimal arguments to the guest's name server, and prints the beginning
    // of each answer.
    const SEND: &str = "use IO::Socket::INET; \
        for (@ARGV) { my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '10.0.2.3', \
            PeerPort => 53) or die; $s->send(pack 'H*', $_); \
            my $r = ''; vec($r, fileno $s, 1) = 1; \
            if (select $r, undef, undef, 3) { $s->recv(my $got, 99); print unpack 'H8', $got; } \
            print qq(\\n); }";
    if let Some(why) = stand_in::missing() {
        skip!("name_servers_hear_questions_only", "{why}");
    }
    let context = TestContext::with(debian());
    stand_in::within(context.directory(), || {
        let server = NameServer::start();
        let run = context.debian(&["--network", "--timeout-seconds", "150", "--", "perl", "-e"]);
        let run = run
            .args(&[SEND])
            // An update, a notify, a zone transfer, an ANY query, a response, a non-DNS text, a
            // query.
            .args(&[
                "123429000001000000000001016100000600010161000001000100000001000401020304",
                "123421000001000000000000016100000600 01"
                    .replace(' ', "")
                    .as_str(),
                "12340100000100000000000001610000fc0001",
                "12340100000100000000000001610000ff0001",
                "12348180000100000000000001610000010001",
                "474554202f20485454502f312e300d0a0d0a",
                "12340100000100000000000001610000010001",
            ])
            .env("PYRO_NETWORK_ALLOW", ALLOWED)
            .run();
        run.expect(0)
            .out_is("1234a904\n1234a104\n12348105\n12348105\n\n4745d004\n12348180\n");
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec();
        assert_eq!(server.received(), [question]);
    });
}
