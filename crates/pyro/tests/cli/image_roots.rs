//! Root file systems that are not like Debian's, as environments: each boots, runs what it has, and
//! is restored from a template.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::image_registry::{Image, Registry};
use crate::images::{layer, set_up};
use crate::instances::{Instance, Kind, id_in};
use crate::process::Finished;
use crate::skip;
use crate::templates::{has, phases};

/// Programs without a shell.
const PROGRAMS: &str = r"
cd /
tar -ch bin/cat bin/id bin/env bin/echo bin/sleep \
    $(ldd /bin/cat /bin/id /bin/env /bin/echo /bin/sleep | grep -o '/lib[^ ]*' | sort -u | sed 's,^/,,')
";
/// A shell and a few programs.
const SHELL: &str = r"
cd /
tar -ch --exclude=bin/sh --transform='s,^bin/dash,bin/sh,' bin/dash bin/cat bin/ls bin/stat \
    $(ldd /bin/dash /bin/cat /bin/ls /bin/stat | grep -o '/lib[^ ]*' | sort -u | sed 's,^/,,')
";

fn of_debian(script: &str) -> Vec<u8> {
    let context = TestContext::with(debian());
    context.shell(script).run().expect(0).stdout
}

/// Puts an image of these layers into a registry, and pulls it.
fn pulled(
    registry: &Registry,
    context: &TestContext,
    name: &str,
    layers: Vec<Vec<u8>>,
    config: Value,
) -> String {
    let image = Image {
        layers,
        config,
        architecture: "amd64",
    };
    registry.push(name, "1", &image);
    let name = registry.name(&format!("{name}:1"));
    context.pyro(&["env", "pull", &name]).run().expect(0);
    name
}

/// Runs a command, which must not boot a machine.
#[track_caller]
fn restored(context: &TestContext, name: &str, words: &[&str]) -> Finished {
    let run = context
        .pyro(&["run", "--trace", name, "--"])
        .args(words)
        .run();
    let phases = phases(&run);
    assert!(!has(&phases, "kernel_and_agent"), "{run:?}");
    run
}

