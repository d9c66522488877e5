//! The prestarted shell behaves like one that is started for its command.

use crate::templates::with_shared_template;

/// The kernel's data about the command's shell, the parent of the reporting process. Ids of single
/// processes are left out.
const FACTS: &str = r"cd /proc/$PPID; grep -q prestart.so maps && echo waited; readlink cwd exe root; tr '\0' '\n' <cmdline
    tr '\0' '\n' <environ; sort -o /dev/stdout limits; cat oom_score_adj
    grep -E '^(Name|State|Tracer|Uid|Gid|Groups|Umask|Threads|Sig[BIC]|Shd|Cap|NoNew|Seccomp)' status
    for fd in fd/*; do echo $fd $(readlink $fd | tr -d 0-9); done
    ps -o ppid=,sid=,tty= $PPID; [ $(ps -o pgid= $PPID) = $PPID ] && echo leads its group
    ps -o etimes= $PPID | grep -cx ' *[0-9]'; cat";

/// Whether the shell was prestarted: it has loaded the library then.
const WAITED: &str = "grep -q prestart.so /proc/$PPID/maps && echo waited; pwd; echo $HOME";

#[test]
fn it_is_like_any_other() {
    let context = with_shared_template();
    for input in ["", "two\nlines\n"] {
        let facts = |options: &[&str]| {
            let run = context.debian(options).args(&["--", "sh", "-c", FACTS]);
            run.stdin(input).run().expect(0).out()
        };
        let (started, waited) = (facts(&["--cold"]), facts(&[]));
        assert!(started.ends_with(&format!("1\n{input}")), "{started}");
        assert_eq!(waited, format!("waited\n{started}"));
    }
    // Without an input it is also the same.
    let facts = |options: &[&str]| {
        let run = context
            .debian(options)
            .args(&["--json", "--", "sh", "-c", FACTS]);
        run.run().expect(0).json()["stdout"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(facts(&[]), format!("waited\n{}", facts(&["--cold"])));
}

#[test]
fn it_waits_in_a_clone_and_nowhere_else() {
    let context = with_shared_template();
    let run = |options: &[&str]| {
        let run = context.debian(options).args(&["--", "sh", "-c", WAITED]);
        run.run().expect(0).out()
    };
    assert_eq!(run(&["--cold"]), "/root\n/root\n");
    assert_eq!(run(&[]), "waited\n/root\n/root\n");
    // A command that does not fit into its message is not run by it.
    let long = format!("{WAITED}; : {}", "x".repeat(100_000));
    let run = context.debian(&["--", "sh", "-c", &long]).run().expect(0);
    run.out_is("/root\n/root\n");
}

#[test]
fn it_ends_like_any_other() {
    let context = with_shared_template();
    for (command, code) in [
        ("exit 7", 7),
        ("no-such-program", 127),
        ("kill -9 $PPID", 137),
    ] {
        let run = |options: &[&str]| {
            let run = context.debian(options).args(&["--", "sh", "-c", command]);
            let run = run.run().expect(code);
            let err = run.err();
            // Some contain the machine's name or depend on how it was started.
            let of_the_command = err
                .lines()
                .filter(|line| !line.starts_with("[run]") && !line.starts_with("note:"));
            (run.out(), of_the_command.collect::<Vec<_>>().join("\n"))
        };
        assert_eq!(run(&[]), run(&["--cold"]), "{command}");
    }
}
