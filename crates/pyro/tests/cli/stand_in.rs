//! A *stand-in* for the host's network: a network namespace of the test, with its own addresses,
//! name server and services.

#![expect(unsafe_code, reason = "a thread gets a network of its own")]

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// The host's addresses in it; guests treat the second as another host.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// The value of `PYRO_NETWORK_ALLOW` with which guests can reach both.
pub(crate) const ALLOWED: &str = "198.51.100.0/24";
/// The address in all answers of its name server.
pub(crate) const ANSWER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

const SET_UP: &str = "mount --make-rprivate / && mount --bind \"$0\" /etc/resolv.conf && \
                      ip link set lo up && ip link add eth0 type veth peer name far && \
                      ip link set far up && ip link set eth0 up && \
                      ip addr add 198.51.100.2/24 dev eth0 && \
                      ip addr add 198.51.100.3/24 dev eth0 && \
                      ip route add default via 198.51.100.1";

/// Why it cannot be created here.
pub(crate) fn missing() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can make a network");
    }
    let works = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", SET_UP, "/etc/hostname"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !works {
        return Some("no network can be made with unshare and ip");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join("passt").exists());
    (!found).then_some("passt is not installed")
}

/// Runs a function in a new network namespace. Processes that it starts are also in it.
pub(crate) fn within<R: Send>(directory: &Path, body: impl FnOnce() -> R + Send) -> R {
    let configuration = directory.join("resolv.conf");
    fs::write(&configuration, "nameserver 127.0.0.53\n").unwrap();
    let enter = || {
        let own = UnshareFlags::NEWNET | UnshareFlags::NEWNS | UnshareFlags::FS;
        // SAFETY: no descriptors are taken from this thread, whose alone the namespaces are.
        unsafe { unshare_unsafe(own) }.unwrap();
        let set_up = Command::new("sh")
            .args(["-c", SET_UP])
            .arg(&configuration)
            .output()
            .unwrap();
        assert!(set_up.status.success(), "{set_up:?}");
        body()
    };
    thread::scope(|scope| match scope.spawn(enter).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// The name server of such a network. It ends with the test's process.
pub(crate) struct NameServer {
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.53:53").unwrap();
        let received = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let message = buffer[..length].to_vec();
                if let Some(answer) = answer_to(&message) {
                    let _ = socket.send_to(&answer, from);
                }
                kept.lock().unwrap().push(message);
            }
        });
        Self { received }
    }

    /// All queries that it has received.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().unwrap().clone()
    }
}

/// Answers a query for an address with this address.
fn answer_to(question: &[u8]) -> Option<Vec<u8>> {
    let name = question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let end = 12 + name + 5;
    let mut answer = question.get(..end)?.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    let asks_for_address = answer[end - 4..end] == [0, 1, 0, 1];
    answer[6..12].copy_from_slice(&[0, u8::from(asks_for_address), 0, 0, 0, 0]);
    if asks_for_address {
        answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
        answer.extend(ANSWER.octets());
    }
    Some(answer)
}

/// The local ports of this network's datagram or listening sockets.
pub(crate) fn own_ports(table: &str, state: &str) -> Vec<u16> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
    let port = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = words[1].split_once(':').unwrap();
        (words[3] == state).then(|| u16::from_str_radix(port, 16).unwrap())
    };
    text.lines().skip(1).filter_map(port).collect()
}
