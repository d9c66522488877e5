//! The cell from inside: pyro starts a stand-in for the VMM, which attempts what code that has
//! escaped from a guest would attempt. Each attempt is also made without a cell, where it must
//! succeed: otherwise it would prove nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::{PYRO, TestContext, debian, directory_of, path_with};
use crate::environments::copy_cache;
use crate::process::Running;
use crate::skip;

const ORDINARY: u32 = 7001;

/// The permitted attempts of the VMM, and why they are harmless.
const HARMLESS: &[(&str, &str)] = &[(
    "read what everybody may: the loader's cache",
    "it is started with it",
)];

/// Without Landlock, the VMM can list its own root directory: empty directories that lead to the
/// machine's files.
const HARMLESS_IN_ITS_ROOT: &[&str] = &["list other machines", "list the host's temporary files"];

/// The attempts that passt must never succeed with. It needs files, sockets and namespaces to
/// create its own sandbox, but none of these.
const REFUSED_TO_PASST: &[&str] = &[
    "signal another process",
    "signal another process's thread",
    "queue a signal",
    "trace another process",
    "read another process's memory",
    "read the memory of another process",
    "take another process's file",
    "compare with another process",
    "connect to an abstract socket",
    "write a file of 100 GiB",
    "open a file by its handle",
    "open 1,000 files and more",
    "have core dumps",
    "listen on a port that was chosen",
    "load a module",
    "replace the kernel",
    "reboot",
    "swap to a file",
    "set the clock",
    "adjust the clock",
    "read the kernel's log",
    "reach ports of the processor",
    "load a program into the kernel (bpf)",
    "measure the kernel (perf)",
    "use io_uring",
    "use userfaultfd",
    "use the kernel's keys",
    "watch all files",
];

/// The attempts that also fail without a cell, because of this host or of the attempt itself.
const NEVER: &[(&str, &str)] = &[
    ("open /dev/mem", "many kernels have none"),
    (
        "reach ports of the processor",
        "some kernels do not let anybody",
    ),
    (
        "have others trace this process",
        "some kernels have no such module",
    ),
    ("open the user's terminal", "tests have none"),
    (
        "open /dev/vda",
        "not all disks are called that, and containers may not open them",
    ),
    ("load a module", "some kernels have none"),
    ("replace the kernel", "some kernels cannot be"),
    ("reboot", "containers may not"),
    ("swap to a file", "containers may not"),
    (
        "join another control group",
        "there are two kinds, at different places",
    ),
    ("measure the kernel (perf)", "some kernels do not"),
    ("make a socket: vsock", "some kernels have none"),
    ("make a socket: IPv6", "some hosts have none"),
    (
        "set an attribute of the user's file",
        "some file systems have none",
    ),
    ("press a system key", "some kernels have none"),
    ("write core_pattern", "containers may not"),
    ("set the clock", "containers may not"),
    ("adjust the clock", "containers may not"),
    ("read the kernel's log", "containers may not"),
];

/// The targets of the attempts on the host, and a victim process.
struct Host {
    context: TestContext,
    user: u32,
    victim: Child,
    program: PathBuf,
    _listening: (TcpListener, UnixListener, UnixListener),
    workspace: String,
}

