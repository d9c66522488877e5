//! The guest behaves as a Debian user expects.

use std::fmt::Write;

use crate::context::{TestContext, debian};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command and what it prints.
const FACTS: &[(&str, &str)] = &[
    (
        "stat -c '%F %a %t:%T' /dev/null",
        "character special file 666 1:3",
    ),
    (
        "stat -c '%F %a %t:%T' /dev/zero",
        "character special file 666 1:5",
    ),
    (
        "stat -c '%F %a %t:%T' /dev/full",
        "character special file 666 1:7",
    ),
    (
        "stat -c '%F %a %t:%T' /dev/random",
        "character special file 666 1:8",
    ),
    (
        "stat -c '%F %a %t:%T' /dev/urandom",
        "character special file 666 1:9",
    ),
    (
        "stat -c '%F %a %t:%T' /dev/tty",
        "character special file 666 5:0",
    ),
    ("readlink /dev/fd", "/proc/self/fd"),
    ("readlink /dev/stdout", "/proc/self/fd/1"),
    ("echo through | cat /dev/stdin", "through"),
    (
        "stat -f -c %T /dev/pts /dev/shm /proc /sys | xargs",
        "devpts tmpfs proc sysfs",
    ),
    ("stat -c '%a %U:%G' /dev/shm", "1777 root:root"),
    ("stat -c '%a %U:%G' /tmp", "1777 root:root"),
    ("stat -c '%a %U:%G' /var/tmp", "1777 root:root"),
    ("script -qc tty /dev/null | tr -d '\\r'", "/dev/pts/0"),
    // Regardless of the user who built the environment.
    ("stat -c '%a %U:%G' /", "755 root:root"),
    ("stat -c '%a %U:%G' /root", "700 root:root"),
    (
        "stat -c '%U:%G' /usr /etc /bin/sh /home | sort -u",
        "root:root",
    ),
    ("stat -c '%a %U:%G' /usr/bin/su", "4755 root:root"),
    ("id", "uid=0(root) gid=0(root) groups=0(root)"),
    (
        "su nobody -s /bin/sh -c 'id -un; touch /usr/x 2>/dev/null || echo no' | xargs",
        "nobody no",
    ),
    ("echo $PATH", PATH),
    ("echo $HOME", "/root"),
    ("echo ${TERM:+set}", "set"),
    ("echo $LANG", "C.UTF-8"),
    ("pwd", "/root"),
    ("umask", "0022"),
    ("ulimit -n", "1024"),
    ("hostname | sed 's/[0-9a-f]\\{12\\}/ID/'", "pyro-ID"),
    (
        "test \"$(hostname)\" = \"$(cat /etc/hostname)\" && echo same",
        "same",
    ),
    ("getent hosts $(hostname) | cut -d' ' -f1", "127.0.1.1"),
    (
        "perl -MSocket -e 'print inet_ntoa(inet_aton(\"localhost\"))'",
        "127.0.0.1",
    ),
    ("wc -c < /etc/machine-id", "33"),
    ("cat /sys/class/net/lo/flags", "0x9"),
    (
        "bash -c ': > /dev/tcp/127.0.0.1/9' 2>&1 | grep -o 'Connection refused' | head -1",
        "Connection refused",
    ),
    (
        "bash -c ': > /dev/tcp/192.0.2.1/9' 2>&1 | grep -o 'Network is unreachable' | head -1",
        "Network is unreachable",
    ),
    // Orphans are reaped by the agent.
    (
        "sh -c 'sh -c \"sh -c true & sleep 0.1\" & sh -c true &' ; sleep 1; \
      cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '",
        "0",
    ),
    ("yes | head -n 1", "y"),
    (
        "sed -n 's/^SigBlk:\\t//p' /proc/self/status",
        "0000000000000000",
    ),
    // The agent's older C library ignores its own real-time signals.
    (
        "bash -c 'echo $((0x$(sed -n \"s/^SigIgn:\\t//p\" /proc/self/status) & 0x7fffffff))'",
        "0",
    ),
    (
        "touch /usr/bin/x && rm /usr/bin/x && echo writable",
        "writable",
    ),
    (
        "mkdir /tmp/d && mv /etc/debian_version /tmp/d && ls /tmp/d",
        "debian_version",
    ),
    ("apt-get --version | grep -c '^apt [23]'", "1"),
    ("dpkg --audit | wc -l", "0"),
    (
        "find /etc/apt -name '*.conf' -exec grep -il proxy {} + | wc -l",
        "0",
    ),
    ("ls /proc/self/fd | xargs", "0 1 2 3"),
    ("mktemp | grep -c ^/tmp/tmp", "1"),
    ("git init -q /tmp/repository && echo made", "made"),
    ("test $(stat -f -c %f /) -gt 100000 && echo roomy", "roomy"),
];

#[test]
fn what_a_debian_user_expects_is_so() {
    let context = TestContext::with(debian());
    let mut script = String::new();
    for (command, _) in FACTS {
        writeln!(script, "echo '@@'; {{ {command}; }} 2>&1").unwrap();
    }
    let run = context.debian(&["-q", "--timeout-seconds", "120", "--", "sh", "-c", &script]);
    let out = run.run().out();
    let answers: Vec<&str> = out.split("@@\n").skip(1).map(str::trim_end).collect();
    assert_eq!(answers.len(), FACTS.len(), "{out}");
    let wrong: Vec<String> = FACTS
        .iter()
        .zip(answers)
        .filter(|((_, expected), answer)| expected != answer)
        .map(|((command, expected), answer)| {
            format!("{command}\n  expected: {expected}\n  found:    {answer}")
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn names_are_not_resolved_and_that_is_found_out_at_once() {
    let context = TestContext::with(debian());
    let script = "getent hosts debian.org; echo $?; date +%s";
    let result = context
        .debian(&["--json", "--", "sh", "-c", script])
        .run()
        .expect(0)
        .json();
    let out = result["stdout"].as_str().unwrap();
    let (code, time) = out.trim().split_once('\n').unwrap();
    assert_eq!(code, "2", "getent's word for not found");
    let taken = result["duration_ms"].as_u64().unwrap();
    assert!(
        taken < 4500,
        "{taken} ms: a resolver that waits takes at least five seconds"
    );

    let time: u64 = time.parse().unwrap();
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(
        now.abs_diff(time) < 60,
        "the guest's clock is off: {time}, not {now}"
    );
}

#[test]
fn nothing_of_a_run_is_seen_by_the_next() {
    let context = TestContext::with(debian());
    let script = "cat /left /tmp/left 2>/dev/null; echo x > /left; echo x > /tmp/left; \
                  rm -rf /usr/bin/git; echo done";
    for _ in 0..2 {
        context.shell(script).run().expect(0).out_is("done\n");
    }
    context.debian(&["--", "git", "--version"]).run().expect(0);
}
