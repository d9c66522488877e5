//! Environments that are built from Dockerfiles, each instruction in a real machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clones::count;
use crate::context::{TestContext, debian, directory_of};
use crate::environments::copy_cache;
use crate::skip;
use crate::sudden_deaths::{Chance, strike};

/// A context whose cache has an environment that is its own.
fn with_own_cache() -> TestContext {
    let filled = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    copy_cache(&filled, &context, &directory_of(debian()));
    copy_cache(&filled, &context, "kernels");
    context
}

/// Writes files to a directory of the context, and returns its path.
fn project(context: &TestContext, files: &[(&str, &str)]) -> String {
    let directory = context.path("project");
    for (name, content) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory.to_str().unwrap().to_owned()
}

fn build(context: &TestContext, words: &[&str]) -> Value {
    let words = [&["env", "build"], words, &["--json"]].concat();
    context.pyro(&words).limit(300).run().expect(0).json()
}

fn refused(context: &TestContext, words: &[&str]) -> Value {
    let words = [&["env", "build"], words, &["--json"]].concat();
    context.pyro(&words).limit(300).run().expect(1).json()
}

/// Asserts how many of the instructions that change files ran, and how many did not have to.
#[track_caller]
fn counts(built: &Value, run: u64, cached: u64) {
    let found = (&built["run_count"], &built["cached_count"]);
    assert_eq!(found, (&run.into(), &cached.into()), "{built}");
}

fn app(base: &str) -> String {
    format!(
        "ARG BASE={base}\n\
         FROM ${{BASE}} AS compile\n\
         WORKDIR /src\n\
         COPY main.sh lib/*.txt ./\n\
         ARG GREETING=hello\n\
         RUN sed -i \"s/GREETING/$GREETING/\" main.sh && chmod 755 main.sh\n\
         FROM ${{BASE}}\n\
         ENV APP=/opt/app PATH=/opt/app:$PATH\n\
         RUN echo ada:x:1000:1000::/home/ada:/bin/sh >>/etc/passwd; echo ada:x:1000: >>/etc/group; \\\n\
         # and has a comment\n\
         (sleep 600 &)\n\
         COPY --from=compile --chown=ada:ada /src $APP/\n\
         COPY --chmod=600 <<END /etc/app.conf\n\
         home = $APP\n\
         END\n\
         USER ada\n\
         WORKDIR /home/ada\n\
         EXPOSE 80\n\
         LABEL kind=test\n\
         ENTRYPOINT [\"main.sh\"]\n\
         CMD [\"world\"]\n"
    )
}

#[test]
fn two_stages_are_built_in_machines_and_found_again_in_the_cache() {
    let context = with_own_cache();
    let directory = project(
        &context,
        &[
            ("Dockerfile", &app(debian())),
            ("main.sh", "#!/bin/sh\necho GREETING $* from $(id -un)\n"),
            ("lib/a.txt", "a"),
            ("lib/b.txt", "b"),
            ("lib/c.md", "c"),
        ],
    );
    let first = build(&context, &[&directory, "-t", "app"]);
    assert_eq!(first["name"], "local:app");
    assert_eq!(first["installed"], true);
    counts(&first, 7, 0);
    let run = |words: &[&str]| context.pyro(&[&["run", "local:app"], words].concat()).run();
    run(&[]).expect(0).out_is("hello world from ada\n");
    let with = ["--with-entrypoint", "--", "you"];
    run(&with).expect(0).out_is("hello you from ada\n");
    let show = "pwd; cd $APP; stat -c '%n %U:%G %a' *; stat -c %a:%U /etc/app.conf; pgrep sleep";
    run(&["--", "sh", "-c", show])
        .expect(1)
        .out_is("/home/ada\na.txt ada:ada 644\nb.txt ada:ada 644\nmain.sh ada:ada 755\n600:root\n");
    let config = [
        "run",
        "local:app",
        "--user",
        "root",
        "--",
        "cat",
        "/etc/app.conf",
    ];
    context
        .pyro(&config)
        .run()
        .expect(0)
        .out_is("home = /opt/app\n");

    // Nothing changed: nothing runs, and it is the same image.
    let second = build(&context, &[&directory, "-t", "app"]);
    counts(&second, 0, 7);
    assert_eq!(second["source_digest"], first["source_digest"]);
    // No machine is started for that: each would be refused here.
    let words = ["env", "build", &directory, "-t", "app", "--json"];
    let without_room = context.pyro(&words).env("PYRO_MAX_DISK_MIB", "1");
    counts(&without_room.run().expect(0).json(), 0, 7);
    // A stage that has the same files by another command is copied from the cache.
    let text = app(debian()).replace("sed -i", "true; sed -i");
    project(&context, &[("Dockerfile", &text)]);
    counts(&build(&context, &[&directory, "-t", "app"]), 1, 6);
    // What changes a copied file runs from there on, and so does an argument.
    let main = Path::new(&directory).join("main.sh");
    fs::write(&main, "#!/bin/sh\necho GREETING again\n").unwrap();
    let third = build(&context, &[&directory, "-t", "app"]);
    counts(&third, 5, 2);
    run(&[]).expect(0).out_is("hello again\n");
    let argument = ["--build-arg", "GREETING=hej"];
    let words = [&[&*directory, "-t", "app:hej"], &argument[..]].concat();
    counts(&build(&context, &words), 4, 3);
    let run = ["run", "local:app:hej"];
    context.pyro(&run).run().expect(0).out_is("hej again\n");
    // One stage alone, and everything anew.
    let words = [
        &directory,
        "-t",
        "stage",
        "--target",
        "compile",
        "--no-cache",
    ];
    counts(&build(&context, &words), 3, 0);
    let run = ["run", "local:stage", "--", "ls", "/src"];
    context
        .pyro(&run)
        .run()
        .expect(0)
        .out_is("a.txt\nb.txt\nmain.sh\n");
}

