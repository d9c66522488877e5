//! Isolation of the VMM from the host: the report of `doctor`, required mechanisms, and hosts with
//! fewer mechanisms.

use std::fs;

use serde_json::Value;

use crate::context::{TestContext, debian};
use crate::process::Pyro;
use crate::skip;

/// The system calls that an unprivileged container refuses.
const NAMESPACES: [(i64, i32); 2] = [
    (libc::SYS_unshare, libc::EPERM),
    (libc::SYS_mount, libc::EPERM),
];
/// The behaviour of a kernel with Landlock disabled.
const LANDLOCK: [(i64, i32); 1] = [(libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP)];

/// The mechanism of this name in a report of `doctor`.
fn piece<'a>(report: &'a Value, name: &str) -> &'a Value {
    let pieces = report["isolation"].as_array().unwrap();
    let found = pieces.iter().find(|piece| piece["piece"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

fn report(doctor: Pyro) -> Value {
    doctor.args(&["doctor", "--json"]).run().expect(0).json()
}

fn boots_and_restores(pyro: &impl Fn() -> Pyro) {
    for options in [&["--cold"] as &[&str], &[]] {
        let run = pyro().args(options).args(&["-q", "run", debian()]);
        run.args(&["--", "uname", "-s"])
            .run()
            .expect(0)
            .out_is("Linux\n");
    }
}

/// A host that lacks a mechanism still runs guests and reports the lack, but refuses to run them if
/// the mechanism is required.
fn runs_without(name: &str, reason: &str, with_less: impl Fn(Pyro) -> Pyro) {
    let context = TestContext::with(debian());
    let pyro = || with_less(context.pyro(&[] as &[&str]));
    let report = report(pyro());
    assert_eq!(piece(&report, name)["in_force"], false, "{report:#}");
    let detail = piece(&report, name)["detail"].as_str().unwrap();
    assert!(detail.contains(reason), "{detail}");
    assert_eq!(report["runtime_ok"], true, "{report:#}");

    boots_and_restores(&pyro);
    let required = ["--require-isolation", name];
    let run = pyro().args(&required).args(&["run", debian(), "--json"]);
    let error = run
        .args(&["--", "true"])
        .run()
        .json_error("isolation_missing", true);
    assert!(error["error"].as_str().unwrap().contains(name), "{error}");
    let doctor = pyro().env("PYRO_REQUIRE_ISOLATION", name);
    doctor.args(&["doctor"]).run().expect(1).err_lacks("panic");
}

#[test]
fn without_namespaces_guests_run_and_doctor_says_so() {
    runs_without("namespaces", "namespaces", |pyro| pyro.refused(&NAMESPACES));
}

#[test]
fn without_landlock_guests_run_and_doctor_says_so() {
    runs_without("landlock", "switched off", |pyro| pyro.refused(&LANDLOCK));
}

#[test]
fn with_neither_guests_run() {
    let refused = [LANDLOCK.as_slice(), &NAMESPACES].concat();
    runs_without("landlock", "switched off", |pyro| pyro.refused(&refused));
}

#[test]
fn an_older_landlock_is_used_as_far_as_it_goes_or_skip() {
    if !cfg!(feature = "weaker-cell") {
        skip!(
            "an_older_landlock_is_used_as_far_as_it_goes",
            "the program was built without the feature weaker-cell"
        );
    }
    let context = TestContext::with(debian());
    let pyro = || {
        let pyro = context.pyro(&[] as &[&str]);
        pyro.env("PYRO_TEST_CELL", "landlock=2")
    };
    let report = report(pyro());
    let landlock = piece(&report, "landlock");
    assert_eq!(landlock["in_force"], true, "{landlock}");
    let detail = landlock["detail"].as_str().unwrap();
    assert!(detail.starts_with("version 2, which does not know truncation"));
    boots_and_restores(&pyro);
}

#[test]
fn what_can_be_required_is_named() {
    let context = TestContext::new();
    let all = "landlock,seccomp,capabilities,limits,namespaces";
    let required = ["--require-isolation", all, "doctor", "--json"];
    let report = context.pyro(&required).run().json();
    let pieces = report["isolation"].as_array().unwrap();
    let names: Vec<&str> = pieces
        .iter()
        .map(|p| p["piece"].as_str().unwrap())
        .collect();
    assert_eq!(names.join(","), all);
    let unknown = ["--require-isolation", "moat", "doctor"];
    context.pyro(&unknown).run().expect(2).err_has("namespaces");
    let variable = context.pyro(&["env", "list", "--json"]);
    let error = variable.env("PYRO_REQUIRE_ISOLATION", "moat").run();
    let error = error.json_error("invalid_variable", true);
    assert!(error.to_string().contains("landlock"), "{error}");
}

/// The kernel's view of the VMM of a running machine, and of its supervisor.
#[test]
fn the_vmm_has_nothing_but_its_machine() {
    let context = TestContext::with(debian());
    let create = ["workspace", "create", debian(), "--json"];
    let created = context.pyro(&create).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();

    let machines = fs::read_dir(context.base().join("vms")).unwrap().flatten();
    let locks = machines.map(|entry| entry.path().join("vmm.lock"));
    let lock = locks.into_iter().find(|path| path.exists()).unwrap();
    let pid = fs::read_to_string(&lock).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in [
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "no {line} in {status}");
    }
    // Two of its supervisor, ours, and QEMU's own.
    let filters = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:\t"));
    assert!(filters.is_none_or(|number| number == "4"), "{filters:?}");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for (limit, value) in [("Max core file size", "0"), ("Max open files", "256")] {
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        let soft = line[limit.len()..].split_whitespace().next();
        assert_eq!(soft, Some(value), "{line}");
    }
    let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    assert_eq!(score.trim(), "500");

    // Its only open files are /dev/null, its disks, its lock (for reading), and anonymous ones.
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap();
        let target = target.to_string_lossy();
        let number = entry.file_name().into_string().unwrap();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:\t"));
        let may_write = u32::from_str_radix(flags.unwrap(), 8).unwrap() & 3 != 0;
        let known = target == "/dev/null"
            || target.starts_with("socket:")
            || target.starts_with("anon_inode:")
            || target.ends_with("/disk.ext4")
            || (target.ends_with("/vmm.lock") && !may_write)
            || (target.ends_with("/rootfs.erofs") && !may_write)
            || (target.ends_with("/no-seed") && !may_write)
            || (target.ends_with("/memory") && !may_write);
        assert!(known, "{number} is {target}, {flags:?}");
    }
    context.pyro(&["workspace", "delete", &id]).run().expect(0);
}

/// A clone's memory is private; the template's file does not change, and the VMM cannot change it.
#[test]
fn a_templates_memory_is_only_read() {
    let context = TestContext::with(debian());
    context.debian(&["--", "true"]).run().expect(0);
    let mut run = context
        .shell("head -c 100000000 /dev/urandom >/dev/shm/x; echo written; sleep 60")
        .start();
    run.wait_for_stdout("written");
    let machines = fs::read_dir(context.base().join("vms")).unwrap().flatten();
    let locks = machines.map(|entry| entry.path().join("vmm.lock"));
    let lock = locks.into_iter().find(|path| path.exists()).unwrap();
    let pid = fs::read_to_string(&lock).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mapped = maps.lines().find(|line| line.ends_with("/memory")).unwrap();
    assert!(mapped.contains(" rw-p "), "{mapped}");
    let mut seen = false;
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        if fs::read_link(entry.path()).unwrap().ends_with("memory") {
            let number = entry.file_name().into_string().unwrap();
            let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
            assert!(
                info.contains("flags:\t0100000") || info.contains("flags:\t02100000"),
                "{info}"
            );
            seen = true;
        }
    }
    assert!(seen, "the memory's file is not open");
    run.signal(rustix::process::Signal::INT);
    run.finish();
}
