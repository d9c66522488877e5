//! A *parked* machine is a clone that is kept ready, one ahead: restored, warmed up by throw-away
//! commands, and paused. It has never run a user's command, is handed out once, and then gets an
//! identity of its own.
//!
//! Its keeper is a process of its own. A process that wants the machine connects to the keeper's
//! socket and receives the guest's connection. The machine lives as long as that connection, or
//! until it was not claimed in time. The keeper then ends it, without delaying its user.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyro_store::{MachineDirectory, SocketDirectory, VmId, create_private_directory};
use rustix::fs::OFlags;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::geteuid;

/// The limit for one user.
const COUNT_LIMIT: usize = 2;
/// The memory of one machine, generously, in KiB; at most an eighth of the free memory may be used.
const ESTIMATED_KIB: u64 = 160 * 1024;
const FREE_SHARE: u64 = 8;
/// The socket's name in the machine's directory, before it is offered.
const OFFER: &str = "offer.sock";
/// A keeper that listens answers at once.
const CLAIM_LIMIT: Duration = Duration::from_secs(2);

/// How often a lock is tried that may only be held for a check, and the pause between tries.
const LOOKS: u32 = 4;
const LOOKING: Duration = Duration::from_millis(1);

/// The directory of a user's parked machines.
#[derive(Debug)]
pub(crate) struct ParkedPool {
    directory: PathBuf,
}

/// The right to park one machine of a kind.
#[derive(Debug)]
pub(crate) struct ParkingSlot {
    socket: PathBuf,
    /// Held until the machine is handed out: there is one of each kind at a time.
    _lock: File,
}

/// A machine that was handed out.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Its id.
    pub(crate) id: VmId,
    /// The guest's connection.
    pub(crate) agent: UnixStream,
    /// The connection to the keeper: the machine lives as long as this is open.
    pub(crate) lease: UnixStream,
}

impl ParkedPool {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Claims the parked machine of this kind, if there is one.
    pub(crate) fn claim(&self, key: &str) -> Option<Claim> {
        let path = self.socket(key);
        let connect = || {
            let short = SocketDirectory::open(&self.directory)?;
            UnixStream::connect(short.path(&socket_name(key)))
        };
        let lease = match connect() {
            Ok(lease) if is_ours(&lease) => lease,
            Ok(_) => {
                tracing::warn!(path = %path.display(), "somebody else offers a machine here");
                return None;
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    self.remove_dead(key, &path);
                }
                return None;
            }
        };
        receive(lease)
            .inspect_err(|error| tracing::debug!(%error, "a parked machine was not handed out"))
            .ok()
    }

    /// Removes the socket of a keeper that died, while holding the lock: another keeper may be
    /// about to place its own there.
    fn remove_dead(&self, key: &str, path: &Path) {
        let lock = open_lock(&self.directory.join(format!("{key}.lock")));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok() && fs::remove_file(path).is_err()) {
            tracing::debug!("the socket of a parked machine that is gone cannot be removed");
        }
    }

    /// Takes the parking slot for this kind, unless it is taken or the limits are reached.
    pub(crate) fn place(&self, key: &str) -> io::Result<Option<ParkingSlot>> {
        if !memory_allows() || self.count() >= COUNT_LIMIT {
            return Ok(None);
        }
        create_private_directory(&self.directory).map_err(io::Error::other)?;
        let lock = open_lock(&self.directory.join(format!("{key}.lock")))?;
        if !take(&lock) {
            return Ok(None);
        }
        Ok(Some(ParkingSlot {
            socket: self.socket(key),
            _lock: lock,
        }))
    }

    /// How many machines are parked, or about to be.
    pub(crate) fn count(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return 0;
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "lock")
            })
            .filter(|path| open_lock(path).is_ok_and(|lock| lock.try_lock().is_err()))
            .count()
    }

    fn socket(&self, key: &str) -> PathBuf {
        self.directory.join(socket_name(key))
    }
}

fn socket_name(key: &str) -> String {
    format!("{key}.sock")
}

impl Drop for ParkingSlot {
    fn drop(&mut self) {
        // The offer has ended early, perhaps because the keeper must exit. The lock is still held,
        // so the socket is not another keeper's.
        let _ = fs::remove_file(&self.socket);
    }
}