#[test]
fn what_was_built_is_an_image_for_others_or_skip() {
    let context = with_own_cache();
    let text = format!("FROM {}\nRUN echo x >/x\nENV A=1\nCMD [\"sh\"]\n", debian());
    let directory = project(&context, &[("Dockerfile", &text)]);
    build(&context, &[&directory, "-t", "app:1"]);
    let file = context.path("app.tar");
    let file = file.to_str().unwrap();
    let export = ["env", "export", "local:app:1", "--docker", file];
    context.pyro(&export).limit(120).run().expect(0);
    let name = format!("docker-archive:{file}");
    let inspected = Command::new("skopeo")
        .args(["inspect", "--config", &name])
        .output();
    let Ok(inspected) = inspected else {
        skip!(
            "what_was_built_is_an_image_for_others",
            "this host has no skopeo (Debian: skopeo)"
        );
    };
    assert!(inspected.status.success(), "{inspected:?}");
    let config: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(config["config"]["Cmd"][0], "sh");
    let env = config["config"]["Env"].to_string();
    assert!(env.contains("A=1"), "{env}");
}

/// Each line is an instruction, what shows its result, and the result.
const COPIES: &str = r"
COPY a /one | cat /one | a
COPY a /etc | cat /etc/a | a
COPY a new/ | cat /new/a | a
COPY tree /t | cd /t; find . -type f | ./in/deep ./top
COPY tree/. /t2 | cd /t2; find . -type f | ./in/deep ./top
COPY a tree/top /many/ | ls /many | a top
COPY t*e/t?p /glob/ | ls /glob | top
COPY tool /bin/tool | readlink -f /bin/tool; test -L /bin; stat -c %a:%U /bin/tool | /usr/bin/tool 755:root
COPY --chown=1234 tree /o | stat -c %u:%g /o/in /o/top /etc | 1234:0 1234:0 0:0
COPY --chown=1234 rootfs / | stat -c %u:%a /etc /etc/mine; cat /etc/mine | 0:755 1234:644 mine
COPY --chown=daemon:www-data a /p | stat -c %U:%G /p | daemon:www-data
COPY --chmod=0711 a /q | stat -c %a /q | 711
COPY link /l | cat /l; test ! -L /l | a
COPY withlink /wl | readlink /wl/x | ../a
ADD a /added | cat /added | a
";

