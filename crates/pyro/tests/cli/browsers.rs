//! A browser of the host, and a server in a guest: the page, its web socket and its events come
//! through a published port.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::ports::host_port;
use crate::services::start;

const NONE: &[&str] = &[];
/// Beside everything else that the tests run, a browser takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// A server with what debian:12 has. What the page has seen it reports to `/done`, which becomes the
/// file `seen`.
const SERVER: &str = r#"exec perl -MIO::Socket::INET -MDigest::SHA=sha1_base64 -e '
    $SIG{CHLD} = "IGNORE";
    $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
    sub page { return q{<!doctype html><script>
        const socket = new WebSocket(`ws://${location.host}/socket`);
        const echo = new Promise((resolve) => {
            socket.onopen = () => socket.send("from the page");
            socket.onmessage = (message) => resolve(message.data);
        });
        const source = new EventSource("/events");
        const events = new Promise((resolve) => {
            let all = [];
            source.onmessage = (event) => {
                all.push(event.data);
                if (all.length == 3) { source.close(); resolve(all.join(" ")); }
            };
        });
        Promise.all([echo, events]).then((seen) => fetch("/done?" + seen.map(encodeURIComponent)));
    </script>} }
    sub bytes { my $all = ""; while (length($all) < $_[0]) { read($one, $all, $_[0] - length($all), length($all)) or exit } $all }
    while (1) {
        $one = $server->accept or next;
        next if fork;
        $one->autoflush(1);
        ($path) = (<$one> =~ /^GET (\S+)/) or exit;
        while (($line = <$one>) =~ /\S/) { $key = $1 if $line =~ /^Sec-WebSocket-Key: (\S+)/i }
        if ($path eq "/") {
            $page = page();
            print $one "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: " . length($page) . "\r\n\r\n$page";
        } elsif ($path eq "/socket") {
            $accept = sha1_base64($key . "258EAFA5-E914-47DA-95CA-C5AB0DC85B11") . "=";
            print $one "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n";
            $length = ord(substr(bytes(2), 1)) & 127;
            $mask = bytes(4);
            $answer = "the guest has read: " . (bytes($length) ^ substr($mask x $length, 0, $length));
            print $one "\x81" . chr(length($answer)) . $answer;
            bytes(1);
        } elsif ($path eq "/events") {
            print $one "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
            for (1 .. 3) { print $one "data: event-$_\n\n"; select(undef, undef, undef, 0.3) }
            bytes(1);
        } elsif ($path =~ m{^/done\?(.*)}) {
            open($file, ">", "seen.new"); print $file $1; close($file); rename("seen.new", "seen");
            print $one "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        } else {
            print $one "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        }
        exit;
    }'"#;

/// A browser, which ends with the test.
struct Browser {
    process: Child,
    log: std::path::PathBuf,
}

impl Browser {
    fn open(context: &TestContext, url: &str) -> Self {
        let profile = context.path("browser");
        fs::create_dir(&profile).unwrap();
        let log = context.path("browser.log");
        let process = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .env("HOME", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Self { process, log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}

#[test]
fn a_browser_has_the_web_socket_and_the_events_of_a_guest_or_skip() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!(
            "SKIPPED a_browser_has_the_web_socket_and_the_events_of_a_guest: this host has no \
             chromium (Debian: chromium)"
        );
        return;
    }
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let options = ["--ready-tcp", "8000", "--publish", "8000"];
    let started = start(&workspace, "web", &options, SERVER).expect(0).json();
    let url = format!("http://127.0.0.1:{}/", host_port(&started, 0));
    let browser = Browser::open(&context, &url);
    let begun = Instant::now();
    let seen = loop {
        let read = workspace.call(&["file", "read"]);
        let read = read.args(&["seen", "--content-only"]).run();
        if read.code == 0 {
            break read.out();
        }
        assert!(begun.elapsed() < LIMIT, "nothing came: {}", browser.said());
        std::thread::sleep(Duration::from_millis(200));
    };
    let echo = "the%20guest%20has%20read%3A%20from%20the%20page";
    assert_eq!(seen, format!("{echo},event-1%20event-2%20event-3"));
}