impl Host {
    /// `None` if this program was built without the stand-in.
    fn new(user: u32, name: &str) -> Option<Self> {
        let probe = option_env!("CARGO_BIN_EXE_pyro-probe")?;
        let shared = TestContext::with(debian());
        let context = TestContext::new().with_own_cache();
        copy_cache(&shared, &context, &directory_of(debian()));
        let home = context.path("home");
        for (file, mode) in [
            ("secret", 0o600),
            (".profile", 0o644),
            ("renamed", 0o600),
            ("removed", 0o600),
        ] {
            fs::write(home.join(file), "something").unwrap();
            fs::set_permissions(home.join(file), fs::Permissions::from_mode(mode)).unwrap();
        }
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let unix = UnixListener::bind(home.join("agent.sock")).unwrap();
        // Several tests may run in one process, or in processes with the same number.
        let own = context.directory().file_name().unwrap();
        let abstract_name = format!("pyro-probe-{}", own.display());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let hidden = UnixListener::bind_addr(&address).unwrap();
        for path in [
            context.directory(),
            &home,
            &context.path("tmp"),
            context.cache(),
        ] {
            give(path, user);
        }
        // Another user may have no access to the build directory, for example below root's home.
        fs::copy(PYRO, context.path("pyro")).unwrap();
        let mut victim = Command::new("sleep");
        victim.arg("1000").uid(user).gid(user);
        let victim = victim.spawn().unwrap();
        let address = first_mapping(victim.id());

        let mut host = Self {
            program: context.path("fake"),
            context,
            user,
            victim,
            _listening: (tcp, unix, hidden),
            workspace: String::new(),
        };
        let created = host
            .pyro(&["workspace", "create", debian(), "--json"])
            .run();
        let created = created.expect(0).json();
        let id = created["workspace_id"].as_str().unwrap();
        id.clone_into(&mut host.workspace);
        let exec = [
            "workspace",
            "exec",
            &host.workspace,
            "--",
            "echo",
            "a neighbour",
        ];
        host.pyro(&exec).run().expect(0);
        let config = host.config(port, &abstract_name, address);
        let named = host.program.join(name);
        fs::create_dir_all(&host.program).unwrap();
        fs::copy(probe, &named).unwrap();
        let mut program = File::options().append(true).open(&named).unwrap();
        write!(program, "\nPROBE-CONFIG:{config}").unwrap();
        drop(program);
        give(&host.program, user);
        Some(host)
    }

    fn config(&self, port: u16, abstract_name: &str, address: u64) -> Value {
        let (base, cache) = (self.context.base(), self.context.cache());
        let home = self.context.path("home");
        let other = base.join("workspaces").join(&self.workspace);
        let templates = fs::read_dir(cache.join("templates")).unwrap().flatten();
        let template = templates
            .map(|entry| entry.path())
            .find(|path| path.is_dir())
            .unwrap();
        let environment = cache.join("linux-x86_64").join(directory_of(debian()));
        json!({
            "secret": home.join("secret"), "profile": home.join(".profile"), "home": home,
            "renamed": home.join("renamed"), "removed": home.join("removed"),
            "other_disk": other.join("disk.ext4"), "other_record": other.join("record.json"),
            "other_log": other.join("history/000001/stdout"),
            "supervisor": other.join("supervisor.sock"),
            "vms": base.join("vms"), "facts": base.join("host.json"),
            "template": template.join("memory"), "rootfs": environment.join("rootfs.erofs"),
            "kernel": environment.join("vmlinux"),
            "manifest": environment.join("environment.json"),
            "victim": self.victim.id(), "victim_address": address,
            "victim_memory": format!("/proc/{}/mem", self.victim.id()),
            "victim_environment": format!("/proc/{}/environ", self.victim.id()),
            "unix_socket": home.join("agent.sock"), "abstract": abstract_name, "port": port,
            "cgroup": "/sys/fs/cgroup/cgroup.procs",
        })
    }

    fn pyro(&self, arguments: &[&str]) -> crate::process::Pyro {
        let program = self.context.path("pyro");
        let pyro = self.context.program(&program).args(arguments);
        pyro.user(self.user, self.user)
    }

    /// The attempts that succeed in the cell. The stand-in reports on its machine's disk.
    fn in_the_cell(&self, cell: &str) -> Report {
        let run = self.pyro(&["run", debian(), "--cold", "--", "true"]);
        let run = run
            .env("PATH", path_with(&self.program))
            .env("PYRO_TEST_CELL", cell);
        let run = run.env("PYRO_BOOT_TIMEOUT_SECONDS", "60").start();
        let vms = self.context.base().join("vms");
        let report = wait_for_report(&run, || {
            let machines = fs::read_dir(&vms).into_iter().flatten().flatten();
            let disks = machines.map(|entry| entry.path().join("disk.ext4"));
            let begun =
                |path: &PathBuf| head(path).starts_with("yes\t") || head(path).starts_with("no\t");
            disks
                .into_iter()
                .find(begun)
                .map(|path| head(&path))
                .unwrap_or_default()
        });
        run.signal(rustix::process::Signal::INT);
        run.finish();
        report
    }

