//! Published ports, from the command line, with servers in real guests.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::idle::ticks;
use crate::instances::{Instance, Kind, id_in, kill};
use crate::mcp_client::{Client, Era};
use crate::templates::wait_until;

/// A server that answers each line with a MiB, or, after `echo`, with all that follows, as it comes.
const SERVER: &str = r#"
use IO::Socket::INET;
my $port = shift;
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1024,
    ReuseAddr => 1) or die;
my $data = "0123456789abcdef" x 65536;
$SIG{CHLD} = "IGNORE";
open(my $ready, ">", "ready-$port"); close $ready;
while (my $client = $listener->accept) {
    my $pid = fork();
    die unless defined $pid;
    if ($pid) { close $client; next; }
    $client->autoflush(1);
    # Byte by byte: `<$client>` would take what follows the line into a buffer that sysread does not see.
    my $first = "";
    while ($first !~ /\n/ && sysread($client, $first, 1, length $first)) { }
    if ($first eq "echo\n") {
        while (sysread($client, my $bytes, 65536)) { syswrite($client, $bytes); }
    } else {
        print $client $data;
    }
    close $client;
    exit 0;
}
"#;

/// Bytes that are all over the place.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0])
        .collect()
}

/// Connects to a port of this host.
#[track_caller]
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Against hanging.
    stream
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    stream
}

/// The host's port of a published one, by its place.
#[track_caller]
pub(crate) fn host_port(workspace: &Value, index: usize) -> u16 {
    let port = workspace["published_ports"][index]["host_port"].as_u64();
    port.unwrap_or_else(|| panic!("{workspace}"))
        .try_into()
        .unwrap()
}

/// What a server sends until it ends; `None` if the connection is reset.
fn ask(port: u16, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = connect(port);
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => Some(answer),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            None
        }
    }
}

fn mebibyte() -> Vec<u8> {
    b"0123456789abcdef".repeat(65536)
}

/// Starts the server on a port of the guest, in the background.
fn serve(workspace: &Instance, port: u16) {
    let write = workspace.call(&["file", "write"]);
    write.args(&["server.pl", "--text", SERVER]).run().expect(0);
    let script = format!(
        "rm -f ready-{port}; perl server.pl {port} >/dev/null 2>&1 & \
         while ! test -e ready-{port}; do sleep 0.1; done"
    );
    workspace.ask(&script);
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn the_story_of_a_server() {
    let context = TestContext::with(debian());
    let named = free_port();
    let rule = format!("{named}:8000");
    let workspace = Instance::workspace(&context, &["--publish", &rule]);
    let status = workspace.status();
    assert_eq!(status["network_policy"], "off");
    let port = json!({
        "host": "127.0.0.1", "host_port": named, "guest_port": 8000, "protocol": "tcp"
    });
    assert_eq!(status["published_ports"], json!([port]));
    // Nothing listens in the guest yet; then something does.
    assert_eq!(ask(named, b"x\n"), None);
    serve(&workspace, 8000);
    assert!(ask(named, b"x\n").unwrap() == mebibyte());
    // Another one, chosen by the kernel.
    let add = workspace.call(&["port", "add"]);
    let added = add.args(&["8000", "--json"]).run().expect(0).json();
    let chosen: u16 = added["published_port"]["host_port"]
        .as_u64()
        .unwrap()
        .try_into()
        .unwrap();
    assert!(ask(chosen, b"x\n").unwrap() == mebibyte());
    let list = workspace.call(&["port", "list"]).run().expect(0);
    list.out_is(&format!(
        "127.0.0.1:{named} -> 8000/tcp\n127.0.0.1:{chosen} -> 8000/tcp\n"
    ));
    // Both are there again after a stop, with what listens then.
    workspace.call(&["stop"]).run().expect(0);
    for port in [named, chosen] {
        let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    workspace.call(&["start"]).run().expect(0);
    serve(&workspace, 8000);
    for port in [named, chosen] {
        assert!(ask(port, b"x\n").unwrap() == mebibyte());
    }
    // Also after a reset, and after a death.
    workspace.call(&["reset"]).run().expect(0);
    assert_eq!(ask(named, b"x\n"), None);
    let supervisor = workspace.supervisor().unwrap();
    kill(supervisor);
    wait_until("the port is free", || {
        TcpListener::bind(("127.0.0.1", named)).is_ok()
    });
    wait_until("it is stopped", || workspace.state() == "stopped");
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(ask(chosen, b"x\n"), None);
    let remove = workspace
        .call(&["port", "remove"])
        .args(&[named.to_string()]);
    remove
        .run()
        .expect(0)
        .out_is(&format!("Removed port: {named}\n"));
    assert!(TcpListener::bind(("127.0.0.1", named)).is_ok());
    let again = workspace.call(&["port", "remove"]);
    let again = again.args(&[&named.to_string(), "--json"]).run().expect(1);
    again.json_error("no_such_port", true);
    workspace.call(&["delete"]).run().expect(0);
    assert!(TcpListener::bind(("127.0.0.1", chosen)).is_ok());
}

#[test]
fn two_hundred_downloads_at_once_and_a_long_conversation() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &["--publish", "8000"]);
    serve(&workspace, 8000);
    let port = host_port(&workspace.status(), 0);
    let mut conversation = connect(port);
    // In one piece with the first message, as it arrives when the guest is busy.
    conversation.write_all(b"echo\nhello\n").unwrap();
    let mut hello = [0; 6];
    conversation.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
    let whole = mebibyte();
    let downloads: Vec<_> = (0..200)
        .map(|_| thread::spawn(move || ask(port, b"x\n")))
        .collect();
    let mut rounds = 0_u32;
    let mut talk = |conversation: &mut TcpStream| {
        let word = format!("message {rounds}\n");
        conversation.write_all(word.as_bytes()).unwrap();
        let mut echo = vec![0; word.len()];
        conversation.read_exact(&mut echo).unwrap();
        assert_eq!(echo, word.as_bytes());
        rounds += 1;
    };
    // While they are under way, small messages go to and fro.
    while !downloads.iter().all(thread::JoinHandle::is_finished) {
        talk(&mut conversation);
    }
    for download in downloads {
        let answer = download.join().unwrap();
        assert!(
            answer.as_ref() == Some(&whole),
            "{:?}",
            answer.map(|some| some.len())
        );
    }
    talk(&mut conversation);
    // And much, in both directions at once.
    let much = pattern(4 * 1024 * 1024);
    let mut received = vec![0; much.len()];
    thread::scope(|scope| {
        let mut sending = conversation.try_clone().unwrap();
        let much = &much;
        scope.spawn(move || sending.write_all(much).unwrap());
        conversation.read_exact(&mut received).unwrap();
    });
    assert!(received == much);
    conversation.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(conversation.read(&mut received).unwrap(), 0);
    workspace.ask("true");
}

