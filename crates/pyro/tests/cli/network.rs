//! The network: what a guest can reach with and without it, and that nothing is left over.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::{TestContext, debian, path_with};
use crate::process::Running;
use crate::skip;
use crate::templates::{has, phases, wait_until, with_shared_template};

/// Connects to each of its arguments and prints which ones answered.
const TRY: &str = "for to; do timeout 5 bash -c \"exec 3<>/dev/tcp/$to\" 2>/dev/null \
                   && echo reached $to; done; echo tried";

/// A service on all addresses of this host.
struct Service {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&visits);
        thread::spawn(move || {
            for _ in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, visits }
    }

    /// Fails unless there were this many connections since the last check.
    #[track_caller]
    fn had(&self, visits: usize) {
        wait_until("they are counted", || {
            self.visits.load(Ordering::SeqCst) >= visits
        });
        assert_eq!(self.visits.swap(0, Ordering::SeqCst), visits);
    }
}

/// The source address of this host's default route, if there is one. Nothing is sent.
pub(crate) fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().unwrap().ip())
}

/// Why no guest can have a network here.
pub(crate) fn missing() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("passt").exists()) {
        return Some("passt is not installed");
    }
    own_address().is_none().then_some("this host has no route")
}

#[test]
fn the_host_is_out_of_reach_with_a_network_and_without() {
    const TEST: &str = "the_host_is_out_of_reach_with_a_network_and_without";
    if let Some(why) = missing() {
        skip!(TEST, "{why}");
    }
    let context = TestContext::with(debian());
    let service = Service::start();
    let own = own_address().unwrap();
    TcpStream::connect((own, service.port)).unwrap();
    service.had(1);
    let port = service.port;
    let mut places: Vec<String> = ["127.0.0.1", "10.0.2.2", "10.0.2.3", "169.254.169.254"]
        .map(|address| format!("{address}/{port}"))
        .into();
    places.push(format!("{own}/{port}"));
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let run = |options: &[&str], allowed: &str| {
        let run = context.debian(options).args(&["--timeout-seconds", "120"]);
        run.args(&["--", "bash", "-c", TRY, "bash"])
            .args(&places)
            .env("PYRO_NETWORK_ALLOW", allowed)
            .run()
            .expect(0)
            .out()
    };
    assert_eq!(run(&[], ""), "tried\n");
    assert_eq!(run(&["--network"], ""), "tried\n");
    assert_eq!(run(&["--network", "--cold"], ""), "tried\n");
    service.had(0);
    // Reachable if allowed; but allowing it has no effect without a network.
    let opened = format!("{own}:{port}");
    let reached = format!("reached {own}/{port}\ntried\n");
    assert_eq!(run(&["--network"], &opened), reached);
    service.had(1);
    assert_eq!(run(&[], &opened), "tried\n");
    let other_port = format!("{own}:{}", if port == 1 { 2 } else { 1 });
    assert_eq!(run(&["--network"], &other_port), "tried\n");
    service.had(0);
}

#[test]
fn what_the_host_sends_itself_reaches_no_guest() {
    const TEST: &str = "what_the_host_sends_itself_reaches_no_guest";
    // Sends a datagram from a port, and prints the first reply.
    const SEND: &str = "use IO::Socket::INET; my ($own, $to, $port) = @ARGV; \
                        my $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => $own) or die; \
                        send $s, 'question', 0, sockaddr_in($port, inet_aton($to)) or die; \
                        recv $s, my $got, 99, 0; print $got";
    if let Some(why) = missing() {
        skip!(TEST, "{why}");
    }
    let context = TestContext::with(debian());
    let own = own_address().unwrap();
    let service = UdpSocket::bind((own, 0)).unwrap();
    service
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let to = service.local_addr().unwrap();
    let run = context.debian(&["--network", "--timeout-seconds", "120", "--", "perl", "-e"]);
    let run = run
        .args(&[SEND, "45678", &own.to_string(), &to.port().to_string()])
        .env("PYRO_NETWORK_ALLOW", to.to_string())
        .start();
    let mut question = [0; 99];
    let (length, guest) = service.recv_from(&mut question).unwrap();
    assert_eq!(&question[..length], b"question");
    assert_eq!(guest.port(), 45678, "passt takes the port on the host");
    // To the same port, but from an address that the guest may not reach.
    let local = UdpSocket::bind("127.0.0.1:0").unwrap();
    local
        .send_to(b"secret", ("127.0.0.1", guest.port()))
        .unwrap();
    let other = UdpSocket::bind((own, 0)).unwrap();
    other.send_to(b"secret", guest).unwrap();
    service.send_to(b"answer", guest).unwrap();
    run.finish().expect(0).out_is("answer");
}