    /// The attempts that succeed in passt's cell. The stand-in reports in its log.
    fn in_passts_cell(&self) -> Report {
        let run = self.pyro(&["run", debian(), "--network", "--cold", "--", "true"]);
        let run = run.env("PATH", path_with(&self.program)).start();
        let vms = self.context.base().join("vms");
        let report = wait_for_report(&run, || {
            let machines = fs::read_dir(&vms).into_iter().flatten().flatten();
            let logs = machines.map(|entry| head(&entry.path().join("passt.log")));
            logs.into_iter()
                .find(|log| !log.is_empty())
                .unwrap_or_default()
        });
        run.signal(rustix::process::Signal::INT);
        run.finish();
        report
    }

    /// The attempts that succeed in an ordinary process of the user.
    fn outside(&self) -> Report {
        let disk = self.context.path("home/report");
        fs::write(&disk, "").unwrap();
        // The report file itself is not a target of the attempts.
        let left_open = self.context.path("home/left-open");
        fs::write(&left_open, "").unwrap();
        for path in [&disk, &left_open] {
            chown(path, Some(self.user), Some(self.user)).unwrap();
        }
        let stdin = File::options()
            .read(true)
            .write(true)
            .open(&left_open)
            .unwrap();
        let mut child = Command::new(self.program.join("qemu-system-x86_64"))
            .args(["-drive", &format!("if=none,id=rw,file={}", disk.display())])
            .current_dir(self.context.path("home"))
            .env_clear()
            .uid(self.user)
            .gid(self.user)
            .stdin(Stdio::from(stdin))
            .process_group(0)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !head(&disk).ends_with("END\n") {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", head(&disk));
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        parse(&head(&disk))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        if self.workspace.is_empty() {
            return;
        }
        let delete = ["workspace", "delete", &self.workspace];
        self.pyro(&delete).run();
    }
}

/// Each attempt, with the error number if it failed.
type Report = BTreeMap<String, Option<i32>>;

fn wait_for_report(run: &Running, read: impl Fn() -> String) -> Report {
    let begun = Instant::now();
    loop {
        let text = read();
        if text.ends_with("END\n") {
            return parse(&text);
        }
        let limit = Duration::from_secs(50);
        assert!(begun.elapsed() < limit, "{text}\n{}", run.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn parse(text: &str) -> Report {
    let lines = text.lines().filter(|line| *line != "END");
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            let error = parts.get(2).map(|number| number.parse().unwrap());
            (parts[1].to_owned(), error)
        })
        .collect()
}

/// Reads the text at the beginning of a file or disk.
fn head(path: &Path) -> String {
    let mut bytes = vec![0; 16 * 1024];
    let length = File::open(path).and_then(|file| file.read_at(&mut bytes, 0));
    bytes.truncate(length.unwrap_or(0));
    let end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let text = &bytes[..end];
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).into_owned()
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            give(&entry.path(), user);
        }
    }
}

/// The address of readable memory in a process.
fn first_mapping(pid: u32) -> u64 {
    let mut maps = String::new();
    let mut file = File::open(format!("/proc/{pid}/maps")).unwrap();
    let begun = Instant::now();
    while maps.is_empty() && begun.elapsed() < Duration::from_secs(10) {
        file.rewind().unwrap();
        file.read_to_string(&mut maps).unwrap();
    }
    let address = maps.split('-').next().unwrap();
    u64::from_str_radix(address, 16).unwrap()
}

