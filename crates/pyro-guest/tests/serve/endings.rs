//! How commands end, and how that is reported.

use super::*;

#[test]
fn a_signal_reaches_the_whole_group() {
    let mut host = Host::adopted();
    let stream = host.exec(bash("sleep 60 & echo $!; wait"));
    let pid = host.started(stream);
    let child: i32 = String::from_utf8(host.next(stream).payload)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(is_alive(pid) && is_alive(child));
    host.say(stream, &HostMessage::Signal { signal: 15 });
    assert_eq!(host.finish(stream).exit().signal, Some(15));
    assert!(is_gone(child));
}

#[test]
fn a_timeout_kills_everything_and_keeps_the_output() {
    let mut host = Host::adopted();
    // One child in the group, one in a session of its own, and one that ignores signals.
    let script = "echo before; sleep 60 & echo $!; setsid sleep 60 & \
                  (trap '' TERM INT; sleep 60) & wait";
    let started = Instant::now();
    let ran = host.run(Exec {
        timeout_ms: Some(500),
        ..bash(script)
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    let exit = ran.exit();
    assert!(exit.timed_out);
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    assert!(exit.duration_ms >= 500);
    let mut lines = ran.text().lines();
    assert_eq!(lines.next(), Some("before"));
    assert!(is_gone(lines.next().unwrap().parse().unwrap()));
}

#[test]
fn a_timeout_finds_descendants_in_other_sessions() {
    let mut host = Host::adopted();
    let ran = host.run(Exec {
        timeout_ms: Some(500),
        ..bash("setsid bash -c 'echo $$; sleep 60; true' & wait")
    });
    assert!(ran.exit().timed_out);
    assert!(is_gone(ran.text().trim().parse().unwrap()));
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    let mut host = Host::adopted();
    for timeout_ms in [60_000, u64::MAX] {
        let ran = host.run(Exec {
            timeout_ms: Some(timeout_ms),
            ..argv(["true"])
        });
        assert_eq!(ran.exit().code, Some(0));
        assert!(!ran.exit().timed_out);
    }
}

#[test]
fn what_the_host_kills_ends_with_all_that_it_has_started() {
    let mut host = Host::adopted();
    let script = "setsid bash -c 'echo $$; sleep 60; true' & wait";
    let stream = host.exec(bash(script));
    host.started(stream);
    let mut ran = Ran::default();
    while ran.stdout.is_empty() {
        ran.note(&host.next(stream));
    }
    let pid = ran.text().trim().parse().unwrap();
    host.say(stream, &HostMessage::Signal { signal: 9 });
    assert_eq!(host.finish(stream).exit().signal, Some(9));
    assert!(is_gone(pid));
}

#[test]
fn what_the_kernel_kills_for_memory_is_told_from_what_others_kill() {
    let (log, mut kernel) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&log, true).unwrap();
    let mut host = Host::with(None, Some(log.into()));
    host.adopt();
    // The command's own process; one that it has started and that can no longer be assigned to it;
    // one that did not matter; and a process of the guest that writes the same message.
    for (priority, script, told, counts) in [
        (3, "kill -9 $$", Some("$$"), true),
        (3, "exit 2", Some("0"), true),
        (3, "exit 0", Some("0"), false),
        (11, "kill -9 $$", Some("$$"), false),
        (3, "kill -9 $$", None, false),
    ] {
        let stream = host.exec(Exec {
            stdin: true,
            ..bash(&format!("read go; {script}"))
        });
        let pid = host.started(stream);
        if let Some(victim) = told {
            let victim = victim.replace("$$", &pid.to_string());
            let said = format!("{priority},9,9,-;Out of memory: Killed process {victim} (sh)\n");
            kernel.write_all(said.as_bytes()).unwrap();
        }
        host.send(&Frame::data(stream, FrameKind::Stdin, *b"go\n"));
        let exit = host.finish(stream).exit();
        assert_eq!(exit.oom_killed, counts, "{priority} {script} {told:?}");
    }
}

#[test]
fn a_default_directory_is_made_again_and_one_that_was_asked_for_is_not() {
    let mut host = Host::adopted();
    let directory = host.root.path().join("gone");
    let path = directory.to_str().unwrap().to_owned();
    let in_it = |cwd_optional| Exec {
        cwd: Some(path.clone()),
        cwd_optional,
        ..argv(["pwd"])
    };
    let stream = host.exec(in_it(false));
    assert!(matches!(host.answer(stream), GuestMessage::Refused(_)));
    assert_eq!(host.run(in_it(true)).text().trim(), path);
    std::fs::remove_dir(&directory).unwrap();
    std::fs::write(&directory, "").unwrap();
    assert_eq!(host.run(in_it(true)).text().trim(), "/");
}

#[test]
fn another_user_can_open_the_streams_of_a_command() {
    let mut host = Host::adopted();
    let ran = host.run(Exec {
        stdin: true,
        ..bash("stat -L -c %a /dev/stdin /dev/stdout /dev/stderr")
    });
    assert_eq!(ran.text(), "666\n666\n666\n");
}