#[test]
fn files_are_copied_as_the_reference_says() {
    let context = with_own_cache();
    let files = [
        ("a", "a"),
        ("tool", "#!/bin/sh\n"),
        ("tree/top", ""),
        ("tree/in/deep", ""),
        ("tree/ignored.o", ""),
        ("withlink/file", ""),
        ("rootfs/etc/mine", "mine"),
        (".dockerignore", "**/*.o\n"),
    ];
    let cases: Vec<Vec<&str>> = COPIES
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(" | ").collect())
        .collect();
    let mut text = format!("FROM {}\nWORKDIR /\n", debian());
    for case in &cases {
        text.push_str(case[0]);
        text.push('\n');
    }
    let directory = project(&context, &[&files[..], &[("Dockerfile", &*text)]].concat());
    let at = |name: &str| Path::new(&directory).join(name);
    fs::set_permissions(at("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("a", at("link")).unwrap();
    std::os::unix::fs::symlink("../a", at("withlink/x")).unwrap();
    build(&context, &[&directory, "-t", "copies"]);
    let show = |case: &Vec<&str>| format!("({}) 2>&1 | sort | paste -sd ' '", case[1]);
    let script = cases.iter().map(show).collect::<Vec<_>>().join("\n");
    let run = context.pyro(&["run", "local:copies", "--", "sh", "-c", &script]);
    let shown = run.run().expect(0).out();
    for (case, line) in cases.iter().zip(shown.lines()) {
        let mut expected: Vec<&str> = case[2].split(' ').collect();
        expected.sort_unstable();
        assert_eq!(line, expected.join(" "), "{}", case[0]);
    }
    assert_eq!(shown.lines().count(), cases.len());
}

#[test]
fn an_image_from_nothing_has_what_was_copied() {
    let context = with_own_cache();
    let base = debian();
    let text = format!(
        "FROM {base} AS tools\n\
         RUN mkdir -p /out/lib64 && cp /bin/busybox /out/ 2>/dev/null || cp /bin/true /out/true; \
         cp --parents -L /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 /out\n\
         FROM scratch\n\
         COPY --from=0 /out /\n\
         COPY --from={base} /etc/debian_version /version\n\
         CMD [\"/true\"]\n"
    );
    let directory = project(&context, &[("Dockerfile", &text)]);
    build(&context, &[&directory, "-t", "small"]);
    let run = ["run", "local:small"];
    context.pyro(&run).run().expect(0).out_is("");
}

#[test]
fn a_failed_instruction_says_which_and_why() {
    let context = with_own_cache();
    let base = debian();
    let text = format!("FROM {base}\nRUN touch /kept\nRUN echo the reason >&2; exit 7\n");
    let directory = project(&context, &[("Dockerfile", &text)]);
    let error = refused(&context, &[&directory, "-t", "app"]);
    assert_eq!(error["code"], "build_step_failed");
    let message = error["error"].as_str().unwrap();
    assert!(
        message.starts_with("line 3 of the Dockerfile: RUN echo the reason"),
        "{message}"
    );
    assert!(message.ends_with("exit code 7"), "{message}");
    assert_eq!(error["cause"], "the reason");
    // What went well is not done again, and there is no network unless it is asked for.
    let text = format!("FROM {base}\nRUN touch /kept\nRUN wc -l </proc/net/route >/net\n");
    project(&context, &[("Dockerfile", &text)]);
    counts(&build(&context, &[&directory, "-t", "app"]), 1, 1);
    let run = ["run", "local:app", "--", "cat", "/net"];
    context.pyro(&run).run().expect(0).out_is("1\n");
    for (text, expected) in [
        (
            "RUN --mount=type=cache,target=/x ls",
            "RUN --mount is not supported",
        ),
        (
            "COPY none /x",
            "line 2 of the Dockerfile: there is no none in the context",
        ),
        ("COPY ../x /x", "is not in the context"),
        ("COPY --chown=nobody-knows a /x", "nobody-knows"),
        ("COPY --from=none-such/image a /x", "none-such"),
        ("USER nobody-knows\nRUN ls", "nobody-knows"),
    ] {
        let text = format!("FROM {base}\n{text}\n");
        project(&context, &[("Dockerfile", &text), ("a", "")]);
        let error = refused(&context, &[&directory, "-t", "app", "--pull", "never"]);
        let message = error["error"].as_str().unwrap();
        assert!(message.contains(expected), "{text}: {error}");
    }
    let error = refused(&context, &[&directory, "-t", "app", "--target", "none"]);
    assert_eq!(error["code"], "invalid_input");
}

#[test]
fn packages_and_commands_need_no_dockerfile() {
    let context = with_own_cache();
    let run = ["--run", "echo one >/one", "--run", "cp /one /two"];
    let words = [&["--from", debian(), "-t", "tools"], &run[..]].concat();
    counts(&build(&context, &words), 2, 0);
    counts(&build(&context, &words), 0, 2);
    let run = ["run", "local:tools", "--", "cat", "/two"];
    context.pyro(&run).run().expect(0).out_is("one\n");
    let wrong = ["--from", debian(), "-t", "x", "--packages", "jq;reboot"];
    let message = refused(&context, &wrong)["error"].clone();
    assert_eq!(message, "'jq;reboot' is no name of a package");
    let failing = ["--from", debian(), "-t", "x", "--run", "exit 3"];
    let message = refused(&context, &failing)["error"].clone();
    assert_eq!(message, "option run: RUN exit 3: exit code 3");
    // Kept steps go when they are not used for long; what was built stays.
    let pruned = context.pyro(&["env", "prune"]).run().expect(0).out();
    assert!(!pruned.contains("build/"), "{pruned}");
    let kept = context.cache().join("build");
    for entry in fs::read_dir(&kept).unwrap().flatten() {
        let used = entry.path().join("last-used");
        let old = fs::File::options().create(true).append(true).open(used);
        if let Ok(old) = old {
            old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
    }
    let pruned = context.pyro(&["env", "prune"]).run().expect(0).out();
    assert_eq!(pruned.matches("build/").count(), 3, "{pruned}");
    context
        .pyro(&["run", "local:tools", "--", "cat", "/two"])
        .run()
        .expect(0)
        .out_is("one\n");
}

/// Kills whoever builds, or its machine, at random moments: what was built before is there, nothing
/// else is, and the next build ends.
#[test]
fn whoever_dies_during_a_build_the_next_one_ends() {
    let context = with_own_cache();
    let base = debian();
    let mut chance = Chance::new();
    let text = |round: usize| {
        format!(
            "FROM {base} AS one\n\
             RUN echo {round} >/round; head -c 3000000 /dev/urandom >/big\n\
             FROM {base}\n\
             COPY --from=one /round /big /from/\n\
             COPY file /copied\n\
             RUN sleep 0.3; cp /copied /run-{round}\n"
        )
    };
    let directory = project(&context, &[("Dockerfile", &text(0)), ("file", "content\n")]);
    let begun = Instant::now();
    build(&context, &[&directory, "-t", "app"]);
    let whole = u64::try_from(begun.elapsed().as_millis()).unwrap();
    for round in 1..=count(4, 100) {
        project(&context, &[("Dockerfile", &text(round))]);
        let victim = ["client", "VMM"][round % 2];
        let moment = Duration::from_millis(chance.below(whole));
        eprintln!("round {round}: the {victim} dies {moment:?} into it");
        let run = context.pyro(&["env", "build", &directory, "-t", "app", "--json"]);
        let ended = strike(&context, run.limit(300), victim, moment).finish();
        let expected = match (victim, ended.code) {
            (_, 0) => round,
            ("client", _) => round - 1,
            (_, code) => {
                assert_eq!(code, 1);
                let error = ended.json();
                assert!(error["remedy"].is_string(), "{error}");
                round - 1
            }
        };
        // The client may have died when the name was given already.
        let shown = context
            .pyro(&["run", "local:app", "--", "cat", "/from/round"])
            .run()
            .expect(0)
            .out();
        let shown: usize = shown.trim().parse().unwrap();
        assert!(
            shown == expected || shown == round,
            "{shown} in round {round}"
        );
        context.assert_nothing_is_left();
        build(&context, &[&directory, "-t", "app"]);
        let script = format!("cat /from/round /run-{round}; stat -c %s /from/big");
        let run = context.pyro(&["run", "local:app", "--", "sh", "-c", &script]);
        run.run()
            .expect(0)
            .out_is(&format!("{round}\ncontent\n3000000\n"));
        let kept = fs::read_dir(context.cache().join("build")).unwrap();
        for name in kept.flatten().map(|entry| entry.file_name()) {
            let name = name.to_str().unwrap();
            assert!(!name.starts_with('.') || name == ".lock", "{name} is left");
        }
    }
}