fn succeeded(report: &Report) -> Vec<&str> {
    let names = report.iter().filter(|(_, error)| error.is_none());
    names.map(|(name, _)| name.as_str()).collect()
}

/// As `user`: all attempts that succeed outside are refused inside, except harmless ones.
fn judge(user: u32, test: &str) {
    if !rustix::process::geteuid().is_root() {
        skip!(test, "only root can be two users");
    }
    let Some(host) = Host::new(user, "qemu-system-x86_64") else {
        skip!(
            test,
            "the program was built without the feature weaker-cell"
        );
    };
    let inside = host.in_the_cell("");
    assert!(inside.len() >= 59, "{} attempts", inside.len());
    let harmful: Vec<_> = succeeded(&inside)
        .into_iter()
        .filter(|name| !HARMLESS.iter().any(|(harmless, _)| name == harmless))
        .collect();
    assert!(
        harmful.is_empty(),
        "these succeed in the cell: {harmful:#?}"
    );

    // With the Landlock version of Debian 12, or without Landlock, the other mechanisms still
    // refuse everything except files that the namespaces hide.
    for weaker in ["landlock=2", "landlock=0", "no-namespaces"] {
        let inside = host.in_the_cell(weaker);
        let in_its_root = weaker == "landlock=0";
        let harmful: Vec<_> = succeeded(&inside)
            .into_iter()
            .filter(|name| !HARMLESS.iter().any(|(harmless, _)| name == harmless))
            .filter(|name| !in_its_root || !HARMLESS_IN_ITS_ROOT.contains(name))
            .collect();
        assert!(
            harmful.is_empty(),
            "these succeed with {weaker}: {harmful:#?}"
        );
    }

    // Started without a cell, and started directly.
    let outside = host.outside();
    let launched = host.in_the_cell("none");
    let expected = |name: &str| user != 0 || NEVER.iter().any(|(never, _)| name == *never);
    let shows_nothing: Vec<_> = outside
        .iter()
        .filter(|(name, error)| error.is_some() && !expected(name))
        .collect();
    assert!(
        shows_nothing.is_empty(),
        "these fail without a cell: {shows_nothing:#?}"
    );
    let shown = succeeded(&outside).len();
    let least = if user == 0 { 75 } else { 55 };
    assert!(
        shown >= least,
        "only {shown} of {} succeed outside: {outside:#?}",
        outside.len()
    );
    assert!(succeeded(&launched).len() >= 50, "{launched:#?}");
}

#[test]
fn what_breaks_out_of_a_guest_gets_nowhere_as_root_or_skip() {
    judge(0, "what_breaks_out_of_a_guest_gets_nowhere_as_root");
}

#[test]
fn what_breaks_out_of_a_guest_gets_nowhere_as_a_user_or_skip() {
    judge(
        ORDINARY,
        "what_breaks_out_of_a_guest_gets_nowhere_as_a_user",
    );
}

#[test]
fn passt_has_what_it_needs_and_no_more_or_skip() {
    const TEST: &str = "passt_has_what_it_needs_and_no_more";
    if !rustix::process::geteuid().is_root() {
        skip!(TEST, "only root can be two users");
    }
    for user in [0, ORDINARY] {
        let Some(host) = Host::new(user, "passt") else {
            skip!(
                TEST,
                "the program was built without the feature weaker-cell"
            );
        };
        let inside = host.in_passts_cell();
        let mut succeeded = succeeded(&inside);
        succeeded.retain(|name| REFUSED_TO_PASST.contains(name));
        assert!(succeeded.is_empty(), "as {user}, passt may: {succeeded:#?}");
        for name in REFUSED_TO_PASST {
            assert!(inside.contains_key(*name), "{name} was not tried");
        }
        // The system calls of its own sandbox.
        for needed in [
            "make a user namespace",
            "speak to a port of 127.0.0.1 (UDP)",
        ] {
            assert_eq!(inside[needed], None, "{needed}");
        }
    }
}
