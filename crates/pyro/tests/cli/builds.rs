//! Tests that build real environments. They are the slowest.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::context::{TestContext, debian_base, directory_of, path_with};
use crate::environments::{assert_nothing_counts_as_installed, copy_cache};
use crate::leftovers;

fn pull() -> [&'static str; 3] {
    ["env", "pull", debian_base()]
}

#[test]
fn interrupted_pulls_leave_nothing_and_eight_at_once_build_once() {
    let context = TestContext::new().with_own_cache();
    for (signal, code) in [(Signal::INT, 130), (Signal::KILL, -9)] {
        let mut run = context.pyro(&pull()).start();
        run.wait_for_stderr(&format!(
            "[pull] phase=install environment={}",
            debian_base()
        ));
        wait_for_process(&context, "mmdebstrap");
        // In the middle of a build: packages are being downloaded or unpacked.
        thread::sleep(Duration::from_secs(4));
        run.signal(signal);
        run.finish().expect(code);
        context.assert_nothing_is_left();
        assert_nothing_counts_as_installed(&context);
    }

    let real = fs::canonicalize(find("mmdebstrap")).unwrap();
    let log = context.path("builds.log");
    let script = format!(
        "echo build >> {}\nexec {} \"$@\"",
        log.display(),
        real.display()
    );
    let path = path_with(&context.fake("mmdebstrap", &script));
    let running: Vec<_> = (0..8)
        .map(|_| context.pyro(&pull()).env("PATH", &path).start())
        .collect();
    let finished: Vec<_> = running
        .into_iter()
        .map(|run| run.finish().expect(0))
        .collect();
    let waited = finished
        .iter()
        .filter(|run| run.err().contains("waiting for another process"));
    assert_eq!(waited.count(), 7);
    assert_eq!(fs::read_to_string(&log).unwrap(), "build\n");
    for run in &finished {
        assert!(
            run.out()
                .starts_with(&format!("Pulled: {}\n", debian_base())),
            "{run:?}"
        );
    }
    let platform = context.cache().join("linux-x86_64");
    assert_eq!(partial(&platform), Vec::<String>::new());
    context
        .pyro(&["run", debian_base(), "--", "true"])
        .run()
        .expect(0)
        .err_lacks("[pull]");
    context
        .pyro(&["env", "prune"])
        .run()
        .expect(0)
        .out_is("Deleted 0 cached environment entries.\n");
}

#[test]
fn a_truncated_environment_is_rebuilt() {
    let source = TestContext::with(debian_base());
    let context = TestContext::new().with_own_cache();
    copy_cache(&source, &context, &directory_of(debian_base()));
    let image = context
        .cache()
        .join("linux-x86_64")
        .join(directory_of(debian_base()))
        .join("rootfs.erofs");
    let length = fs::metadata(&image).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(length - 4096)
        .unwrap();
    let run = context
        .pyro(&["run", debian_base(), "--", "echo", "rebuilt"])
        .run();
    let run = run.expect(0).out_is("rebuilt\n");
    run.err_has(&format!("note: {}: rootfs.erofs", debian_base()))
        .err_has("; rebuilding")
        .err_has(&format!("[pull] phase=ready environment={}", debian_base()));
    assert_eq!(
        partial(&context.cache().join("linux-x86_64")),
        Vec::<String>::new()
    );
}

fn partial(platform: &Path) -> Vec<String> {
    let entries = fs::read_dir(platform).unwrap().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(".partial-")).collect()
}

fn wait_for_process(context: &TestContext, name: &str) {
    let begun = Instant::now();
    let runs = || {
        leftovers::processes(context.directory())
            .iter()
            .any(|line| line.contains(name))
    };
    while !runs() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {name}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn find(program: &str) -> std::path::PathBuf {
    let path = std::env::var("PATH").unwrap();
    let directories = path.split(':').map(Path::new);
    directories
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
        .unwrap()
}

/// The process that runs the scripts of packages has no access to the caller's secrets and the
/// host's processes, and no privileges over the host's kernel. A stand-in for mmdebstrap reports
/// its surroundings.
#[test]
fn what_builds_environments_is_confined() {
    let context = TestContext::new().with_own_cache();
    let script = "echo variables=$(env | cut -d= -f1 | sort | tr '\\n' ' ')
        echo proxy=$http_proxy
        echo processes=$(ls /proc | grep -c '^[0-9]')
        grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/self/status | tr '\\t' ' '
        echo cores=$(ulimit -c)
        echo descriptors=$(ls /proc/self/fd | tr '\\n' ' ')
        exit 1";
    let path = path_with(&context.fake("mmdebstrap", script));
    let secret = context.path("secret");
    fs::write(&secret, "").unwrap();
    let opened = format!("exec 8<{0}; exec \"$@\"", secret.display());
    let pull = ["env", "pull", debian_base(), "--json"];
    let run = context
        .scripted(&opened, &pull)
        .env("PATH", path)
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("SSH_AUTH_SOCK", "/nowhere")
        .env("PYRO_MCP_TOKEN", "0123456789abcdef")
        .env("http_proxy", "http://127.0.0.1:9/");
    let error = run.run().json();
    let said = error["cause"]
        .as_str()
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned();
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {said}"))
            .trim()
            .to_owned()
    };
    for secret in ["AWS", "SSH", "PYRO"] {
        assert!(!value("variables=").contains(secret), "{said}");
    }
    assert_eq!(value("proxy="), "http://127.0.0.1:9/");
    let processes: u32 = value("processes=").parse().unwrap();
    assert!(processes < 15, "{said}");
    assert_eq!(value("NoNewPrivs:"), "1");
    assert_eq!(value("cores="), "0");
    assert!(
        !value("descriptors=").split(' ').any(|fd| fd == "8"),
        "{said}"
    );
    let bounding = u64::from_str_radix(&value("CapBnd:"), 16).unwrap();
    let effective = u64::from_str_radix(&value("CapEff:"), 16).unwrap();
    // CAP_NET_ADMIN, NET_RAW, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_BOOT, SYS_TIME, SYSLOG of
    // linux/capability.h.
    for needless in [12, 13, 16, 17, 19, 22, 25, 34] {
        assert_eq!(
            (bounding | effective) >> needless & 1,
            0,
            "{needless}: {said}"
        );
    }
}
