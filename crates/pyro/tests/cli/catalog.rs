//! What each environment of the catalog has to do. Tests use the one that the suite runs in and the
//! one for agents, of another release; with `PYRO_TEST_FULL` all of them.
//!
//! Nothing here is tested more closely than elsewhere: `PYRO_TEST_ENVIRONMENT` runs the whole suite in
//! another environment.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind};
use crate::network::{missing, own_address};
use crate::ports::host_port;
use crate::service_ports::ask;
use crate::services::{SERVER, start};
use crate::shells::Shell;
use crate::skip;

const AGENT: &str = "debian:13-agent";

/// The environments to test, each installed, and what the catalog says of it.
fn environments() -> Vec<(TestContext, Value)> {
    let all = TestContext::new().pyro(&["env", "list", "--json"]).run();
    let all = all.expect(0).json();
    let full = std::env::var_os("PYRO_TEST_FULL").is_some();
    let all = all["environments"].as_array().unwrap().iter();
    let catalog = all.filter(|entry| entry["oci_registry"].is_null());
    let wanted = |name: &str| full || name == debian() || name == AGENT;
    catalog
        .filter(|entry| wanted(name(entry)))
        .map(|entry| (TestContext::with(name(entry)), entry.clone()))
        .collect()
}

fn name(entry: &Value) -> &str {
    entry["name"].as_str().unwrap()
}

#[track_caller]
fn run(context: &TestContext, entry: &Value, options: &[&str], script: &str) -> String {
    let run = context.pyro(&["-q", "run", name(entry)]).args(options);
    let run = run.args(&["--", "sh", "-c", script]).run();
    run.expect(0).out()
}

#[test]
fn each_has_the_release_the_kernel_and_the_programs_that_it_promises() {
    for (context, entry) in environments() {
        let name = name(&entry);
        let version = entry["distribution_version"].as_str().unwrap();
        let facts = run(
            &context,
            &entry,
            &[],
            "uname -r; cat /etc/debian_version; cat /proc/1/comm",
        );
        let facts: Vec<&str> = facts.lines().collect();
        let kernel = match version {
            "12" => "6.1.",
            "13" => "6.12.",
            other => panic!("{other}"),
        };
        assert!(facts[0].starts_with(kernel), "{name}: {facts:?}");
        assert!(facts[1].starts_with(version), "{name}: {facts:?}");
        assert_eq!(facts[2], "pyro-guest", "{name}");

        let packages = entry["default_packages"].as_array().unwrap().iter();
        let packages: Vec<&str> = packages.map(|one| one.as_str().unwrap()).collect();
        // What is called otherwise than its package.
        let programs = packages.join(" ").replace("coreutils", "ls");
        let script = format!(
            "for program in {programs}; do $program --version > out || echo none: $program; done; \
             dpkg-query -W -f '${{db:Status-Status}}\\n' {} | sort -u",
            packages.join(" ")
        );
        assert_eq!(run(&context, &entry, &[], &script), "installed\n", "{name}");
    }
}

#[test]
fn each_has_a_clock_that_is_right_and_sleeps_as_long_as_it_is_told() {
    for (context, entry) in environments() {
        let begun = Instant::now();
        let script = "date +%s; cut -d' ' -f1 /proc/uptime; sleep 2; cut -d' ' -f1 /proc/uptime";
        let out = run(&context, &entry, &[], script);
        let taken = begun.elapsed();
        let numbers: Vec<f64> = out.lines().map(|line| line.parse().unwrap()).collect();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let off = now.as_secs_f64() - numbers[0];
        assert!(off.abs() < 60.0, "{}: {off}", name(&entry));
        let slept = Duration::from_secs_f64(numbers[2] - numbers[1]);
        assert!(
            // The kernel prints hundredths, rounded down.
            slept >= Duration::from_millis(1985),
            "{}: {slept:?}",
            name(&entry)
        );
        assert!(slept <= taken, "{}: {slept:?} of {taken:?}", name(&entry));
    }
}

#[test]
fn each_keeps_workspaces_with_their_files() {
    for (context, entry) in environments() {
        let seed = context.path("seed");
        fs::create_dir(&seed).unwrap();
        fs::write(seed.join("begun"), "with\n").unwrap();
        let create = context.pyro(&["workspace", "create", name(&entry), "--id-only"]);
        let id = create.args(&["--seed-path".as_ref(), seed.as_os_str()]);
        let id = id.run().expect(0).out().trim().to_owned();
        let workspace = Instance::known(&context, Kind::Workspace, id);
        assert_eq!(workspace.ask("cat begun; echo more >> begun"), "with\n");
        let diff = workspace.call(&["diff"]).run().expect(0).out();
        assert!(diff.ends_with("@@ -1 +1,2 @@\n with\n+more\n"), "{diff}");

        let source = context.path("pushed");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("file"), "pushed\n").unwrap();
        workspace.push(&source).run().expect(0);
        let snapshot = workspace.call(&["snapshot", "create"]);
        snapshot.args(&["saved"]).run().expect(0);
        workspace.ask("rm begun file; echo x > /root/outside");
        let reset = ["reset", "--snapshot", "saved"];
        workspace.call(&reset).run().expect(0);
        let files = "cat begun file; ls /root";
        assert_eq!(workspace.ask(files), "with\nmore\npushed\n");
        workspace.call(&["stop"]).run().expect(0);
        workspace.call(&["start"]).run().expect(0);
        assert_eq!(workspace.ask(files), "with\nmore\npushed\n");
        workspace.call(&["reset"]).run().expect(0);
        assert_eq!(workspace.ask("cat *"), "with\n");
    }
}

#[test]
fn each_has_services_with_ports_and_shells() {
    for (context, entry) in environments() {
        let create = context.pyro(&["workspace", "create", name(&entry), "--id-only"]);
        let id = create.run().expect(0).out().trim().to_owned();
        let workspace = Instance::known(&context, Kind::Workspace, id);
        let mut shell = Shell::open(&workspace, &[]);
        shell.write("cd /tmp; kept=here\n");
        // IO::Socket is in Debian's smallest Perl.
        let options = ["--ready-tcp", "8000", "--publish", "8000"];
        let started = start(&workspace, "web", &options, SERVER).expect(0).json();
        let answer = ask(host_port(&started, 0)).unwrap();
        assert!(answer.ends_with("hello"), "{}: {answer}", name(&entry));
        shell.write("echo $kept in $PWD\n");
        shell.read("here in /tmp");
    }
}

#[test]
fn each_reaches_what_its_network_may_reach_or_skip() {
    if let Some(why) = missing() {
        skip!("each_reaches_what_its_network_may_reach_or_skip", "{why}");
    }
    let listener = TcpListener::bind((own_address().unwrap(), 0)).unwrap();
    let to = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let script = format!(
        "timeout 20 bash -c 'exec 3<>/dev/tcp/{}/{}' && echo reached",
        to.ip(),
        to.port()
    );
    for (context, entry) in environments() {
        let context = context.with_variable("PYRO_NETWORK_ALLOW", to.to_string());
        let reached = run(&context, &entry, &["--network"], &script);
        assert_eq!(reached, "reached\n", "{}", name(&entry));
    }
}
