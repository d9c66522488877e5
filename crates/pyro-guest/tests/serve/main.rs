//! The agent's command serving, over a socket pair and without a machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pyro_guest::End;
use pyro_protocol::{
    Answer, CONNECTION, Call, Exec, Frame, FrameKind, GENERATION, GuestMessage, HostMessage,
    Refusal, RefusalReason,
};

mod connections;
mod endings;
mod files;
mod host;
mod packs;
mod prestarts;
mod terminals;
mod unpackings;

use host::{
    Host, PATIENCE, Ran, WINDOW, adopt, argv, bash, is_alive, is_gone, pattern, within_patience,
};

#[test]
fn both_sides_speak_the_lower_generation() {
    let mut host = Host::new();
    for (asked, spoken) in [(GENERATION + 5, GENERATION), (0, 0)] {
        host.say(CONNECTION, &HostMessage::Hello { generation: asked });
        let answer = host.answer(CONNECTION);
        assert!(matches!(answer, GuestMessage::Hello { generation, .. } if generation == spoken));
    }
}

#[test]
fn nothing_runs_before_adoption() {
    let mut host = Host::new();
    host.say(CONNECTION, &adopt());
    let answer = host.answer(CONNECTION);
    assert!(matches!(answer, GuestMessage::Failed { .. }), "{answer:?}");
    let stream = host.exec(argv(["true"]));
    let answer = host.answer(stream);
    assert!(matches!(
        answer,
        GuestMessage::Refused(Refusal {
            reason: RefusalReason::NotReady,
            ..
        })
    ));
}

#[test]
fn output_is_exact_and_channels_stay_apart() {
    let mut host = Host::adopted();
    let ran = host.run(bash(r"printf 'a\0\377\n'; printf 'e\200' >&2; exit 7"));
    assert_eq!(ran.stdout, b"a\0\xff\n");
    assert_eq!(ran.stderr, b"e\x80");
    let exit = ran.exit();
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    assert!(!exit.timed_out);
}

#[test]
fn the_environment_is_a_root_login_without_a_terminal() {
    let mut host = Host::adopted();
    let ran = host.run(Exec {
        env: vec![
            ("HOME".to_owned(), "/tmp".to_owned()),
            ("X".to_owned(), "1".to_owned()),
        ],
        ..argv(["env"])
    });
    let mut lines: Vec<&str> = ran.text().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "HOME=/tmp",
            "LANG=C.UTF-8",
            "LOGNAME=root",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SHELL=/bin/bash",
            "TERM=dumb",
            "USER=root",
            "X=1",
        ]
    );
}

#[test]
fn the_working_directory_is_the_one_asked_for_or_home() {
    let mut host = Host::adopted();
    for (home, cwd, expected) in [
        ("/usr", None, "/usr\n"),
        ("/usr", Some("/etc"), "/etc\n"),
        ("/nonexistent", None, "/\n"),
    ] {
        let ran = host.run(Exec {
            env: vec![("HOME".to_owned(), home.to_owned())],
            cwd: cwd.map(str::to_owned),
            ..argv(["pwd"])
        });
        assert_eq!(ran.text(), expected);
    }
}

#[test]
fn what_cannot_be_started_is_said_precisely() {
    let mut host = Host::adopted();
    let elsewhere = Exec {
        cwd: Some("/nonexistent".to_owned()),
        ..argv(["true"])
    };
    for (command, expected) in [
        (argv(["no-such-program"]), RefusalReason::NotFound),
        (argv(["/no/such/program"]), RefusalReason::NotFound),
        (argv([""]), RefusalReason::NotFound),
        (argv([]), RefusalReason::NotFound),
        (argv(["/etc/passwd"]), RefusalReason::Refused),
        (argv(["/etc"]), RefusalReason::Refused),
        (argv(["true", "a\0b"]), RefusalReason::Refused),
        (elsewhere, RefusalReason::Refused),
    ] {
        let stream = host.exec(command.clone());
        match host.answer(stream) {
            GuestMessage::Refused(Refusal { reason, message }) => {
                assert_eq!(reason, expected, "{:?}: {message}", command.argv);
            }
            other => panic!("{:?}: {other:?}", command.argv),
        }
    }
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
}

#[test]
fn a_stream_is_used_once() {
    let mut host = Host::adopted();
    let stream = host.exec(argv(["true"]));
    host.started(stream);
    host.finish(stream);
    for stream in [stream, CONNECTION] {
        let call = Call::Exec(argv(["true"]));
        host.say(stream, &HostMessage::Call { call });
        let answer = host.answer(stream);
        assert!(matches!(
            answer,
            GuestMessage::Refused(Refusal {
                reason: RefusalReason::BadStream,
                ..
            })
        ));
    }
    // Later input for a stream that has ended is ignored.
    host.send(&Frame::data(stream, FrameKind::Stdin, b"late".to_vec()));
    host.grant(stream, FrameKind::Stdout, 1);
    host.say(stream, &HostMessage::Signal { signal: 9 });
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
}

