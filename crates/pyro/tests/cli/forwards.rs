//! Connections through published ports, byte for byte. The VMM is the fake one, whose guest shares
//! this machine's loopback: the test itself is the server in the guest, and sees both ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use pyro_test::{Action, Scene};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind, id_in};
use crate::ports::{connect, host_port, pattern};
use crate::races::stage::Stage;
use crate::templates::wait_until;

/// More than all buffers in between can hold.
const MUCH: usize = 24 * 1024 * 1024;

/// A workspace with a fake machine, and the server in its guest.
struct Forwarded<'a> {
    scene: Scene,
    workspace: Instance<'a>,
    server: TcpListener,
    /// The host's port.
    port: u16,
}

impl<'a> Forwarded<'a> {
    fn start(stage: &Stage, context: &'a TestContext) -> Self {
        let scene = stage.director.scene(context.directory());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let rule = server.local_addr().unwrap().port().to_string();
        let workspace = Instance::workspace(context, &["--publish", &rule]);
        let port = host_port(&workspace.status(), 0);
        Self {
            scene,
            workspace,
            server,
            port,
        }
    }

    /// Both ends of a connection through the guest.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = connect(self.port);
        let (server, _) = self.server.accept().unwrap();
        for stream in [&client, &server] {
            // A limit, so that the test cannot hang.
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
        }
        (client, server)
    }
}

