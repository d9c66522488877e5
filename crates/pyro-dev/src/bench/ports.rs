//! How fast a *published port* is: a server in the guest sends, and a client on the host reads, beside
//! a command of the same workspace that prints as much.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Error;
use crate::finished::Finished;
use crate::program::Program;

const LIMIT: Duration = Duration::from_secs(120);
/// How much is sent.
pub(super) const BYTES: u64 = 64 * 1024 * 1024;
/// Perl, which is in every environment: prints, or listens and sends that to whoever connects and
/// sends a byte.
const SENDER: &str = r#"
use IO::Socket::INET;
my $data = "0123456789abcdef" x 16384;
sub send_all { my $to = shift; for (1 .. 256) { print $to $data or last } }
if (shift eq "print") { send_all(\*STDOUT); exit }
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 8,
    ReuseAddr => 1) or die;
while (my $client = $listener->accept) {
    sysread($client, my $byte, 1) and send_all($client);
    close $client;
}
"#;
const PROGRAM: &str = "/root/send.pl";
const SERVE: &str = "perl /root/send.pl serve > /dev/null 2>&1 &";

/// A workspace whose server sends to a port of this host.
pub(super) struct Sender {
    pub(super) id: String,
    port: u16,
}

impl Sender {
    pub(super) fn start(program: &Program, environment: &str) -> Result<Self, Error> {
        let words = ["workspace", "create", environment, "--json"];
        let words = words.into_iter().chain(["--publish", "8000"]);
        let made = Finished::success(&mut program.command(words), LIMIT)?;
        let id = made.workspace_id()?;
        let value: Value = serde_json::from_str(&made.stdout)?;
        let port = value["published_ports"][0]["host_port"].as_u64();
        let port = port.and_then(|port| port.try_into().ok());
        let port = port.ok_or("a workspace has no published port")?;
        let run = |words: &[&str]| {
            let exec = ["workspace", "exec", &id, "-q", "--"].into_iter();
            let mut command = program.command(exec.chain(words.iter().copied()));
            Finished::success(&mut command, LIMIT)
        };
        let write = "printf '%s' \"$0\" > \"$1\"";
        run(&["sh", "-c", write, SENDER, PROGRAM])?;
        run(&["sh", "-c", SERVE])?;
        let sender = Self { id, port };
        let begun = Instant::now();
        // Until it listens, connections are refused.
        while let Err(error) = sender.receive() {
            if begun.elapsed() > LIMIT {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(sender)
    }

    /// Reads all from the port. Returns how long it took, from connecting to the end.
    pub(super) fn receive(&self) -> Result<Duration, Error> {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"x")?;
        drain(&mut stream)?;
        Ok(begun.elapsed())
    }

    /// Has a command print all. Returns how long its whole process took.
    pub(super) fn print(&self, program: &Program) -> Result<Duration, Error> {
        let begun = Instant::now();
        let exec = ["workspace", "exec", &self.id, "-q", "--"].into_iter();
        let mut command = program.command(exec.chain(["perl", PROGRAM, "print"]));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let read = child.stdout.take().map(|mut output| drain(&mut output));
        let status = child.wait()?;
        let took = begun.elapsed();
        read.transpose()?;
        if !status.success() {
            return Err(format!("what prints failed ({status})").into());
        }
        Ok(took)
    }
}

fn drain(from: &mut impl Read) -> Result<(), Error> {
    let mut buffer = vec![0; 256 * 1024];
    let mut left = BYTES;
    loop {
        match from.read(&mut buffer) {
            Ok(0) if left == 0 => return Ok(()),
            Ok(0) => return Err(format!("{left} of {BYTES} bytes did not arrive").into()),
            Ok(read) => left = left.checked_sub(read as u64).ok_or("more arrived")?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