#[test]
fn signals_are_at_their_defaults_and_reported() {
    let mut host = Host::adopted();
    let ran = host.run(bash("yes | head -1; echo ${PIPESTATUS[0]}"));
    assert_eq!(ran.text(), "y\n141\n");
    let ran = host.run(bash("kill -SEGV $$"));
    assert_eq!((ran.exit().code, ran.exit().signal), (None, Some(11)));
    let ran = host.run(bash("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
    for line in ran.text().lines() {
        let (_, signals) = line.split_once(":\t").unwrap();
        let signals = u64::from_str_radix(signals, 16).unwrap();
        // Above are the real-time signals, two of which the C library ignores for itself.
        assert_eq!(signals & 0x7fff_ffff, 0, "{line}");
    }
}

#[test]
fn a_command_inherits_nothing_but_its_three_descriptors() {
    let mut host = Host::adopted();
    let sleeper = host.exec(Exec {
        stdin: true,
        ..argv(["sleep", "60"])
    });
    host.started(sleeper);
    let ran = host.run(bash("cd /proc/self/fd; for fd in *; do readlink $fd; done"));
    let inheritable = std::fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            // The octal flags contain the bit O_CLOEXEC if the descriptor is not inheritable.
            std::fs::read_to_string(path).is_ok_and(|info| {
                let flags = info
                    .lines()
                    .find_map(|line| line.strip_prefix("flags:"))
                    .unwrap();
                i32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0
            })
        });
    // The parent of this test may have left it some.
    assert_eq!(ran.text().lines().count(), inheritable.count());
    let ran = host.run(bash("ulimit -Sn; readlink /proc/self/fd/0"));
    assert_eq!(ran.text(), "1024\n/dev/null\n");
    host.say(sleeper, &HostMessage::Signal { signal: 9 });
    host.finish(sleeper);
}

#[test]
fn megabytes_go_through_cat_and_come_back() {
    let mut host = Host::adopted();
    let sent = pattern(5_000_000);
    let stream = host.exec(Exec {
        stdin: true,
        ..argv(["cat"])
    });
    host.started(stream);
    let mut ran = Ran::default();
    let (mut position, mut credit) = (0, WINDOW);
    while ran.exit.is_none() {
        while credit > 0 && position < sent.len() {
            let count = credit.min(10_000).min(sent.len() - position);
            let piece = sent[position..position + count].to_vec();
            host.send(&Frame::data(stream, FrameKind::Stdin, piece));
            (position, credit) = (position + count, credit - count);
            if position == sent.len() {
                host.send(&Frame::data(stream, FrameKind::Stdin, Vec::new()));
            }
        }
        let frame = host.next(stream);
        ran.note(&frame);
        match frame.kind {
            FrameKind::Credit => credit += frame.as_credit().unwrap().bytes as usize,
            FrameKind::Stdout if !frame.payload.is_empty() => {
                host.grant(stream, FrameKind::Stdout, frame.payload.len());
            }
            _ => {}
        }
    }
    assert_eq!(ran.exit().code, Some(0));
    assert!(ran.stdout == sent, "{} bytes came back", ran.stdout.len());
}

#[test]
fn input_nobody_reads_does_not_stall_the_host() {
    let mut host = Host::adopted();
    let stream = host.exec(Exec {
        stdin: true,
        ..bash("exec <&-; sleep 60")
    });
    host.started(stream);
    let mut credit = WINDOW;
    for _ in 0..100 {
        while credit < 60_000 {
            let frame = host.next(stream);
            credit += frame.as_credit().unwrap().bytes as usize;
        }
        host.send(&Frame::data(stream, FrameKind::Stdin, vec![0; 60_000]));
        credit -= 60_000;
    }
    host.say(stream, &HostMessage::Signal { signal: 9 });
    assert_eq!(host.finish(stream).exit().signal, Some(9));
}

#[test]
fn a_host_that_overruns_the_input_window_loses_the_command() {
    let mut host = Host::adopted();
    let stream = host.exec(Exec {
        stdin: true,
        ..argv(["sleep", "60"])
    });
    host.started(stream);
    for _ in 0..5 {
        host.send(&Frame::data(stream, FrameKind::Stdin, vec![0; WINDOW]));
    }
    assert_eq!(host.finish(stream).exit().signal, Some(9));
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
}

#[test]
fn without_a_grant_at_most_a_window_arrives() {
    let mut host = Host::adopted();
    let stream = host.exec(bash("yes"));
    host.started(stream);
    let mut bytes = 0;
    while bytes < WINDOW {
        let frame = host.next(stream);
        assert_eq!(frame.kind, FrameKind::Stdout);
        bytes += frame.payload.len();
    }
    assert_eq!(bytes, WINDOW);
    assert_eq!(host.receive(Duration::from_millis(300)), None);
    host.grant(stream, FrameKind::Stdout, 1000);
    let frame = host.receive(PATIENCE).unwrap();
    assert_eq!(frame.payload.len(), 1000);
    // Other commands are served meanwhile.
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
    host.say(stream, &HostMessage::Signal { signal: 9 });
    // The end is reported after the output, which needs credit.
    host.grant(stream, FrameKind::Stdout, WINDOW);
    assert_eq!(host.finish(stream).exit().signal, Some(9));
}

