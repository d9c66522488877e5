//! Prestarted shells.

use super::unpackings::{UNPACKED, archive};
use super::*;

/// Builds the library in which a shell waits, as in the guest, and opens it.
fn library() -> File {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prestart");
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["rustc", "--quiet", "--locked", "--package=pyro-prestart"])
        .args(["--lib", "--crate-type=cdylib", "--profile=guest"])
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "--cfg=pyro_prestart_library"])
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-lc"]);
    let mut building = cargo.spawn().unwrap();
    assert!(within_patience(|| !is_alive(building.id().cast_signed())));
    // The reaper of another test in this process may have reaped it.
    assert!(building.wait().map_or(true, |status| status.success()));
    File::open(target.join("guest/libpyro_prestart.so")).unwrap()
}

impl Host {
    /// Starts an adopted agent with prestarted shells; returns it with a mark that distinguishes
    /// its shells from those of other tests.
    fn with_waiting() -> (Self, String) {
        let library = library();
        let mark = format!("/proc/{}/fd/{}\0", std::process::id(), library.as_raw_fd());
        let mut host = Self::with(Some(library), None);
        host.adopt();
        (host, format!("LD_PRELOAD={mark}"))
    }

    fn prestart(&mut self) -> bool {
        self.say(CONNECTION, &HostMessage::Prestart);
        match self.answer(CONNECTION) {
            GuestMessage::Prestarted { waits } => waits,
            other => panic!("{other:?}"),
        }
    }
}

/// The number of waiting shells that were started with exactly this mark.
fn waiting(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            std::fs::read(process.path().join("environ")).is_ok_and(|env| env == mark.as_bytes())
        })
        .count()
}

fn sh(script: &str) -> Exec {
    argv(["/bin/sh", "-c", script])
}

#[test]
fn a_shell_that_waits_gets_all_that_its_command_asks_for() {
    let (mut waiting_host, mark) = Host::with_waiting();
    let mut other = Host::adopted();
    // The kernel shows arguments and variables only to privileged readers; root in a guest is one.
    let script = r#"echo "$0 $# $-"; env; pwd; ls /proc/$$/fd; readlink /proc/$$/fd/0 | tr -d 0-9; ulimit -n; umask; cat; exit 7"#;
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for command in [
        sh(script),
        Exec {
            env: vec![
                set("X", "a b\nc"),
                set("PATH", "/none"),
                set("PATH", "/usr/bin:/bin"),
            ],
            cwd: Some("/usr".to_owned()),
            ..sh(script)
        },
        Exec {
            env: vec![set("HOME", "/etc")],
            ..sh(script)
        },
        Exec {
            // Below the agent's working directory.
            cwd: Some("usr/bin".to_owned()),
            stdin: true,
            ..sh(script)
        },
        Exec {
            stdin: true,
            ..sh(&format!("{script} # {}", "x".repeat(50_000)))
        },
    ] {
        assert!(waiting_host.prestart());
        assert_eq!(waiting(&mark), 1);
        let answers = [&mut waiting_host, &mut other].map(|host| {
            let stream = host.exec(command.clone());
            if command.stdin {
                host.send(&Frame::data(stream, FrameKind::Stdin, pattern(10_000)));
                host.send(&Frame::data(stream, FrameKind::Stdin, Vec::new()));
            }
            host.started(stream);
            let ran = host.finish(stream);
            assert_eq!(ran.exit().code, Some(7));
            (ran.stdout, ran.stderr)
        });
        assert_eq!(answers[0], answers[1]);
        assert_eq!(waiting(&mark), 0);
    }
}

#[test]
fn a_command_that_is_not_for_the_waiting_shell_ends_it() {
    let (mut host, mark) = Host::with_waiting();
    let library = (String::from("LD_LIBRARY_PATH"), String::from("/nowhere"));
    for command in [
        bash("echo on"),
        sh(&format!("echo on # {}", "x".repeat(100_000))),
        Exec {
            env: vec![library],
            ..sh("echo on")
        },
    ] {
        assert!(host.prestart());
        assert!(host.prestart(), "the same");
        assert_eq!(waiting(&mark), 1);
        assert_eq!(host.run(command).text(), "on\n");
        assert!(within_patience(|| waiting(&mark) == 0));
    }

    // A command that cannot be started is still reported as such.
    assert!(host.prestart());
    let stream = host.exec(Exec {
        cwd: Some("/nonexistent".to_owned()),
        ..sh("true")
    });
    let answer = host.answer(stream);
    assert!(matches!(answer, GuestMessage::Refused(_)), "{answer:?}");
    assert!(within_patience(|| waiting(&mark) == 0));

    // The archive may contain files that the shell should have read at its start.
    assert!(host.prestart());
    assert_eq!(host.unpack(&archive(1)), UNPACKED);
    assert!(within_patience(|| waiting(&mark) == 0));
}

#[test]
fn a_waiting_shell_ends_with_its_agent() {
    let (mut host, mark) = Host::with_waiting();
    assert!(host.prestart());
    host.end();
    assert!(within_patience(|| waiting(&mark) == 0));
}

#[test]
fn where_no_shell_can_wait_commands_run_all_the_same() {
    // The dynamic linker does not load this, and the shell continues.
    let mut host = Host::with(Some(File::open("/proc/version").unwrap()), None);
    host.adopt();
    for _ in 0..2 {
        assert!(!host.prestart());
        assert_eq!(host.run(sh("echo on")).text(), "on\n");
    }
    let mut host = Host::adopted();
    assert!(!host.prestart(), "without a library");
}