#[test]
fn an_image_without_a_shell_runs_programs_and_what_it_is_made_for() {
    let (registry, context) = set_up();
    let config = json!({"Entrypoint": ["/bin/echo", "it says:"], "Cmd": ["a  b", "$HOME"]});
    let name = pulled(
        &registry,
        &context,
        "bare",
        vec![of_debian(PROGRAMS)],
        config,
    );
    restored(&context, &name, &["echo", "a  b", "$HOME", "|", "'"])
        .expect(0)
        .out_is("a  b $HOME | '\n");
    let missing = restored(&context, &name, &["no-such-program"]).expect(1);
    missing.err_has("no-such-program").err_has("not found");
    let made_for = context.pyro(&["run", &name]).run();
    made_for.expect(0).out_is("it says: a  b $HOME\n");
    let with = ["run", "--with-entrypoint", "--json", &name, "--", "more"];
    let result = context.pyro(&with).run().expect(0).json();
    assert_eq!(result["stdout"], "it says: more\n");
    assert_eq!(result["command"], "/bin/echo 'it says:' more");

    let create = context.pyro(&["workspace", "create", &name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    let exec = |words: &[&str]| {
        workspace
            .call(&["exec"])
            .args(&["--json", "--"])
            .args(words)
            .run()
    };
    assert_eq!(exec(&["echo", "x y"]).expect(0).json()["stdout"], "x y\n");
    // A first word like this is a variable for a shell.
    exec(&["A=1", "env"])
        .expect(1)
        .json_error("command_needs_shell", true);
    let shell = workspace.call(&["shell", "open"]);
    let shell = shell.args(&["--json"]).run().expect(1);
    shell.json_error("command_needs_shell", true);
    let service = |options: &[&str]| {
        let start = workspace
            .call(&["service", "start"])
            .args(&["web", "--json"]);
        start.args(options).args(&["--", "sleep", "1000"]).run()
    };
    let refused = service(&["--ready-command", "test -e x && echo"]).expect(1);
    refused.json_error("command_needs_shell", true);
    let started = service(&["--ready-command", "cat /etc/hosts"]).expect(0);
    assert_eq!(started.json()["state"], "running");
}

#[test]
fn what_is_to_run_has_to_be_known() {
    let (registry, context) = set_up();
    let fails = |words: &[&str], code: &str| {
        let run = context.pyro(&["run", "--json"]).args(words).run();
        run.expect(1).json_error(code, true)
    };
    fails(&["debian:12"], "command_required");
    let with = ["--with-entrypoint", "debian:12", "--", "true"];
    fails(&with, "invalid_input");
    let name = pulled(
        &registry,
        &context,
        "bare",
        vec![of_debian(PROGRAMS)],
        json!({}),
    );
    let error = fails(&[&name], "command_required");
    assert!(
        error["error"].as_str().unwrap().contains("image"),
        "{error}"
    );
    fails(&["--with-entrypoint", &name, "--", "id"], "invalid_input");
}

#[test]
fn odd_files_where_the_guest_has_its_own_are_replaced() {
    let (registry, context) = set_up();
    let odd = layer(&[
        ("etc/", 0o500, 0, Ok("")),
        ("etc/hostname/", 0o755, 0, Ok("")),
        ("etc/hostname/file", 0o644, 0, Ok("odd")),
        (
            "etc/resolv.conf",
            0o777,
            0,
            Err("../run/systemd/resolve/stub-resolv.conf"),
        ),
        ("dev", 0o644, 0, Ok("a file")),
        ("proc", 0o777, 0, Err("nowhere")),
        ("sys", 0o777, 0, Err("/etc/shadow")),
        ("tmp", 0o777, 0, Err("/var/tmp")),
        ("workspace", 0o644, 0, Ok("a file")),
        ("root", 0o777, 0, Err("/home/nobody")),
    ]);
    let name = pulled(
        &registry,
        &context,
        "odd",
        vec![of_debian(SHELL), odd],
        json!({}),
    );
    let script = "ls /proc/self/exe /dev/null /sys/kernel && stat -c '%F %a' /etc /etc/hostname \
                  /etc/resolv.conf && cat /etc/hostname";
    let run = restored(&context, &name, &["sh", "-c", script]).expect(0);
    let said = run.out();
    assert!(
        said.contains("directory 500\nregular file 644\nregular file 644\npyro-"),
        "{run:?}"
    );
    let create = context.pyro(&["workspace", "create", &name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    workspace.ask("cat /etc/hostname");
}

/// Stands in for a shell: says what it was given.
const MUSL_SHELL: &str = r#"
#include <stdio.h>
int main(int count, char **words) {
    printf("musl: %s\n", count == 3 ? words[2] : "?");
    return 0;
}
"#;

#[test]
fn a_shell_of_another_c_library_runs_or_skip() {
    let test = "a_shell_of_another_c_library_runs";
    let (registry, context) = set_up();
    let (source, program) = (context.path("sh.c"), context.path("sh"));
    fs::write(&source, MUSL_SHELL).unwrap();
    let Ok(made) = Command::new("musl-gcc")
        .arg("-o")
        .args([&program, &source])
        .status()
    else {
        skip!(test, "this host has no musl-gcc (Debian: musl-tools)");
    };
    assert!(made.success());
    let loader = "lib/ld-musl-x86_64.so.1";
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_path_with_name(&program, "bin/sh").unwrap();
    let library = fs::canonicalize(format!("/{loader}")).unwrap();
    builder.append_path_with_name(library, loader).unwrap();
    let name = pulled(
        &registry,
        &context,
        "musl",
        vec![builder.into_inner().unwrap()],
        json!({}),
    );
    restored(&context, &name, &["a b"])
        .expect(0)
        .out_is("musl: 'a b'\n");
    restored(&context, &name, &["c"])
        .expect(0)
        .out_is("musl: c\n");
}
