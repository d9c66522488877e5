//! Files in the guest behave like files on a disk, whether they come from the environment, a seed,
//! or a command.

use std::fs;

use crate::context::{TestContext, debian};
use crate::instances::Instance;

#[test]
fn a_repository_that_came_as_a_seed_is_worked_on_as_on_a_disk() {
    let context = TestContext::with(debian());
    let source = context.path("home/repository");
    fs::create_dir_all(source.join("src/deep")).unwrap();
    for name in ["src/main.c", "src/deep/file", "hard"] {
        fs::write(source.join(name), name).unwrap();
    }
    let workspace = Instance::workspace(&context, &["--seed-path", source.to_str().unwrap()]);
    workspace.ask(
        "git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm all && \
         git mv src lib && test -f lib/deep/file && test ! -e src",
    );
    // A rename is not a copy, even for files of the environment.
    let rename = "perl -e 'rename($ARGV[0], $ARGV[1]) or die $!'";
    workspace.ask(&format!(
        "{rename} lib again && {rename} /usr/share/doc /usr/share/docs"
    ));
    // Renamed files exist after a restart of the machine.
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    workspace.ask("cat again/deep/file && test ! -e lib && test -d /usr/share/docs/bash");
    workspace.ask("mkdir src && echo new >src/main.c && ls src | grep -qx main.c");
}

/// Programs identify files by inode number: `tail -F`, `tar`, `rsync`, `git`.
#[test]
fn a_file_keeps_its_number_when_it_is_written() {
    let context = TestContext::with(debian());
    let source = context.path("home/seed");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("file"), "one\n").unwrap();
    let workspace = Instance::workspace(&context, &["--seed-path", source.to_str().unwrap()]);
    workspace.ask(
        "for file in file /etc/hostname /etc/passwd; do
             before=$(stat -c %d:%i $file); echo more >>$file; after=$(stat -c %d:%i $file)
             test $before = $after || { echo $file $before $after; exit 1; }
         done",
    );
    // Everything is one file system for `find -xdev` and `cp -x`.
    workspace.ask("test $(stat -c %d / /workspace /etc/passwd /usr/bin/env | sort -u | wc -l) = 1");
}

#[test]
fn a_default_directory_is_no_demand() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("rm -rf /workspace");
    assert_eq!(workspace.ask("pwd; ls -A"), "/workspace\n");
    workspace.ask("rmdir /workspace; echo >/workspace");
    assert_eq!(workspace.ask("pwd; rm /workspace"), "/\n");
    assert_eq!(workspace.ask("pwd"), "/workspace\n");
}

#[test]
fn a_bundler_can_watch_its_modules() {
    let context = TestContext::with(debian());
    let limits =
        "cat /proc/sys/fs/inotify/max_user_watches /proc/sys/fs/inotify/max_user_instances";
    context
        .shell(limits)
        .run()
        .expect(0)
        .out_is("524288\n1024\n");
}

#[test]
fn another_user_can_open_the_streams_of_a_command() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let script = "su -s /bin/sh nobody -c 'cat /dev/stdin >/dev/stdout; echo err >/dev/stderr'";
    for run in [context.shell(script), workspace.shell(script)] {
        run.stdin("in\n")
            .run()
            .expect(0)
            .out_is("in\n")
            .err_has("err\n");
    }
}
