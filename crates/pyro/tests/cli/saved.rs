//! Workspaces that are saved as environments.

use std::process::Command;

use serde_json::{Value, json};

use crate::context::{TestContext, debian, directory_of};
use crate::environments::copy_cache;
use crate::instances::{Instance, Kind, id_in};
use crate::skip;

const NONE: &[&str] = &[];

/// Installs a package, and leaves files of all kinds.
const WORK: &str = r"
set -e
mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin
printf 'Package: mine\nVersion: 1\nArchitecture: all\nMaintainer: me <me@localhost>\nDescription: mine\n' \
    >/tmp/p/DEBIAN/control
printf '#!/bin/sh\necho it is installed\n' >/tmp/p/usr/bin/mine
chmod 755 /tmp/p/usr/bin/mine
dpkg-deb --root-owner-group --build /tmp/p /tmp/mine.deb >/dev/null
dpkg -i /tmp/mine.deb >/dev/null
rm -r /tmp/p /tmp/mine.deb /usr/share/perl5/Debian
mkdir /srv/of; echo x >/srv/of/file; chown -R 1234:2000000 /srv/of; chmod 2750 /srv/of
cp /bin/true /srv/setuid; chmod 4711 /srv/setuid
ln /srv/setuid /srv/again; ln -s nowhere /srv/link; mkfifo /srv/pipe; mknod /srv/null c 1 3
touch -d @1234567.5 /srv/old; echo work >file; truncate -s 100M holes
";
/// Shows them.
const SHOW: &str = r"
mine; dpkg -s mine | grep Status; ls /usr/share/perl5/Debian 2>&1 | head -n 1
stat -c '%n %F %a %u:%g %h %t:%T' /srv/of /srv/of/file /srv/setuid /srv/again /srv/pipe /srv/null
stat -c '%Y' /srv/old; readlink /srv/link; cat /workspace/file; stat -c %s /workspace/holes
stat -c '%n %a %u:%g' / /tmp /root
";

/// A context whose cache has an environment that is its own.
fn with_own_cache() -> TestContext {
    let filled = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    copy_cache(&filled, &context, &directory_of(debian()));
    copy_cache(&filled, &context, "kernels");
    context
}

fn create<'a>(context: &'a TestContext, environment: &str) -> Instance<'a> {
    let create = context.pyro(&["workspace", "create", environment, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    Instance::known(context, Kind::Workspace, id)
}

#[test]
fn a_workspace_that_was_saved_is_there_again_when_it_is_deleted() {
    let context = with_own_cache();
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask(WORK);
    let before = workspace.ask(SHOW);
    assert!(
        before.starts_with("it is installed\nStatus: install ok installed\n"),
        "{before}"
    );
    let save = |name: &str| context.pyro(&["env", "save", &workspace.id, name, "--json"]);
    // While it runs, and goes on.
    let saved = save("mine").limit(120).run().expect(0).json();
    assert_eq!(saved["name"], "local:mine");
    assert_eq!(saved["installed"], true);
    assert_eq!(workspace.ask("cat file"), "work\n");
    save("Mine")
        .run()
        .expect(1)
        .json_error("image_name_invalid", true);
    // Stopped, and under the same name: the one of before has only its digest now.
    let first = create(&context, "local:mine");
    workspace.ask("echo more >more");
    workspace.call(&["stop"]).run().expect(0);
    save("local:mine").limit(120).run().expect(0);
    workspace.call(&["delete"]).run().expect(0);

    let again = create(&context, "local:mine");
    assert_eq!(again.ask(SHOW), before);
    assert_eq!(again.ask("cat more"), "more\n");
    first.call(&["stop"]).run().expect(0);
    first.call(&["start"]).run().expect(0);
    assert_eq!(first.ask(&format!("{SHOW} test ! -e more")), before);
    context
        .pyro(&["run", "local:mine", "--", "mine"])
        .run()
        .expect(0)
        .out_is("it is installed\n");

    let list = context
        .pyro(&["env", "list", "--json"])
        .run()
        .expect(0)
        .json();
    let names: Vec<_> = list["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert!(names.contains(&&json!("local:mine")), "{names:?}");
    let remove = || {
        context
            .pyro(&["env", "remove", "local:mine", "--json"])
            .run()
    };
    remove().expect(1).json_error("environment_in_use", true);
    again.call(&["delete"]).run().expect(0);
    remove().expect(0);
    let gone = context
        .pyro(&["run", "local:mine", "--json", "--", "true"])
        .run();
    gone.json_error("image_not_pulled", true);
    // Nothing of it is left but what the other workspace uses.
    context.pyro(&["env", "prune"]).run().expect(0);
    first.call(&["stop"]).run().expect(0);
    first.call(&["start"]).run().expect(0);
}

#[test]
fn what_is_exported_is_an_image_for_pyro_and_for_others_or_skip() {
    let context = with_own_cache();
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo exported >/srv/file; chown 1234 /srv/file");
    let save = context.pyro(&["env", "save", &workspace.id, "mine:2"]);
    save.limit(120).run().expect(0);
    let mut files = Vec::new();
    for (option, kind) in [("--oci", "oci-archive"), ("--docker", "docker-archive")] {
        let path = context.path(kind);
        let file = path.to_str().unwrap();
        let export = || context.pyro(&["env", "export", "local:mine:2", option, file, "--json"]);
        let exported = export().limit(120).run().expect(0).json();
        assert_eq!(exported["format"], kind);
        assert_eq!(exported["bytes_written"], path.metadata().unwrap().len());
        // It is there now.
        export().run().expect(1);
        let name = format!("{kind}:{file}");
        let run = context.pyro(&["run", &name, "--", "stat", "-c", "%u", "/srv/file"]);
        run.limit(120).run().expect(0).out_is("1234\n");
        files.push((name, exported));
    }
    let none = context.path("none");
    let catalog = [
        "env",
        "export",
        debian(),
        "--oci",
        none.to_str().unwrap(),
        "--json",
    ];
    context
        .pyro(&catalog)
        .run()
        .expect(1)
        .json_error("environment_no_image", true);
    assert!(!none.exists());
    for (name, _) in files {
        let inspected = Command::new("skopeo")
            .args(["inspect", "--config", &name])
            .output();
        let Ok(inspected) = inspected else {
            skip!(
                "what_is_exported_is_an_image_for_pyro_and_for_others",
                "this host has no skopeo (Debian: skopeo)"
            );
        };
        assert!(inspected.status.success(), "{name}: {inspected:?}");
        let config: Value = serde_json::from_slice(&inspected.stdout).unwrap();
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_guest_that_sends_more_than_the_disk_may_take_is_ended() {
    let context = TestContext::with(debian()).with_variable("PYRO_MAX_DISK_MIB", "400");
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("truncate -s 1T endless");
    let save = context.pyro(&["env", "save", &workspace.id, "endless", "--json"]);
    let refused = save.limit(300).run().expect(1);
    refused.json_error("disk_limit", false);
    workspace.ask("true");
}

#[test]
fn what_cannot_be_saved_is_refused() {
    let context = TestContext::with(debian());
    let save = |id: &str, name: &str| {
        let save = context.pyro(&["env", "save", id, name, "--json"]);
        save.run().expect(1)
    };
    save("0123456789ab", "mine").json_error("not_found", true);
    for name in ["", "local:", "a b", "../a", "local:a@sha256:00"] {
        save("0123456789ab", name).json_error("image_name_invalid", true);
    }
}
