//! Commands with a terminal, and commands of another user.

use pyro_protocol::{Exec, Frame, FrameKind, HostMessage, PauseRule, TerminalSize};

use crate::host::{Host, Ran, argv, bash, is_gone, within_patience};

const SIZE: TerminalSize = TerminalSize {
    columns: 97,
    rows: 31,
};

fn in_terminal(script: &str) -> Exec {
    Exec {
        terminal: Some(SIZE),
        stdin: true,
        ..bash(script)
    }
}

/// Reads output until it contains `text`.
fn read_until(host: &mut Host, stream: u32, text: &str) -> Ran {
    let mut ran = Ran::default();
    while !String::from_utf8_lossy(&ran.stdout).contains(text) {
        let frame = host.next(stream);
        ran.note(&frame);
    }
    ran
}

fn input(host: &mut Host, stream: u32, bytes: &[u8]) {
    host.send(&Frame::data(stream, FrameKind::Stdin, bytes));
}

#[test]
fn a_terminal_is_all_three_streams_and_has_a_size() {
    let mut host = Host::adopted();
    let script =
        "test -t 0 && test -t 1 && test -t 2 && stty size && echo to-stderr >&2; echo $TERM";
    let ran = host.run(in_terminal(script));
    assert_eq!(ran.text(), "31 97\r\nto-stderr\r\nxterm-256color\r\n");
    assert!(ran.stderr.is_empty());
    assert_eq!(ran.exit().code, Some(0));
}

#[test]
fn what_runs_in_a_terminal_is_told_of_a_new_size() {
    let mut host = Host::adopted();
    let stream = host.exec(in_terminal(
        "trap 'stty size; exit 7' WINCH; echo ready; while :; do sleep 0.05; done",
    ));
    host.started(stream);
    read_until(&mut host, stream, "ready");
    let size = TerminalSize {
        columns: 10,
        rows: 20,
    };
    host.say(stream, &HostMessage::Resize { size });
    let ran = host.finish(stream);
    assert_eq!(ran.text().trim(), "20 10");
    assert_eq!(ran.exit().code, Some(7));
}

#[test]
fn control_c_ends_the_command_in_the_foreground_only() {
    let mut host = Host::adopted();
    let stream = host.exec(Exec {
        terminal: Some(SIZE),
        stdin: true,
        ..argv(["bash", "--norc", "-i"])
    });
    host.started(stream);
    input(
        &mut host,
        stream,
        b"PS1='$'; echo rea''dy; sleep 1000; echo status=$?\n",
    );
    read_until(&mut host, stream, "ready\r\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    input(&mut host, stream, b"\x03");
    input(&mut host, stream, b"echo after=$?; exit 3\n");
    let ran = host.finish(stream);
    assert!(ran.text().contains("after=130"), "{:?}", ran.text());
    assert_eq!(ran.exit().code, Some(3));
}

#[test]
fn the_end_of_the_input_is_typed() {
    let mut host = Host::adopted();
    let stream = host.exec(in_terminal("stty -echo; echo ready; cat; echo over"));
    host.started(stream);
    read_until(&mut host, stream, "ready\r\n");
    input(&mut host, stream, b"line\n");
    input(&mut host, stream, b"");
    let ran = host.finish(stream);
    assert_eq!(ran.text(), "line\r\nover\r\n");
}

#[test]
fn all_that_a_command_wrote_to_its_terminal_arrives() {
    let mut host = Host::adopted();
    for background in ["", "sleep 1000 & "] {
        let ran = host.run(in_terminal(&format!("{background}seq 1 20000")));
        let lines: Vec<_> = ran.text().lines().collect();
        assert_eq!(lines.len(), 20_000, "{background:?}");
        assert_eq!(lines.last(), Some(&"20000"));
    }
}

#[test]
fn a_command_is_run_by_the_user_that_was_asked_for() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED a_command_is_run_by_the_user_that_was_asked_for: needs root");
        return;
    }
    let mut host = Host::adopted();
    for (user, terminal, expected) in [
        ("daemon", None, "1:1:1 daemon daemon"),
        ("1:4", None, "1:4:4 daemon daemon"),
        ("4242", None, "4242:0:0 4242 4242"),
        ("4242:77", Some(SIZE), "4242:77:77 4242 4242"),
        ("root", Some(SIZE), "0:0:0 root root"),
    ] {
        let ran = host.run(Exec {
            user: Some(user.to_owned()),
            terminal,
            ..bash("echo $(id -u):$(id -g):$(id -G) $USER $LOGNAME; sleep 0.01")
        });
        assert_eq!(ran.text().trim(), expected, "{user}");
    }
}

#[test]
fn an_unknown_user_is_refused() {
    use pyro_protocol::{GuestMessage, RefusalReason};
    let mut host = Host::adopted();
    let stream = host.exec(Exec {
        user: Some("nobody-of-that-name".to_owned()),
        ..bash("true")
    });
    match host.answer(stream) {
        GuestMessage::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::NoSuchUser);
            assert!(refusal.message.contains("nobody-of-that-name"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pause_rule_without_control_groups_changes_nothing() {
    let mut host = Host::adopted();
    let stream = host.exec(Exec {
        pause: PauseRule::Always,
        ..bash("sleep 1000")
    });
    let pid = host.started(stream);
    host.say(stream, &HostMessage::Signal { signal: 9 });
    assert_eq!(host.finish(stream).exit().signal, Some(9));
    assert!(within_patience(|| is_gone(pid)));
}
