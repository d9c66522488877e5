//! *passt* is the program behind a machine's network card: it makes ordinary connections of the
//! host's user out of what the guest sends, and needs no rights for that.

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
/// What may be under way from it to us.
const SEND_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// What it writes to the system's log and cannot, where there is none.
const NOISE: &str = "to syslog";

/// A passt that runs for one machine; ended when dropped, or when its connection closes.
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
        // It throws away what does not fit; the kernel gives as much as it may.
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

    /// Ends it and returns what it said, or how it ended if it said nothing.
    pub(super) fn last_words(&mut self) -> String {
        // Reaped before its log is read, which is then complete.
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

/// One address and two neighbours for the guest, nothing that listens on the host, and no way to
/// the host through the gateway's address. The connection's number comes after.
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
        // It need not know the host's name servers.
        "--dns",
        "none",
        // Not the host's own, which it would use else.
        "--mac-addr",
        "02:00:00:00:00:02",
        "--fd",
    ]
    .map(str::to_owned)
    .into()
}

/// Asks for the gateway's address, as a guest would: who answers is ready.
pub(super) async fn greet(connection: &mut tokio::net::UnixStream) -> io::Result<()> {
    // To all, from a device that is none, about an Ethernet and an Internet address: who has it?
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
