//! The *identity* of a machine: the data that must differ between machines, although they are
//! clones of the same memory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec};

use crate::error::{Error, Step as _};
use crate::network::{self, Devices};
use crate::server::Adoption;
use crate::sys::{self, FirstPage, MAX_ENTROPY_BYTES};

const HOSTNAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
const MACHINE_ID: &str = "/etc/machine-id";
const DBUS_MACHINE_ID: &str = "/var/lib/dbus/machine-id";
const RESOLVER: &str = "/etc/resolv.conf";

/// A larger `/etc/hosts` is not read.
const MAX_HOSTS_BYTES: usize = 64 * 1024;

const MIN_ENTROPY_BYTES: usize = 32;
const NANOSECONDS: u64 = 1_000_000_000;

/// The identity before the first adoption: as long as the host's names, so that the files need not
/// become shorter, which is slow.
const PLACEHOLDER_NAME: &str = "pyro-000000000000";
const PLACEHOLDER_ID: &str = "00000000000000000000000000000000";

/// The identity of a machine. Every clone waits for its adoption, which is short because all
/// preparation is done before: the files exist, and are open.
#[derive(Debug)]
pub(crate) struct Identity {
    random: File,
    devices: Devices,
    hostname: IdentityFile,
    hosts: IdentityFile,
    /// The other content of `/etc/hosts`.
    other_hosts: String,
    machine_id: IdentityFile,
    /// D-Bus's copy of the machine id, if there is one.
    dbus_machine_id: Option<IdentityFile>,
    resolver: IdentityFile,
    /// Whether the machine was adopted before: then it is about to become a template, or is a clone
    /// of one.
    adopted: bool,
}

impl Identity {
    /// Puts the files of the identity on the private disk.
    pub(crate) fn prepare() -> Result<Self, Error> {
        let devices = Devices::prepare()?;
        let random = File::open("/dev/urandom").step("open the source of entropy")?;
        rustix::system::sethostname(PLACEHOLDER_NAME.as_bytes()).step("set the host name")?;
        let hosts = IdentityFile::claim(HOSTS)?;
        let other_hosts = other_hosts(&hosts.contents());
        let mut identity = Self {
            random,
            devices,
            hostname: IdentityFile::claim(HOSTNAME)?,
            hosts,
            other_hosts,
            machine_id: IdentityFile::claim(MACHINE_ID)?,
            dbus_machine_id: IdentityFile::open(DBUS_MACHINE_ID, false).ok(),
            resolver: IdentityFile::claim(RESOLVER)?,
            adopted: false,
        };
        identity.write_name(PLACEHOLDER_NAME)?;
        identity.write_id(PLACEHOLDER_ID)?;
        // Without a name server the resolver asks 127.0.0.1, where nothing listens: it fails at
        // once.
        identity.resolver.overwrite("# no name server\n")?;
        Ok(identity)
    }

    /// Gives the machine its identity. Commands must not have changed the files.
    pub(crate) fn adopt(&mut self, adoption: &Adoption) -> Result<(), Error> {
        // First, because no random number may be generated before.
        add_entropy(&self.random, &adoption.entropy_hex)?;
        set_clock(adoption.unix_time_ns)?;

        let (name, id) = (&adoption.hostname, &adoption.machine_id);
        if !is_hostname(name) {
            return Err(invalid("read the host name"));
        }
        if !(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            return Err(invalid("read the machine-id"));
        }
        rustix::system::sethostname(name.as_bytes()).step("set the host name")?;
        self.write_name(name)?;
        self.write_id(&id.to_ascii_lowercase())?;
        let network = adoption.network.as_ref();
        self.devices.connect(adoption.mac.as_deref(), network)?;
        self.adopted = true;
        match network {
            Some(network) => self.resolver.overwrite(&network::resolver(network)),
            None => Ok(()),
        }
    }

    fn write_name(&mut self, name: &str) -> Result<(), Error> {
        let again = self.adopted;
        self.hostname.write(&format!("{name}\n"), again)?;
        // Debian's way to resolve the machine's own name without a network.
        let hosts = format!("{}127.0.1.1\t{name}\n", self.other_hosts);
        self.hosts.write(&hosts, again)
    }

    fn write_id(&mut self, id: &str) -> Result<(), Error> {
        let id = format!("{id}\n");
        if let Some(file) = &mut self.dbus_machine_id {
            file.write(&id, self.adopted)?;
        }
        self.machine_id.write(&id, self.adopted)
    }
}

/// Gives a machine that is only read what it needs of an identity: no files, and no network.
pub(crate) fn adopt_without_files(adoption: &Adoption) -> Result<(), Error> {
    let random = File::open("/dev/urandom").step("open the source of entropy")?;
    add_entropy(&random, &adoption.entropy_hex)?;
    set_clock(adoption.unix_time_ns)
}

/// Mixes the host's entropy into all random numbers from now on.
fn add_entropy(random: &File, hex: &str) -> Result<(), Error> {
    let entropy = decode_hex(hex)
        .filter(|bytes| (MIN_ENTROPY_BYTES..=MAX_ENTROPY_BYTES).contains(&bytes.len()))
        .ok_or_else(|| invalid("read the entropy"))?;
    sys::reseed(random, &entropy).step("add entropy")
}

/// Sets the clock.
pub(crate) fn set_clock(unix_time_ns: u64) -> Result<(), Error> {
    let now = Timespec {
        tv_sec: i64::try_from(unix_time_ns / NANOSECONDS).map_err(|_| invalid("read the time"))?,
        tv_nsec: i64::try_from(unix_time_ns % NANOSECONDS).map_err(|_| invalid("read the time"))?,
    };
    rustix::time::clock_settime(ClockId::Realtime, now).step("set the clock")
}

