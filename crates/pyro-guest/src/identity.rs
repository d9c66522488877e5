//! The *identity* of a machine: what no two machines may share, although they are clones of the
//! same memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec};

use crate::error::{Error, Step as _};
use crate::network;
use crate::server::Adoption;
use crate::sys::{self, MAX_ENTROPY_BYTES};

const HOSTNAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
const MACHINE_ID: &str = "/etc/machine-id";
const DBUS_MACHINE_ID: &str = "/var/lib/dbus/machine-id";
const RESOLVER: &str = "/etc/resolv.conf";

const MIN_ENTROPY_BYTES: usize = 32;
const NANOSECONDS: u64 = 1_000_000_000;

/// The name of a machine that was not adopted yet.
const PLACEHOLDER_NAME: &str = "localhost";

/// Puts the files of the identity on the private disk, so that [`adopt`], which every clone has
/// to wait for, only overwrites their contents.
pub(crate) fn write_placeholders() -> Result<(), Error> {
    rustix::system::sethostname(PLACEHOLDER_NAME.as_bytes()).step("set the host name")?;
    write(HOSTNAME, &format!("{PLACEHOLDER_NAME}\n"))?;
    // systemd's word for "not yet known".
    write(MACHINE_ID, "uninitialized\n")?;
    write(HOSTS, &hosts(&existing_hosts(), PLACEHOLDER_NAME))?;
    // Without a name server the resolver asks 127.0.0.1, where nobody listens: it fails at once.
    write(RESOLVER, "# no name server\n")
}

/// Makes the machine its own.
pub(crate) fn adopt(adoption: &Adoption) -> Result<(), Error> {
    // Entropy first: nothing random may be drawn before.
    let entropy = decode_hex(&adoption.entropy_hex)
        .filter(|bytes| (MIN_ENTROPY_BYTES..=MAX_ENTROPY_BYTES).contains(&bytes.len()))
        .ok_or_else(|| invalid("read the entropy"))?;
    File::open("/dev/urandom")
        .and_then(|random| sys::reseed(&random, &entropy))
        .step("add entropy")?;

    set_clock(adoption.unix_time_ns)?;

    let (name, id) = (&adoption.hostname, &adoption.machine_id);
    if !is_hostname(name) {
        return Err(invalid("read the host name"));
    }
    if !(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())) {
        return Err(invalid("read the machine-id"));
    }
    rustix::system::sethostname(name.as_bytes()).step("set the host name")?;
    write(HOSTNAME, &format!("{name}\n"))?;
    write(HOSTS, &hosts(&existing_hosts(), name))?;
    let id = format!("{}\n", id.to_ascii_lowercase());
    write(MACHINE_ID, &id)?;
    if fs::symlink_metadata(DBUS_MACHINE_ID).is_ok_and(|found| found.is_file()) {
        write(DBUS_MACHINE_ID, &id)?;
    }
    network::connect(adoption.mac.as_deref(), adoption.network.as_ref())?;
    match &adoption.network {
        Some(network) => write(RESOLVER, &network::resolver(network)),
        None => Ok(()),
    }
}

/// Sets the clock.
pub(crate) fn set_clock(unix_time_ns: u64) -> Result<(), Error> {
    let now = Timespec {
        tv_sec: i64::try_from(unix_time_ns / NANOSECONDS).map_err(|_| invalid("read the time"))?,
        tv_nsec: i64::try_from(unix_time_ns % NANOSECONDS).map_err(|_| invalid("read the time"))?,
    };
    rustix::time::clock_settime(ClockId::Realtime, now).step("set the clock")
}

fn invalid(step: &str) -> Error {
    Error::new(step, io::ErrorKind::InvalidInput)
}

/// Sets a file's contents.
///
/// An existing file is overwritten rather than replaced: that needs no free space, so that a
/// workspace whose disk is full can still be opened, and it is faster. Whatever else a command
/// may have put there (a link, a pipe) is removed.
fn write(path: &str, contents: &str) -> Result<(), Error> {
    let failed = |cause: io::Error| Error::new(format!("write {path}"), cause);
    let file = open(path).or_else(|_| {
        fs::remove_file(path)?;
        open(path)
    });
    let mut file = file.map_err(failed)?;
    file.write_all(contents.as_bytes()).map_err(failed)?;
    file.set_len(contents.len() as u64).map_err(failed)
}

fn open(path: &str) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Returns `/etc/hosts`, if it is a file of reasonable size.
fn existing_hosts() -> String {
    match fs::symlink_metadata(Path::new(HOSTS)) {
        Ok(found) if found.is_file() && found.len() < 64 * 1024 => {
            fs::read_to_string(HOSTS).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Returns what `/etc/hosts` must hold: localhost, the machine's own name at 127.0.1.1 as Debian
/// does it, and whatever else is there already.
fn hosts(existing: &str, name: &str) -> String {
    let mut lines = String::new();
    let is_own = |line: &str| line.split_ascii_whitespace().next() == Some("127.0.1.1");
    let knows_localhost = existing
        .lines()
        .any(|line| line.split_ascii_whitespace().next() == Some("127.0.0.1"));
    if !knows_localhost {
        lines.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    }
    for line in existing.lines().filter(|line| !is_own(line)) {
        lines.push_str(line);
        lines.push('\n');
    }
    lines.push_str("127.0.1.1\t");
    lines.push_str(name);
    lines.push('\n');
    lines
}

fn is_hostname(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_decoded() {
        assert_eq!(decode_hex("00fFa1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(decode_hex(""), Some(Vec::new()));
        assert_eq!(decode_hex("0"), None);
        assert_eq!(decode_hex("0g"), None);
    }

    #[test]
    fn the_own_name_is_replaced_and_the_users_lines_stay() {
        let first = hosts("", "one");
        assert!(first.starts_with("127.0.0.1\tlocalhost\n"));
        assert!(first.ends_with("127.0.1.1\tone\n"));
        let edited = format!("{first}10.0.0.5 db\n");
        let second = hosts(&edited, "two");
        assert!(second.contains("10.0.0.5 db\n"));
        assert!(!second.contains("one"));
        assert_eq!(second.matches("localhost\n").count(), 1);
        assert_eq!(hosts(&second, "two"), second);
    }

    #[test]
    fn a_host_name_cannot_add_lines() {
        assert!(is_hostname("pyro-1a2b.local"));
        assert!(!is_hostname(""));
        assert!(!is_hostname("a\n10.0.0.1 evil"));
        assert!(!is_hostname(&"a".repeat(65)));
    }

    #[test]
    fn a_file_is_overwritten_and_a_link_replaced() {
        let directory = std::env::temp_dir().join(format!("pyro-guest-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("file");
        let path = path.to_str().unwrap();
        write(path, "something long\n").unwrap();
        write(path, "short\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "short\n");
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/nonexistent/target", path).unwrap();
        write(path, "own\n").unwrap();
        assert!(fs::symlink_metadata(path).unwrap().is_file());
        assert_eq!(fs::read_to_string(path).unwrap(), "own\n");
        fs::remove_dir_all(&directory).unwrap();
    }
}
