//! Images of a registry, as environments of real microVMs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::image_registry::{Image, Registry, digest};
use crate::instances::{Instance, Kind, id_in};
use crate::mcp_client::{Client, Era};

/// Makes a small root file system of the programs of another one.
const ROOT: &str = r"
cd /
tar -ch --exclude=bin/sh bin/dash bin/cat bin/id bin/env bin/ls \
    $(ldd /bin/dash /bin/cat /bin/id /bin/env /bin/ls | grep -o '/lib[^ ]*' | sort -u | sed 's,^/,,')
";

/// A registry, and a context whose cache has a kernel and nothing else.
pub(crate) fn set_up() -> (Registry, TestContext) {
    let filled = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    let kernels = "linux-x86_64/kernels";
    copy(
        &filled.cache().join(kernels),
        &context.cache().join(kernels),
    );
    (Registry::start(), context)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A tar file of files, links and directories: name, mode, owner, and content, or where a link leads.
pub(crate) fn layer(members: &[(&str, u32, u64, Result<&str, &str>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, owner, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_mtime(0);
        match content {
            Err(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, name, target).unwrap();
            }
            Ok(_) if name.ends_with('/') => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, name, &[][..]).unwrap();
            }
            Ok(content) => {
                header.set_size(content.len() as u64);
                builder
                    .append_data(&mut header, name, content.as_bytes())
                    .unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// An image with a shell, a few programs, a user and a program of its own.
pub(crate) fn image() -> Image {
    let context = TestContext::with(debian());
    let root = context.shell(ROOT).run().expect(0).stdout;
    let own = layer(&[
        ("bin/sh", 0o777, 0, Err("dash")),
        (
            "etc/passwd",
            0o644,
            0,
            Ok("root:x:0:0::/root:/bin/sh\nada:x:1234:1234::/home/ada:/bin/sh\n"),
        ),
        ("etc/group", 0o644, 0, Ok("root:x:0:\nada:x:1234:\n")),
        (
            "etc/os-release",
            0o644,
            0,
            Ok("ID=tiny\nVERSION_ID=\"7\"\n"),
        ),
        ("home/ada/", 0o700, 1234, Ok("")),
        (
            "app/hello",
            0o755,
            0,
            Ok("#!/bin/sh\necho \"hello from $GREETER in $PWD as $(id -u)\"\n"),
        ),
    ]);
    Image {
        layers: vec![root, own, layer(&[("bin/.wh.ls", 0, 0, Ok(""))])],
        config: json!({
            "Env": ["PATH=/app:/bin", "GREETER=ada"], "WorkingDir": "/app/deep", "User": "ada",
        }),
        architecture: "amd64",
    }
}

fn blobs(asked: &[String]) -> usize {
    asked.iter().filter(|path| path.contains("/blobs/")).count()
}

#[test]
fn an_image_runs_as_it_says_and_is_pulled_once() {
    let (registry, context) = set_up();
    let digest = registry.push("team/app", "1", &image());
    let name = registry.name("team/app:1");
    let run = |words: &[&str]| context.pyro(&["run", &name, "--"]).args(words).run();
    run(&["hello"])
        .expect(0)
        .out_is("hello from ada in /app/deep as 1234\n");
    assert_eq!(blobs(&registry.asked()), 4);
    // Whatever is asked for wins.
    let asked = [
        "run",
        "--user",
        "root",
        "-e",
        "GREETER=eve",
        "--cwd",
        "/",
        &name,
        "--",
        "hello",
    ];
    context
        .pyro(&asked)
        .run()
        .expect(0)
        .out_is("hello from eve in / as 0\n");
    // The layer on top has deleted it.
    run(&["ls"]).expect(127);
    run(&["sh", "-c", "test -d ~ && id -un"])
        .expect(0)
        .out_is("ada\n");
    let result = context
        .pyro(&["run", "--json", &name, "--", "true"])
        .run()
        .expect(0)
        .json();
    assert_eq!(result["environment"], name);
    assert_eq!(
        result["environment_version"],
        digest["sha256:".len()..][..12]
    );
    assert_eq!(registry.asked(), Vec::<String>::new());

    let shown = context
        .pyro(&["env", "inspect", &name, "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(shown["installed"], true);
    assert_eq!(
        shown["oci_registry"],
        format!("localhost:{}", registry.port)
    );
    assert_eq!(shown["oci_repository"], "team/app");
    assert_eq!(shown["oci_reference"], "1");
    assert_eq!(shown["source_digest"], digest["sha256:".len()..]);
    assert_eq!(
        (&shown["distribution"], &shown["distribution_version"]),
        (&json!("tiny"), &json!("7"))
    );
    let list = context
        .pyro(&["env", "list", "--json"])
        .run()
        .expect(0)
        .json();
    let newest = list["environments"].as_array().unwrap().last().unwrap();
    assert_eq!(newest["name"], name, "after those of the catalog");
}

#[test]
fn a_tag_stands_for_what_was_pulled_until_it_is_pulled_again() {
    let (registry, context) = set_up();
    let mut image = image();
    registry.push("app", "1", &image);
    let name = registry.name("app:1");
    let create = context.pyro(&["workspace", "create", &name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    assert_eq!(
        workspace.ask("hello; : >~/mine; pwd"),
        "hello from ada in /workspace as 1234\n/workspace\n"
    );
    registry.asked();

    // A layer more, and the others are there already.
    image
        .layers
        .push(layer(&[("app/new", 0o755, 0, Ok("#!/bin/sh\necho new\n"))]));
    registry.push("app", "1", &image);
    context.pyro(&["run", &name, "--", "new"]).run().expect(127);
    assert_eq!(registry.asked(), Vec::<String>::new());
    context.pyro(&["env", "pull", &name]).run().expect(0);
    let asked = registry.asked();
    // The new layer and the configuration.
    assert_eq!(blobs(&asked), 2, "{asked:?}");
    context
        .pyro(&["run", &name, "--", "new"])
        .run()
        .expect(0)
        .out_is("new\n");

    // The workspace keeps its image.
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    let now = "test -e ~/mine && echo mine; command -v new || echo old";
    assert_eq!(workspace.ask(now), "mine\nold\n");
}

#[test]
fn what_cannot_be_an_environment_is_refused_by_name() {
    let (registry, context) = set_up();
    let fails = |name: &str, code: &str| -> Value {
        let run = context
            .pyro(&["run", "--json", name, "--", "true"])
            .run()
            .expect(1);
        run.json_error(code, true)
    };
    let error = fails(&registry.name("none:1"), "image_not_found");
    assert!(
        error["error"].as_str().unwrap().contains("none:1"),
        "{error}"
    );
    fails(&registry.name("Capital:1"), "unknown_environment");
    fails("oci:Capital:1", "image_name_invalid");

    let mut foreign = image();
    foreign.architecture = "arm64";
    registry.push("foreign", "1", &foreign);
    fails(&registry.name("foreign:1"), "image_platform_missing");

    let image = image();
    registry.push("damaged", "1", &image);
    let blob = digest(&image.layers[1]);
    registry.spoil(|path, content| {
        if path.ends_with(&blob) {
            content[0] ^= 1;
        }
    });
    let name = registry.name("damaged:1");
    fails(&name, "image_invalid");
    let shown = context
        .pyro(&["env", "inspect", &name, "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(shown["installed"], false);
    // Once it is right, it is downloaded again.
    registry.asked();
    registry.push("damaged", "1", &image);
    context.pyro(&["run", &name, "--", "true"]).run().expect(0);
    let asked = registry.asked();
    assert!(asked.iter().any(|path| path.ends_with(&blob)), "{asked:?}");
}

#[test]
fn a_model_uses_what_is_there_and_pulls_what_it_may() {
    let (registry, context) = set_up();
    let image = image();
    registry.push("mine/app", "1", &image);
    registry.push("other/app", "1", &image);
    let names = [registry.name("mine/app:1"), registry.name("other/app:1")];
    let run = |client: &mut Client, name: &str| {
        let call = client.call("vm_run", &json!({"environment": name, "command": "hello"}));
        client.response(call)["result"].clone()
    };
    let is_refused = |result: &Value| result["_meta"]["pyro/error"]["code"] == "image_not_pulled";
    let mut client = Client::start(&context, Era::Modern, &[]);
    for name in &names {
        let refused = run(&mut client, name);
        assert!(is_refused(&refused), "{refused}");
    }
    client.finish();
    assert_eq!(registry.asked(), Vec::<String>::new());

    let context = context.with_variable("PYRO_PULL_FROM", registry.name("mine"));
    let mut client = Client::start(&context, Era::Modern, &[]);
    assert!(is_refused(&run(&mut client, &names[1])));
    let output = run(&mut client, &names[0]);
    assert_eq!(output["structuredContent"]["exit_code"], 0, "{output}");
    // What a person has pulled is for models, too.
    context.pyro(&["env", "pull", &names[1]]).run().expect(0);
    assert_eq!(
        run(&mut client, &names[1])["structuredContent"]["exit_code"],
        0
    );
    client.finish();
}
