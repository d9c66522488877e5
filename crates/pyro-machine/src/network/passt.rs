//! *passt* is the program behind a machine's network card: it turns the guest's packets into
//! ordinary connections of the host's user, and needs no privileges for that.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pyro_store::create_private_file;
use rustix::net::sockopt::set_socket_send_buffer_size;

use super::relay::{read_frame, write_frame};
use super::subnet::{ADDRESS, GATEWAY, PREFIX_LENGTH};
use crate::cell::Cell;
use crate::console;
use crate::process::OwnedProcess;
use crate::search_path::find_program;

const PROGRAM: &str = "passt";
/// The size of its send buffer to this process.
const SEND_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Marks passt's messages about a missing system log.
const NOISE: &str = "to syslog";

/// A passt that runs for one machine; killed on drop, and it exits when its connection closes.
#[derive(Debug)]
pub(super) struct Passt {
    process: OwnedProcess,
    log: PathBuf,
}

/// Finds the program in a search path like `PATH`'s value.
pub(super) fn find(search_path: &OsStr) -> Option<PathBuf> {
    find_program(search_path, PROGRAM)
}

impl Passt {
    /// Starts the program with one end of a connection, and returns the other.
    pub(super) fn start(program: &Path, directory: &Path) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        // passt drops packets that do not fit; the kernel may grant less than this.
        set_socket_send_buffer_size(&theirs, SEND_BUFFER_BYTES)?;
        let log = directory.join("passt.log");
        let mut command = Command::new(program);
        command
            .args(arguments())
            .arg(theirs.as_raw_fd().to_string())
            .current_dir(directory)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(create_private_file(&log)?);
        let process = OwnedProcess::spawn(command, &[theirs.as_raw_fd()], None, Cell::passt()?)?;
        drop(OwnedFd::from(theirs));
        Ok((Self { process, log }, ours))
    }

    /// Ends it and returns its output, or how it ended if there is none.
    pub(super) fn last_words(&mut self) -> String {
        // It is reaped before its log is read, so the log is complete.
        let ended = self.process.kill();
        let words: Vec<String> = console::last_words_in(&self.log)
            .lines()
            .filter(|line| !line.ends_with(NOISE))
            .map(str::to_owned)
            .collect();
        match (words.is_empty(), ended) {
            (false, _) => words.join("\n"),
            (true, Ok(status)) => status.to_string(),
            (true, Err(error)) => error.to_string(),
        }
    }
}

/// One address and two neighbours for the guest, no listening on the host, and no access to the
/// host through the gateway's address. The number of the connection follows.
fn arguments() -> Vec<String> {
    let (address, gateway) = (ADDRESS.to_string(), GATEWAY.to_string());
    let prefix_length = PREFIX_LENGTH.to_string();
    [
        "--foreground",
        "--quiet",
        "--ipv4-only",
        "--no-map-gw",
        "--no-dhcp",
        "--no-dhcpv6",
        "--no-ndp",
        "--no-ra",
        "--tcp-ports",
        "none",
        "--udp-ports",
        "none",
        "--address",
        &address,
        "--netmask",
        &prefix_length,
        "--gateway",
        &gateway,
        // passt must not read the host's name servers.
        "--dns",
        "none",
        // The default would be the host's own address.
        "--mac-addr",
        "02:00:00:00:00:02",
        "--fd",
    ]
    .map(str::to_owned)
    .into()
}

/// Asks for the gateway's address, like a guest: an answer shows that passt is ready.
pub(super) async fn greet(connection: &mut tokio::net::UnixStream) -> io::Result<()> {
    // An ARP request: broadcast, from an unused hardware address.
    let mut question = vec![0xff; 6];
    question.extend([2, 0, 0, 0, 0, 1]);
    question.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    question.extend([2, 0, 0, 0, 0, 1]);
    question.extend(ADDRESS.octets());
    question.extend([0; 6]);
    question.extend(GATEWAY.octets());
    write_frame(connection, &question).await?;
    read_frame(connection).await.map(|_| ())
}
