//! Records on disk: who can read them, and unreadable records.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::context::{TestContext, debian, directory_of};
use crate::environments::copy_cache;
use crate::instances::{Instance, vmms};
use crate::templates::wait_until;

const NO_OPTIONS: &[&str] = &[];

#[test]
fn a_broken_record_stands_in_nobodys_way() {
    let context = TestContext::with(debian());
    let good = Instance::workspace(&context, NO_OPTIONS);
    let broken = Instance::workspace(&context, NO_OPTIONS);
    for (text, complaint) in [
        ("", "is broken"),
        ("{\"format\": 1}", "is broken"),
        (
            "{\"format\": 999, \"from\": \"the future\"}",
            "has format 999; this version knows formats up to",
        ),
    ] {
        fs::write(broken.directory().join("record.json"), text).unwrap();
        let list = context
            .pyro(&["workspace", "list", "--json"])
            .run()
            .expect(0);
        assert_eq!(list.json()["count"], 1);
        assert_eq!(
            list.json()["workspaces"][0]["workspace_id"],
            good.id.as_str()
        );
        let list = list.err_has(&broken.id).err_has(complaint);
        assert_eq!(list.err().matches("warning:").count(), 1, "{list:?}");
        let path = broken.directory().join("record.json");
        for verb in [&["status"][..], &["logs"], &["start"], &["stop"]] {
            let run = broken.call(verb).run().expect(1);
            run.err_has(complaint).err_has(path.to_str().unwrap());
        }
        broken.shell("true").run().expect(1).err_has(complaint);
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            text,
            "it is left as it is"
        );
    }
    assert_eq!(good.ask("echo alive"), "alive\n");
    broken.call(&["delete"]).run().expect(0);
    assert!(!broken.directory().exists());
    wait_until("its machine is gone", || vmms(&context).len() == 1);
}

#[test]
fn a_broken_log_entry_is_left_out_and_told_about() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    for number in 1..=3 {
        workspace.ask(&format!("echo {number}"));
    }
    fs::write(
        workspace.directory().join("history/000002/command.json"),
        "{",
    )
    .unwrap();
    let logs = workspace
        .call(&["logs", "--json"])
        .run()
        .expect(0)
        .err_has("000002");
    let logs = logs.json();
    let found: Vec<_> = logs["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["sequence"])
        .collect();
    assert_eq!(found, [1, 3]);
    workspace.ask("true");
    assert_eq!(workspace.status()["last_command"]["sequence"], 4);
}

#[test]
fn everything_is_its_owners_alone() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &["--seed-path", "."]);
    workspace.ask("echo secret");
    for name in ["", "vms", "workspaces"] {
        assert_eq!(mode(&context.base().join(name)), 0o700, "{name}");
    }
    let mut seen = 0;
    let mut directories = vec![workspace.directory()];
    while let Some(directory) = directories.pop() {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                seen += 1;
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    assert!(seen > 6, "{seen}");
}

#[test]
fn a_base_directory_with_a_long_path_will_do() {
    let context = TestContext::with(debian());
    let base = context.path(&format!("{}/{}", "long-".repeat(30), "longer-".repeat(20)));
    let pyro = |words: &[&str]| {
        context
            .pyro(words)
            .env("PYRO_BASE_DIR", &base)
            .run()
            .expect(0)
    };
    let made = pyro(&["workspace", "create", debian(), "--json"]).json();
    let id = made["workspace_id"].as_str().unwrap();
    pyro(&["workspace", "exec", id, "--", "echo", "hi"]).out_is("hi\n");
    pyro(&["workspace", "sync", "push", id, "."]);
    pyro(&["workspace", "stop", id]);
    pyro(&["workspace", "start", id]);
    pyro(&["workspace", "delete", id]);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The existing templates.
fn templates(context: &TestContext) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(context.cache().join("templates")).unwrap();
    let mut all: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn a_disk_that_is_damaged_or_gone_is_named_and_costs_no_template() {
    let source = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    for directory in [&*directory_of(debian()), "kernels", "initramfs"] {
        copy_cache(&source, &context, directory);
    }
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("echo kept >file");
    workspace.call(&["stop"]).run().expect(0);
    // Creates the template for machines with an existing disk.
    workspace.call(&["start"]).run().expect(0);
    workspace.call(&["stop"]).run().expect(0);
    let before = templates(&context);
    let disk = workspace.directory().join("disk.ext4");
    let whole = workspace.directory().join("whole");
    fs::rename(&disk, &whole).unwrap();

    let start = || workspace.call(&["start", "--json"]).run().expect(1);
    let error = start().json_error("file_missing", true);
    assert!(
        error["error"].as_str().unwrap().contains("disk.ext4"),
        "{error}"
    );
    assert!(!disk.exists() && !workspace.directory().join("supervisor.sock").exists());

    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    start().json_error("guest_setup_failed", true);
    assert_eq!(templates(&context), before);

    fs::rename(&whole, &disk).unwrap();
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "kept\n");
}