#[test]
fn names_are_resolved_and_packages_are_found() {
    const TEST: &str = "names_are_resolved_and_packages_are_found";
    if let Some(why) = missing() {
        skip!(TEST, "{why}");
    }
    let mirrors = mirrors();
    let reachable = |(_, addresses): &&(String, Vec<IpAddr>)| {
        addresses.iter().any(|address| {
            let to = (*address, 80).into();
            TcpStream::connect_timeout(&to, Duration::from_secs(5)).is_ok()
        })
    };
    let Some((name, _)) = mirrors.iter().find(reachable) else {
        skip!(
            TEST,
            "this host does not reach its package mirror: {mirrors:?}"
        );
    };
    let context = TestContext::with(debian());
    // A mirror may be in a private network, which guests cannot reach.
    let allowed: BTreeSet<String> = mirrors
        .iter()
        .flat_map(|(_, addresses)| addresses)
        .filter(|address| address.is_ipv4())
        .map(ToString::to_string)
        .collect();
    let allowed: Vec<String> = allowed.into_iter().collect();
    let script = "getent hosts $0 && apt-get update";
    let run = context.debian(&["--network", "--timeout-seconds", "280", "--", "sh", "-c"]);
    let run = run
        .args(&[script, name])
        .env("PYRO_NETWORK_ALLOW", allowed.join(","));
    let run = run.run().expect(0).err_lacks("Err:");
    assert!(run.out().contains(name), "{run:?}");
    assert!(run.out().contains("Reading package lists"), "{run:?}");

    let offline = context
        .shell(&format!("getent hosts {name}; echo $?"))
        .run();
    assert_eq!(
        offline.expect(0).out(),
        "2\n",
        "getent's word for not found"
    );
}

/// The hosts of this machine's package mirrors, and their addresses.
pub(crate) fn mirrors() -> Vec<(String, Vec<IpAddr>)> {
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .output();
    let targets = targets.map(|output| output.stdout).unwrap_or_default();
    let hosts: BTreeSet<String> = String::from_utf8_lossy(&targets)
        .lines()
        .filter_map(|uri| uri.strip_prefix("http://"))
        .filter_map(|rest| Some(rest.split('/').next()?.to_owned()))
        .filter(|host| host.contains("debian") && !host.contains(':'))
        .collect();
    let resolve = |host: String| {
        let addresses = (host.as_str(), 80).to_socket_addrs();
        let addresses = addresses.into_iter().flatten().map(|found| found.ip());
        let addresses = addresses.collect();
        (host, addresses)
    };
    hosts.into_iter().map(resolve).collect()
}

#[test]
fn all_are_clones_of_one_template_with_cards_of_their_own() {
    const TEST: &str = "all_are_clones_of_one_template_with_cards_of_their_own";
    if let Some(why) = missing() {
        skip!(TEST, "{why}");
    }
    let context = with_shared_template();
    let mut cards = BTreeSet::new();
    let script = "cat /sys/class/net/eth0/address; wc -l < /proc/net/route; \
                  cat /etc/resolv.conf; cat /sys/class/net/eth0/carrier 2>&1 | tail -c 2";
    for options in [&[][..], &[], &["--network"], &["--network"]] {
        let run = context.debian(&["--trace"]).args(options);
        let run = run.args(&["--", "sh", "-c", script]).run().expect(0);
        assert!(has(&phases(&run), "restore"), "{run:?}");
        let out = run.out();
        let (card, rest) = out.split_once('\n').unwrap();
        let expected = match options {
            [] => "1\n# no name server\nt\n",
            _ => "3\nnameserver 10.0.2.3\n1\n",
        };
        assert_eq!(rest, expected);
        let first = u8::from_str_radix(&card[..2], 16).unwrap();
        assert_eq!(first & 3, 2, "{card} is one device's, given by nobody");
        assert!(cards.insert(card.to_owned()), "{card} twice");
    }
}

#[test]
fn nothing_stays_of_a_network() {
    const TEST: &str = "nothing_stays_of_a_network";
    if let Some(why) = missing() {
        skip!(TEST, "{why}");
    }
    let context = TestContext::with(debian());
    for signal in [Signal::KILL, Signal::TERM] {
        let script = "echo up; exec sleep 100";
        let mut run = context
            .debian(&["--network", "--", "sh", "-c", script])
            .start();
        run.wait_for_stdout("up");
        let passt = passt_of(&run).expect("passt is a child of its machine's owner");
        run.signal(signal);
        run.finish();
        wait_until("passt is gone", || !is_passt(passt));
        context.pyro(&["env", "list"]).run().expect(0);
        context.assert_nothing_is_left();
    }
}

/// The passt process of this run.
fn passt_of(run: &Running) -> Option<u32> {
    let children = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let parent = format!("PPid:\t{}\n", run.pid());
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(children)
        .find(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status"));
            is_passt(*pid) && status.is_ok_and(|status| status.contains(&parent))
        })
}

fn is_passt(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("passt"))
}

#[test]
fn who_cannot_have_a_network_gets_no_machine() {
    let context = TestContext::with(debian());
    let ask = |path: &str| {
        let run = context.debian(&["--json", "--network", "--allow-host-compat", "--", "true"]);
        run.env("PATH", path).run()
    };
    let only_qemu = context.path("only-qemu");
    fs::create_dir(&only_qemu).unwrap();
    symlink(
        "/usr/bin/qemu-system-x86_64",
        only_qemu.join("qemu-system-x86_64"),
    )
    .unwrap();
    let error = ask(only_qemu.to_str().unwrap()).json_error("passt_missing", true);
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("apt-get install passt"), "{error:#}");
    assert!(!context.base().join("vms").exists(), "it started nothing");
    let doctor = context.pyro(&["doctor"]).env("PATH", &only_qemu).run();
    assert!(doctor.out().contains("guest_network=no"), "{doctor:?}");
    assert!(doctor.out().contains("passt"), "{doctor:?}");

    let broken = context.fake("passt", "echo this user may not >&2; exit 1");
    let error = ask(&path_with(&broken)).json_error("network_unavailable", true);
    let message = error["error"].as_str().unwrap();
    assert!(message.contains("this user may not"), "{error:#}");
}