fn is_reset(result: std::io::Result<usize>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn rest_of(mut stream: &TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    rest
}

#[test]
fn each_direction_ends_alone_and_only_whole_ones_end_properly_or_skip() {
    let Some(stage) = Stage::set("each_direction_ends_alone_and_only_whole_ones_end_properly")
    else {
        return;
    };
    let context = stage.context();
    let forwarded = Forwarded::start(&stage, &context);
    // First the client's direction ends, then the server's.
    let (mut client, mut server) = forwarded.pair();
    client.write_all(b"request").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest_of(&server), b"request");
    let much = pattern(MUCH);
    thread::scope(|scope| {
        scope.spawn(|| {
            server.write_all(&much).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest_of(&client) == much);
    });
    // First the server's direction ends, then the client's.
    let (mut client, server) = forwarded.pair();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest_of(&client), b"");
    thread::scope(|scope| {
        scope.spawn(|| {
            client.write_all(&much).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest_of(&server) == much);
    });
    // Neither direction ends.
    let (mut client, mut server) = forwarded.pair();
    let mut buffer = [0; 100];
    for round in 0..50_u8 {
        client.write_all(&[round; 3]).unwrap();
        server.read_exact(&mut buffer[..3]).unwrap();
        assert_eq!(buffer[..3], [round; 3]);
        server.write_all(&[round; 7]).unwrap();
        client.read_exact(&mut buffer[..7]).unwrap();
        assert_eq!(buffer[..7], [round; 7]);
    }
    // A server that resets the connection, by closing it with unread data.
    client.write_all(b"unread").unwrap();
    server.peek(&mut buffer).unwrap();
    drop(server);
    assert!(is_reset(client.read(&mut buffer)));
    // A client that resets the connection.
    let (client, mut server) = forwarded.pair();
    server.write_all(b"unread").unwrap();
    client.peek(&mut buffer).unwrap();
    drop(client);
    assert!(is_reset(server.read(&mut buffer)));
    // A server that stops listening.
    drop(forwarded.server);
    let mut client = connect(forwarded.port);
    assert!(is_reset(client.read(&mut buffer)));
}

#[test]
fn who_does_not_read_is_not_sent_to_and_others_go_on_or_skip() {
    let Some(stage) = Stage::set("who_does_not_read_is_not_sent_to_and_others_go_on") else {
        return;
    };
    let context = stage.context();
    let forwarded = Forwarded::start(&stage, &context);
    for client_writes in [true, false] {
        let (client, server) = forwarded.pair();
        let (mut writer, mut reader) = if client_writes {
            (client, server)
        } else {
            (server, client)
        };
        // Writes until all buffers are full. Data in transit is only in kernel buffers and in the
        // windows of the call; pyro itself must not buffer more.
        writer
            .set_write_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let chunk = pattern(64 * 1024);
        let mut sent = Vec::new();
        loop {
            match writer.write(&chunk) {
                Ok(count) => sent.extend_from_slice(&chunk[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
            assert!(sent.len() < 128 * 1024 * 1024, "it goes nowhere");
        }
        // Meanwhile another connection is not affected.
        let (mut client, mut server) = forwarded.pair();
        client.write_all(b"hello").unwrap();
        let mut five = [0; 5];
        server.read_exact(&mut five).unwrap();
        server.write_all(&five).unwrap();
        client.read_exact(&mut five).unwrap();
        assert_eq!(&five, b"hello");
        // No waiting data is lost.
        writer.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        assert!(received == sent, "{} of {}", received.len(), sent.len());
    }
}

#[test]
fn a_connection_wakes_the_machine_and_keeps_it_awake_or_skip() {
    let Some(stage) = Stage::set("a_connection_wakes_the_machine_and_keeps_it_awake") else {
        return;
    };
    let context = stage.context();
    let forwarded = Forwarded::start(&stage, &context);
    let scene = &forwarded.scene;
    scene.wait_for("qmp:stop:said", 1);
    let woken = scene.reached("qmp:cont");
    let (mut client, server) = forwarded.pair();
    assert_eq!(scene.reached("qmp:cont"), woken + 1);
    // Longer than the time after which an idle workspace is paused.
    thread::sleep(Duration::from_secs(5));
    client.write_all(b"still there").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest_of(&server), b"still there");
    assert_eq!(scene.reached("qmp:stop"), 1, "it was paused");
    drop(server);
    assert_eq!(rest_of(&client), b"");
    scene.wait_for("qmp:stop:said", 2);
    // If the machine cannot be resumed, connections are refused and the reason is logged.
    scene.next("qmp:cont", Action::Refuse("no".into()));
    let mut client = connect(forwarded.port);
    assert!(is_reset(client.read(&mut [0])));
    let (_client, _server) = forwarded.pair();
}

#[test]
fn beyond_the_bound_connections_wait_or_skip() {
    let Some(stage) = Stage::set("beyond_the_bound_connections_wait") else {
        return;
    };
    let context = stage.context();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let rule = server.local_addr().unwrap().port().to_string();
    // A supervisor with 300 descriptors reserves 256 for other purposes.
    let script = "ulimit -n 300 && exec \"$@\"";
    let words = [
        "workspace",
        "create",
        debian(),
        "--json",
        "--publish",
        &rule,
    ];
    let made = context.scripted(script, &words).run().expect(0).json();
    let id = id_in(&made, Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    let port = host_port(&made, 0);
    let clients: Vec<TcpStream> = (0..60).map(|_| connect(port)).collect();
    let mut accepted: Vec<TcpStream> = (0..44).map(|_| server.accept().unwrap().0).collect();
    // No further connections are accepted, although other requests to this workspace are answered.
    workspace.ask("true");
    server.set_nonblocking(true).unwrap();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    server.set_nonblocking(false).unwrap();
    // For each connection that ends, another one is accepted, until all were served.
    drop(clients.into_iter().collect::<Vec<_>>());
    for _ in 44..60 {
        drop(accepted.remove(0));
        accepted.push(server.accept().unwrap().0);
    }
}

#[test]
fn the_end_of_a_workspace_is_no_proper_end_of_its_connections_or_skip() {
    let Some(stage) = Stage::set("the_end_of_a_workspace_is_no_proper_end_of_its_connections")
    else {
        return;
    };
    let context = stage.context();
    let forwarded = Forwarded::start(&stage, &context);
    let (workspace, port) = (&forwarded.workspace, forwarded.port);
    let is_free = || TcpListener::bind(("127.0.0.1", port)).is_ok();
    for end in ["port remove", "stop", "supervisor", "vmm", "delete"] {
        let (mut client, mut server) = forwarded.pair();
        server.write_all(b"part").unwrap();
        let mut four = [0; 4];
        client.read_exact(&mut four).unwrap();
        assert!(!is_free());
        match end {
            "port remove" => {
                let remove = ["port", "remove"];
                let run = workspace.call(&remove).args(&[port.to_string()]);
                run.run().expect(0);
            }
            "supervisor" => crate::instances::kill(workspace.supervisor().unwrap()),
            "vmm" => crate::instances::kill(workspace.vmm().unwrap()),
            verb => drop(workspace.call(&[verb]).run().expect(0)),
        }
        assert!(is_reset(client.read(&mut four)), "{end}");
        wait_until("the port is free", is_free);
        let guest_port = forwarded.server.local_addr().unwrap().port();
        match end {
            "delete" => {}
            "port remove" => {
                let rule = format!("{port}:{guest_port}");
                let run = workspace.call(&["port", "add"]).args(&[rule]);
                run.run().expect(0);
            }
            _ => {
                wait_until("it is started again", || {
                    workspace.call(&["start"]).run().code == 0 && workspace.supervisor().is_some()
                });
                assert_eq!(host_port(&workspace.status(), 0), port, "{end}");
            }
        }
    }
}