#[test]
fn output_written_before_the_exit_is_never_lost() {
    let mut host = Host::adopted();
    // When the writer has ended, only the pipe's 64 KiB are left.
    let stream = host.exec(bash("head -c 1000000 /dev/zero | tr '\\0' x; exit 3"));
    host.started(stream);
    let mut ran = Ran::default();
    let mut owed = 0;
    while ran.exit.is_none() {
        match host.receive(Duration::from_millis(50)) {
            Some(frame) => {
                owed += frame.payload.len();
                ran.note(&frame);
            }
            // Only when no more frames come.
            None => host.grant(stream, FrameKind::Stdout, std::mem::take(&mut owed)),
        }
    }
    assert_eq!(ran.stdout.len(), 1_000_000);
    assert_eq!(ran.exit().code, Some(3));
}

#[test]
fn a_daemon_does_not_delay_the_end_and_does_not_die_of_it() {
    let mut host = Host::adopted();
    let script = "(sleep 0.3; for i in {1..2000}; do echo more than a pipe holds \
                  0123456789012345678901234567890123456789; done; exec sleep 60) & echo $!";
    let started = Instant::now();
    let ran = host.run(bash(script));
    assert!(started.elapsed() < Duration::from_secs(20));
    let daemon = ran.text().trim();
    let command_line = format!("/proc/{daemon}/cmdline");
    while std::fs::read(&command_line).unwrap() != b"sleep\x0060\0" {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    // The shell's built-in: the program is in a package that a minimal system does not have.
    let kill = format!("kill {daemon}");
    assert_eq!(host.run(bash(&kill)).exit().code, Some(0));
}

#[test]
fn the_clock_is_set_and_then_told() {
    let mut host = Host::adopted();
    host.say(CONNECTION, &HostMessage::SetClock { unix_time_ns: 17 });
    let unix_time_ns = 18;
    assert_eq!(
        host.answer(CONNECTION),
        GuestMessage::ClockSet { unix_time_ns }
    );
    assert_eq!(host.clock.load(Ordering::SeqCst), 17);
    assert!(host.waiting.is_empty());
}

#[test]
fn every_flush_is_answered_and_counts_processes() {
    let mut host = Host::adopted();
    let sleeper = host.exec(argv(["sleep", "60"]));
    host.started(sleeper);
    for _ in 0..5 {
        host.say(CONNECTION, &HostMessage::Sync);
    }
    for _ in 0..5 {
        let answer = host.answer(CONNECTION);
        assert!(
            matches!(answer, GuestMessage::Synced { processes: 1.. }),
            "{answer:?}"
        );
    }
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
    host.say(sleeper, &HostMessage::Signal { signal: 9 });
    host.finish(sleeper);
    assert!(host.waiting.is_empty());

    let mut host = Host::new();
    host.say(CONNECTION, &HostMessage::Sync);
    let answer = host.answer(CONNECTION);
    assert!(matches!(answer, GuestMessage::Failed { .. }), "{answer:?}");
}

#[test]
fn fifty_commands_run_at_once() {
    let mut host = Host::adopted();
    let streams: Vec<u32> = (0..50)
        .map(|n| {
            host.exec(bash(&format!(
                "sleep 0.2; head -c 100000 /dev/zero; exit {n}"
            )))
        })
        .collect();
    for (n, stream) in (0..).zip(streams) {
        host.started(stream);
        let ran = host.finish(stream);
        assert_eq!(ran.exit().code, Some(n));
        assert_eq!(ran.stdout.len(), 100_000);
    }
}

#[test]
fn a_chatty_command_does_not_starve_the_others() {
    let mut host = Host::adopted();
    let chatty = host.exec(bash("yes"));
    host.started(chatty);
    // More than the command can print meanwhile.
    host.grant(chatty, FrameKind::Stdout, 2_000_000_000);
    let started = Instant::now();
    assert_eq!(host.run(bash("echo hello")).text(), "hello\n");
    assert!(started.elapsed() < Duration::from_secs(5));
    host.say(chatty, &HostMessage::Signal { signal: 9 });
    assert_eq!(host.finish(chatty).exit().signal, Some(9));
}

#[test]
fn the_agent_ends_with_its_connection() {
    assert!(matches!(Host::adopted().end(), End::Closed));

    let mut host = Host::adopted();
    host.say(CONNECTION, &HostMessage::Shutdown);
    assert!(matches!(host.end(), End::Shutdown));

    for nonsense in [
        Frame::data(CONNECTION, FrameKind::Control, b"{".to_vec()),
        Frame::data(CONNECTION, FrameKind::Stdin, b"x".to_vec()),
        Frame::data(9, FrameKind::Stdin, b"x".to_vec()),
        Frame::control(9, &HostMessage::Signal { signal: 9 }).unwrap(),
        Frame::control(9, &HostMessage::Shutdown).unwrap(),
        Frame::control(9, &HostMessage::Sync).unwrap(),
    ] {
        let mut host = Host::adopted();
        host.send(&nonsense);
        assert!(matches!(host.agent.join().unwrap(), End::Broken(_)));
    }
}