#[test]
fn a_connection_wakes_a_paused_workspace() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &["--publish", "8000"]);
    let port = host_port(&workspace.status(), 0);
    let (supervisor, vmm) = (workspace.supervisor().unwrap(), workspace.vmm().unwrap());
    let is_paused = || {
        let before = (ticks(supervisor), ticks(vmm));
        thread::sleep(Duration::from_secs(2));
        (ticks(supervisor), ticks(vmm)) == before
    };
    wait_until("it is paused", is_paused);
    let before = ticks(vmm);
    let activity = workspace.status()["last_activity_at"].as_f64().unwrap();
    // Only the guest knows that nothing listens there.
    assert_eq!(ask(port, b"x\n"), None);
    assert!(ticks(vmm) > before, "it was not woken");
    wait_until("the activity is noted", || {
        workspace.status()["last_activity_at"].as_f64().unwrap() > activity
    });
    wait_until("it is paused again", is_paused);
}

#[test]
fn a_port_that_is_taken_is_never_left_out_in_silence() {
    let context = TestContext::with(debian());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = taken.local_addr().unwrap().port();
    let rule = format!("{number}:80");
    let create = [
        "workspace",
        "create",
        debian(),
        "--json",
        "--publish",
        &rule,
    ];
    let error = context
        .pyro(&create)
        .run()
        .expect(1)
        .json_error("port_taken", true);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains(&number.to_string()),
        "{error}"
    );
    let none = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0);
    assert_eq!(none.json()["count"], 0);
    drop(taken);
    let made = context
        .pyro(&create)
        .args(&["--publish", "81"])
        .run()
        .expect(0)
        .json();
    let workspace = Instance::known(&context, Kind::Workspace, id_in(&made, Kind::Workspace));
    let chosen = host_port(&made, 1);
    workspace.ask("echo kept > file");
    let error = workspace
        .call(&["port", "add", "--json"])
        .args(&[&rule])
        .run()
        .expect(1);
    error.json_error("port_taken", true);
    workspace.call(&["stop"]).run().expect(0);
    // One that was named keeps it from starting.
    let taken = TcpListener::bind(("127.0.0.1", number)).unwrap();
    let error = workspace.call(&["start", "--json"]).run().expect(1);
    let error = error.json_error("port_taken", true);
    let remedy = format!("pyro workspace port remove {} {number}", workspace.id);
    assert!(
        error["remedy"].as_str().unwrap().contains(&remedy),
        "{error}"
    );
    assert_eq!(workspace.state(), "stopped");
    let remove = workspace
        .call(&["port", "remove"])
        .args(&[number.to_string()]);
    remove.run().expect(0);
    drop(taken);
    // One that the kernel has chosen is replaced, and the user told.
    let _taken = TcpListener::bind(("127.0.0.1", chosen)).unwrap();
    let started = workspace.call(&["start"]).run().expect(0);
    started.err_has(&format!("port {chosen} of this host is taken"));
    let other = host_port(&workspace.status(), 0);
    assert_ne!(other, chosen);
    assert_eq!(ask(other, b"x\n"), None);
    assert_eq!(workspace.ask("cat file"), "kept\n");
}