impl ParkingSlot {
    /// Offers a machine for `idle`; returns the lease of the process that claimed it. `resume` is
    /// called before it is handed out.
    pub(crate) async fn offer(
        self,
        directory: &MachineDirectory,
        agent: &UnixStream,
        idle: Duration,
        resume: impl AsyncFnOnce() -> io::Result<()>,
    ) -> io::Result<Option<UnixStream>> {
        // The socket is moved into place only once it listens.
        let hidden = directory.path().join(OFFER);
        let short = SocketDirectory::open(directory.path())?;
        let listener = UnixListener::bind(short.path(OFFER))?;
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
        fs::rename(&hidden, &self.socket)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let accepted = tokio::time::timeout(idle, listener.accept()).await;
        // No further claims; a process that connects now gets an error and starts without.
        fs::remove_file(&self.socket)?;
        drop(listener);
        let Ok(accepted) = accepted else {
            return Ok(None);
        };
        let lease = accepted?.0.into_std()?;
        lease.set_nonblocking(false)?;
        resume().await?;
        pass_machine(&lease, directory.id(), agent)?;
        Ok(Some(lease))
    }
}

/// Whether the process at the other end is this user's.
fn is_ours(connection: &UnixStream) -> bool {
    socket_peercred(connection).is_ok_and(|peer| peer.uid == geteuid())
}

/// Waits until the other side closes the lease.
pub(crate) async fn until_released(mut lease: UnixStream) {
    // No data is ever sent on it.
    let waited = tokio::task::spawn_blocking(move || lease.read(&mut [0]));
    let _ = waited.await;
}

fn pass_machine(lease: &UnixStream, id: &VmId, agent: &UnixStream) -> io::Result<()> {
    let descriptors = [agent.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let parts = [IoSlice::new(id.as_str().as_bytes())];
    sendmsg(lease, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(lease: UnixStream) -> io::Result<Claim> {
    lease.set_read_timeout(Some(CLAIM_LIMIT))?;
    let mut text = [0; 12];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        &lease,
        &mut [IoSliceMut::new(&mut text)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let agent = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let id = std::str::from_utf8(&text[..received.bytes])
        .ok()
        .and_then(VmId::parse);
    match (id, agent) {
        (Some(id), Some(agent)) => Ok(Claim {
            id,
            agent: UnixStream::from(agent),
            lease,
        }),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Whether a parked machine would take only a small share of the free memory.
fn memory_allows() -> bool {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    available_kib(&meminfo).is_some_and(|free| ESTIMATED_KIB * FREE_SHARE <= free)
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Takes a lock, unless it is held for longer than a check takes.
fn take(lock: &File) -> bool {
    for _ in 0..LOOKS {
        if lock.try_lock().is_ok() {
            return true;
        }
        std::thread::sleep(LOOKING);
    }
    false
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read() {
        let meminfo = "MemTotal:       24684096 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(available_kib(meminfo), Some(23_000_000));
        assert_eq!(available_kib(""), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_machine_is_handed_out_once_and_lives_as_long_as_its_lease() {
        let base = tempfile::tempdir().unwrap();
        let parked_pool = ParkedPool::new(base.path().join("parked"));
        assert!(parked_pool.claim("kind").is_none());
        let place = parked_pool.place("kind").unwrap().unwrap();
        assert!(
            parked_pool.place("kind").unwrap().is_none(),
            "one of a kind"
        );
        assert_eq!(parked_pool.count(), 1);

        let directory = MachineDirectory::create(&base.path().join("vms")).unwrap();
        let id = directory.id().clone();
        let (guest, host) = UnixStream::pair().unwrap();
        let holder = tokio::spawn(async move {
            let idle = Duration::from_secs(60);
            let lease = place
                .offer(&directory, &host, idle, async || Ok(()))
                .await
                .unwrap();
            until_released(lease.unwrap()).await;
        });
        let claim = loop {
            if let Some(claim) = parked_pool.claim("kind") {
                break claim;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(claim.id, id);
        io::Write::write_all(&mut &claim.agent, b"hello").unwrap();
        let mut heard = [0; 5];
        (&guest).read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        assert!(parked_pool.claim("kind").is_none());
        assert!(!holder.is_finished());
        drop(claim.lease);
        holder.await.unwrap();
        assert_eq!(parked_pool.count(), 0);
    }

    #[tokio::test]
    async fn nobody_comes() {
        let base = tempfile::tempdir().unwrap();
        let parked_pool = ParkedPool::new(base.path().join("parked"));
        let place = parked_pool.place("kind").unwrap().unwrap();
        let directory = MachineDirectory::create(&base.path().join("vms")).unwrap();
        let (_, host) = UnixStream::pair().unwrap();
        let idle = Duration::from_millis(1);
        let lease = place
            .offer(&directory, &host, idle, async || Ok(()))
            .await
            .unwrap();
        assert!(lease.is_none());
        assert!(!parked_pool.socket("kind").exists());
    }
}