/// Returns the wall clock, in nanoseconds since the Unix epoch.
pub(crate) fn clock() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Realtime);
    let nanoseconds = i128::from(now.tv_sec) * i128::from(NANOSECONDS) + i128::from(now.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or_default()
}

fn invalid(step: &str) -> Error {
    Error::new(step, io::ErrorKind::InvalidInput)
}

/// An open file, its path, and its length.
#[derive(Debug)]
struct IdentityFile {
    path: &'static str,
    file: File,
    length: u64,
    /// Its first page, mapped into the agent's memory.
    page: FirstPage,
}

impl IdentityFile {
    /// Opens a file, and makes it if it does not exist. Removes any other kind of file (a link, a
    /// pipe, a directory) that an image or a command of an earlier machine may have put there.
    fn claim(path: &'static str) -> Result<Self, Error> {
        Self::open(path, true)
            .or_else(|_| {
                if fs::symlink_metadata(path)?.is_dir() {
                    fs::remove_dir_all(path)?;
                } else {
                    fs::remove_file(path)?;
                }
                Self::open(path, true)
            })
            .map_err(|cause| Error::new(format!("open {path}"), cause))
    }

    fn open(path: &'static str, create: bool) -> io::Result<Self> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .mode(0o644)
            .custom_flags(flags.bits().cast_signed())
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self {
            path,
            length: found.len(),
            page: FirstPage::map(&file)?,
            file,
        })
    }

    /// Returns the contents, if they are text of reasonable size.
    fn contents(&self) -> String {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        if length > MAX_HOSTS_BYTES {
            return String::new();
        }
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, 0);
        read.ok()
            .and_then(|()| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Sets the contents; `again` if they were set before in this machine or its template.
    fn write(&mut self, contents: &str, again: bool) -> Result<(), Error> {
        if again && self.length == contents.len() as u64 && contents.len() <= FirstPage::BYTES {
            // The second write makes the page writable, before the template is saved. So for the
            // third one, in the clone, the kernel has nothing to do and nothing can fail.
            self.page.write(contents.as_bytes());
            return Ok(());
        }
        self.overwrite(contents)
    }

    /// Sets the contents.
    ///
    /// The file is overwritten rather than replaced: that needs no free space, so that a workspace
    /// whose disk is full can still be opened, and it is faster.
    fn overwrite(&mut self, contents: &str) -> Result<(), Error> {
        self.try_overwrite(contents)
            .map_err(|cause| Error::new(format!("write {}", self.path), cause))
    }

    fn try_overwrite(&mut self, contents: &str) -> io::Result<()> {
        self.file.write_all_at(contents.as_bytes(), 0)?;
        let length = contents.len() as u64;
        // Only if necessary: no other step of a clone shortens a file.
        if self.length > length {
            self.file.set_len(length)?;
        }
        self.length = length;
        Ok(())
    }
}

/// Returns the lines that `/etc/hosts` must have besides the machine's own name: localhost, and the
/// other existing lines.
fn other_hosts(existing: &str) -> String {
    let address = |line: &str| line.split_ascii_whitespace().next().map(str::to_owned);
    let mut lines = String::new();
    if !existing
        .lines()
        .any(|line| address(line).as_deref() == Some("127.0.0.1"))
    {
        lines.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    }
    for line in existing.lines() {
        if address(line).as_deref() != Some("127.0.1.1") {
            lines.push_str(line);
            lines.push('\n');
        }
    }
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
    fn entropy_that_is_not_taken_is_an_error() {
        let not_random = File::open("/dev/null").unwrap();
        for (hex, expected) in [
            ("5a".repeat(MIN_ENTROPY_BYTES), "cannot add entropy"),
            (
                "5a".repeat(MIN_ENTROPY_BYTES - 1),
                "cannot read the entropy",
            ),
            (
                "5a".repeat(MAX_ENTROPY_BYTES + 1),
                "cannot read the entropy",
            ),
            ("no".repeat(MIN_ENTROPY_BYTES), "cannot read the entropy"),
        ] {
            let error = add_entropy(&not_random, &hex).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn hexadecimal_is_decoded() {
        assert_eq!(decode_hex("00fFa1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(decode_hex(""), Some(Vec::new()));
        assert_eq!(decode_hex("0"), None);
        assert_eq!(decode_hex("0g"), None);
    }

    #[test]
    fn the_own_name_is_replaced_and_the_users_lines_stay() {
        let first = other_hosts("");
        assert!(first.starts_with("127.0.0.1\tlocalhost\n"));
        let edited = format!("{first}127.0.1.1\tone\n10.0.0.5 db\n");
        let second = other_hosts(&edited);
        assert!(second.contains("10.0.0.5 db\n"));
        assert!(!second.contains("one"));
        assert_eq!(second.matches("localhost\n").count(), 1);
        assert_eq!(other_hosts(&second), second);
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
        let path: &'static str = directory.join("file").to_str().unwrap().to_owned().leak();
        let read = || fs::read_to_string(path).unwrap();
        let mut file = IdentityFile::claim(path).unwrap();
        for again in [false, true] {
            for contents in ["short\n", "shore\n", "something long\n", "own\n"] {
                file.write(contents, again).unwrap();
                assert_eq!(read(), contents);
            }
        }
        assert_eq!(IdentityFile::claim(path).unwrap().contents(), "own\n");
        fs::remove_file(path).unwrap();
        assert!(IdentityFile::open(path, false).is_err());
        std::os::unix::fs::symlink("/nonexistent/target", path).unwrap();
        IdentityFile::claim(path)
            .unwrap()
            .overwrite("own\n")
            .unwrap();
        assert!(fs::symlink_metadata(path).unwrap().is_file());
        assert_eq!(read(), "own\n");
        fs::remove_dir_all(&directory).unwrap();
    }
}