#[test]
fn what_cannot_be_published_is_refused_before_anything_is_done() {
    let context = TestContext::with(debian());
    let create = ["workspace", "create", debian(), "--json"];
    for (options, code) in [
        (
            &["--publish", "8080:80", "--publish", "0.0.0.0:8080:81"][..],
            "invalid_input",
        ),
        (&["--network", "--network-policy", "off"], "invalid_input"),
        // An address for documentation, which no host has.
        (&["--publish", "192.0.2.1:8080:80"], "port_unavailable"),
    ] {
        let run = context.pyro(&create).args(options).run();
        let error = run.expect(1).json_error(code, true);
        assert!(error["remedy"].is_string(), "{error}");
    }
    for rule in ["80:80", "1024:80", "8080:0", "65536", "x", "8080:80/udp"] {
        let run = context.pyro(&create).args(&["--publish", rule]).run();
        run.expect(2).err_has("--publish");
    }
    let none = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0);
    assert_eq!(none.json()["count"], 0);
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    assert_eq!(workspace.status()["published_ports"], json!([]));
    workspace.call(&["stop"]).run().expect(0);
    let add = workspace
        .call(&["port", "add", "--json"])
        .args(&["80"])
        .run();
    add.expect(1).json_error("not_started", true);
}

#[test]
fn policies_are_shown_and_ports_go_with_each() {
    let context = TestContext::with(debian());
    let mut policies = vec![("off", false)];
    match crate::network::missing() {
        None => policies.extend([("egress", true), ("egress+published-ports", true)]),
        Some(why) => {
            eprintln!("SKIPPED policies_are_shown_and_ports_go_with_each (networks): {why}");
        }
    }
    for (policy, network) in policies {
        let options = ["--network-policy", policy, "--publish", "8000"];
        let workspace = Instance::workspace(&context, &options);
        let status = workspace.status();
        assert_eq!(status["network_policy"], policy);
        assert_eq!(status["network_enabled"], network);
        serve(&workspace, 8000);
        let answer = ask(host_port(&status, 0), b"x\n").unwrap();
        assert!(answer == mebibyte(), "{policy}: {}", answer.len());
    }
}

#[test]
fn over_mcp_the_loopback_is_allowed_and_more_is_the_operators_choice() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let id = &workspace.id;
    let added = client.tool(
        "workspace_port_add",
        &json!({"workspace_id": id, "port": 8000}),
    );
    assert_eq!(added["published_port"]["host"], "127.0.0.1", "{added}");
    let public = json!({"workspace_id": id, "port": "0.0.0.0:8001"});
    let asked = [
        ("workspace_port_add", public.clone()),
        (
            "workspace_create",
            json!({"environment": debian(), "published_ports": ["0.0.0.0:8001"]}),
        ),
    ];
    for (tool, request) in asked {
        let call = client.call(tool, &request);
        let refused = client.response(call).to_string();
        assert!(refused.contains("not_allowed_by_operator"), "{refused}");
    }
    let list = client.tool("workspace_port_list", &json!({"workspace_id": id}));
    assert_eq!(list["count"], 1, "{list}");
    let host_port = &list["published_ports"][0]["host_port"];
    let request = json!({"workspace_id": id, "host_port": host_port});
    let removed = client.tool("workspace_port_remove", &request);
    assert_eq!(removed["removed"], true, "{removed}");
    client.finish().expect(0);
    let mut client = Client::start(&context, Era::Legacy, &["--allow-public-ports"]);
    let added = client.tool("workspace_port_add", &public);
    assert_eq!(added["published_port"]["host"], "0.0.0.0", "{added}");
    client.finish().expect(0);
}

#[test]
fn a_connection_comes_from_nobody_but_this_host_unless_that_is_asked_for() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the kernel only says by which address it would.
    let own = socket
        .connect("198.51.100.1:9")
        .and_then(|()| socket.local_addr());
    let Ok(own) = own.map(|address| address.ip()) else {
        eprintln!("SKIPPED a_connection_comes_from_nobody_but_this_host: this host has no route");
        return;
    };
    let context = TestContext::with(debian());
    let options = ["--publish", "8000", "--publish", "0.0.0.0:8000"];
    let workspace = Instance::workspace(&context, &options);
    let status = workspace.status();
    let (private, public) = (host_port(&status, 0), host_port(&status, 1));
    let refused = TcpStream::connect((own, private)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    serve(&workspace, 8000);
    let mut stream = TcpStream::connect((own, public)).unwrap();
    stream.write_all(b"x\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer == mebibyte());
}
