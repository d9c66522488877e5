//! Directories that another user can write to or has prepared: pyro does not use them, and does not
//! kill processes, write files or trust records that they name.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::context::{TestContext, debian};
use crate::leftovers;
use crate::skip;

/// A user id without an account.
const STRANGER: u32 = 7002;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_that_others_can_write_is_refused_by_name() {
    let context = TestContext::with(debian());
    let base = context.base();
    fs::create_dir_all(&base).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o757] {
        set_mode(&base, mode);
        for words in [
            &["run", debian(), "--json", "--", "true"] as &[&str],
            &["env", "list", "--json"],
        ] {
            let error = context
                .pyro(words)
                .run()
                .json_error("directory_not_private", true);
            let text = error.to_string();
            assert!(
                text.contains(&*base.to_string_lossy()) && text.contains("chmod go-w"),
                "{text}"
            );
        }
    }
    set_mode(&base, 0o755);
    context.debian(&["--", "true"]).run().expect(0);
    // A user who can write to a parent directory can replace the directory.
    let way = context.path("way");
    fs::create_dir(&way).unwrap();
    set_mode(&way, 0o777);
    let run = context.debian(&["--json", "--", "true"]);
    let run = run.env("PYRO_BASE_DIR", way.join("base")).run();
    run.json_error("directory_not_private", true);
    assert!(!way.join("base").exists());
    let cache = context.path("cache");
    fs::create_dir(&cache).unwrap();
    set_mode(&cache, 0o777);
    let pull = context.pyro(&["env", "pull", debian(), "--json"]);
    let pull = pull.env("PYRO_ENVIRONMENT_CACHE_DIR", &cache).run();
    pull.json_error("directory_not_private", true);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn what_a_stranger_prepared_is_not_used_or_skip() {
    if !rustix::process::geteuid().is_root() {
        skip!(
            "what_a_stranger_prepared_is_not_used",
            "only root can be a stranger"
        );
    }
    let context = TestContext::with(debian());
    let base = context.base();
    let mut bystander = Command::new("sleep").arg("1000").spawn().unwrap();
    let planted = base.join("vms/aaaaaaaaaaaa");
    fs::create_dir_all(&planted).unwrap();
    fs::write(planted.join("owner.lock"), "").unwrap();
    fs::write(planted.join("vmm.lock"), bystander.id().to_string()).unwrap();
    let held = fs::File::open(planted.join("vmm.lock")).unwrap();
    held.lock().unwrap();
    fs::create_dir_all(base.join("parked")).unwrap();
    let listener = UnixListener::bind(base.join("parked/kind.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let secret = context.path("secret");
    fs::write(&secret, "precious").unwrap();
    let own = |path: &Path| chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    let all = [
        "",
        "vms",
        "vms/aaaaaaaaaaaa",
        "vms/aaaaaaaaaaaa/vmm.lock",
        "parked",
        "parked/kind.sock",
    ];

    // The directory itself, then only its contents.
    for keep in [0, 1] {
        for name in all.iter().skip(keep) {
            own(&base.join(name));
        }
        if keep == 1 {
            chown(&base, Some(0), Some(0)).unwrap();
        }
        let run = context
            .debian(&["--json", "--", "cat"])
            .stdin("my password")
            .run();
        let error = run.json_error("directory_not_private", true);
        assert!(error.to_string().contains(&STRANGER.to_string()), "{error}");
        assert!(listener.accept().is_err(), "the stranger was asked");
        assert!(
            bystander.try_wait().unwrap().is_none(),
            "the bystander was ended"
        );
    }

    // The owner is changed to this user later, as by a careless chown: the process that the lock
    // file names does not hold the lock, and files are not written through links.
    for name in all {
        chown(base.join(name), Some(0), Some(0)).unwrap();
    }
    context.debian(&["--", "true"]).run().expect(0);
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "the bystander was ended"
    );
    drop(held);
    fs::remove_dir_all(base.join("vms")).unwrap();
    symlink(context.path("elsewhere"), base.join("vms")).unwrap();
    fs::create_dir(context.path("elsewhere")).unwrap();
    context
        .debian(&["--json", "--", "true"])
        .run()
        .json_error("directory_not_private", true);
    fs::remove_file(base.join("vms")).unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), "precious");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

/// Regardless of the umask, other users cannot read or write the files of machines.
#[test]
fn modes_do_not_depend_on_the_umask() {
    let context = TestContext::with(debian());
    fs::create_dir_all(context.base()).unwrap();
    set_mode(&context.base(), 0o755);
    let scripted = |words: &[&str]| {
        let run = context.scripted("umask 000; exec \"$@\"", words);
        run.env("PYRO_PARKED_SECONDS", "30").run().expect(0)
    };
    scripted(&["run", debian(), "--", "true"]);
    let created = scripted(&["workspace", "create", debian(), "--json"]).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    scripted(&["workspace", "exec", &id, "--", "echo", "hello"]);
    let open = find_open(&context.base(), 0o077);
    assert!(open.is_empty(), "{open:#?}");
    // Other files may have been created by another version.
    let begun = fs::metadata(context.base().join("vms")).unwrap().ctime();
    let mut open = find_open(&context.cache().join("templates"), 0o077);
    open.retain(|(changed, _)| *changed >= begun);
    assert!(open.is_empty(), "{open:#?}");
    let writable = find_open(context.cache(), 0o022);
    assert!(writable.is_empty(), "{writable:#?}");
    scripted(&["workspace", "delete", &id]);
    end_parked(&context);
}

/// Ends the parked machine, and removes its leftovers.
pub(crate) fn end_parked(context: &TestContext) {
    leftovers::end(context.directory());
    context.pyro(&["env", "list"]).run().expect(0);
}

/// The entries below a directory that have one of these mode bits, with their change times.
fn find_open(directory: &Path, bits: u32) -> Vec<(i64, String)> {
    let mut open = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(is) = entry.metadata() else { continue };
        if is.is_symlink() {
            continue;
        }
        let mode = is.permissions().mode();
        if mode & bits != 0 {
            let shown = format!("{:o} {}", mode & 0o7777, entry.path().display());
            open.push((is.ctime(), shown));
        }
        if is.is_dir() {
            open.extend(find_open(&entry.path(), bits));
        }
    }
    open
}

/// Descriptors that pyro inherits are not passed on.
#[test]
fn descriptors_are_not_passed_on() {
    let context = TestContext::with(debian());
    let secret = context.path("secret");
    fs::write(&secret, "hunter2").unwrap();
    let lock = context.path("lock");
    fs::write(&lock, "").unwrap();
    let script = format!(
        "exec 9<{} 8<{}; flock 8; exec \"$@\"",
        secret.display(),
        lock.display()
    );
    let words = ["workspace", "create", debian(), "--json"];
    let created = context.scripted(&script, &words).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    let mut processes = 0;
    for (pid, arguments) in leftovers::scan(context.directory()) {
        processes += 1;
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            assert!(
                target != secret && target != lock,
                "{arguments} has {}",
                target.display()
            );
        }
    }
    assert!(processes >= 2, "a supervisor and a VMM");
    let held = fs::File::open(&lock).unwrap();
    assert!(held.try_lock().is_ok(), "the lock is still held");
    context.pyro(&["workspace", "delete", &id]).run().expect(0);
}
