//! Images in files and directories, and what is kept of images, as users see it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::context::{TestContext, path_with};
use crate::image_registry::{Image, digest};
use crate::images::{image, layer, set_up};
use crate::instances::{Instance, Kind, id_in};
use crate::mcp_client::{Client, Era};
use crate::skip;

/// An image of nothing but a few names, which is no environment that runs anything.
fn tiny(content: &str) -> Image {
    Image {
        layers: vec![layer(&[("content", 0o644, 0, Ok(content))])],
        config: json!({}),
        architecture: "amd64",
    }
}

fn config(image: &Image) -> Vec<u8> {
    let digests: Vec<_> = image.layers.iter().map(|layer| digest(layer)).collect();
    let config = json!({
        "architecture": image.architecture, "os": "linux", "config": image.config,
        "rootfs": {"type": "layers", "diff_ids": digests},
    });
    serde_json::to_vec(&config).unwrap()
}

/// Writes a tar file of files, and of links, which have no content.
pub(crate) fn tar(members: &[(String, Result<Vec<u8>, String>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match content {
            Ok(content) => {
                header.set_size(content.len() as u64);
                builder
                    .append_data(&mut header, name, &content[..])
                    .unwrap();
            }
            Err(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, name, target).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// What `podman save` writes: layers first, links to them, and the manifest at the end.
pub(crate) fn docker_archive(images: &[(&str, &Image)]) -> Vec<u8> {
    let mut members = Vec::new();
    let mut manifest = Vec::new();
    for (tag, image) in images {
        let mut layers = Vec::new();
        for layer in &image.layers {
            let name = format!("{}.tar", &digest(layer)[7..]);
            members.push((name.clone(), Ok(layer.clone())));
            let link = format!("{}/layer.tar", &digest(layer)[7..19]);
            members.push((link.clone(), Err(format!("../{name}"))));
            layers.push(link);
        }
        let config = config(image);
        let name = format!("{}.json", &digest(&config)[7..]);
        members.push((name.clone(), Ok(config)));
        manifest.push(json!({"Config": name, "RepoTags": [tag], "Layers": layers}));
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    members.push(("manifest.json".into(), Ok(manifest)));
    tar(&members)
}

/// The files of a layout, and links between them.
pub(crate) type Members = Vec<(String, Result<Vec<u8>, String>)>;

/// Adds a blob to a layout. Returns its descriptor.
pub(crate) fn add_blob(members: &mut Members, media_type: &str, bytes: &[u8]) -> Value {
    let name = format!("blobs/sha256/{}", &digest(bytes)[7..]);
    members.push((name, Ok(bytes.to_vec())));
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// Adds an image to a layout. Returns the descriptor of its manifest.
pub(crate) fn add_image(members: &mut Members, image: &Image) -> Value {
    let mut blob = |kind: &str, bytes: &[u8]| {
        add_blob(members, &format!("application/vnd.oci.image.{kind}"), bytes)
    };
    let layers = image.layers.iter();
    let layers: Vec<_> = layers.map(|layer| blob("layer.v1.tar", layer)).collect();
    let config = blob("config.v1+json", &config(image));
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
    blob("manifest.v1+json", &serde_json::to_vec(&manifest).unwrap())
}

/// Adds what makes a layout of its blobs: the tag of one of them.
pub(crate) fn finish_layout(members: &mut Members, mut entry: Value, tag: &str) {
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    members.push(("index.json".into(), Ok(serde_json::to_vec(&index).unwrap())));
    let marker = json!({"imageLayoutVersion": "1.0.0"});
    members.push((
        "oci-layout".into(),
        Ok(serde_json::to_vec(&marker).unwrap()),
    ));
}

/// The files of an OCI layout.
pub(crate) fn layout(image: &Image, tag: &str) -> Members {
    let mut members = Members::new();
    let entry = add_image(&mut members, image);
    finish_layout(&mut members, entry, tag);
    members
}

fn refused(context: &TestContext, arguments: &[&str], code: &str) -> String {
    // Before the command.
    let end = arguments.iter().position(|word| *word == "--");
    let (options, command) = arguments.split_at(end.unwrap_or(arguments.len()));
    let call = context.pyro(options).args(&["--json"]).args(command);
    let run = call.run().expect(1);
    run.json_error(code, true)["error"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn inspected(context: &TestContext, name: &str) -> Value {
    let run = context.pyro(&["env", "inspect", name, "--json"]).run();
    run.expect(0).json()
}

#[test]
fn an_archive_is_an_environment_and_another_one_when_it_is_written_again() {
    let (_registry, context) = set_up();
    let mut image = image();
    let file = context.path("home").join("app.tar");
    fs::write(&file, docker_archive(&[("localhost/app:1", &image)])).unwrap();
    // Relative to where the user is.
    let name = "docker-archive:app.tar";
    let run = |words: &[&str]| context.pyro(&["run", name, "--"]).args(words).run();
    let first = run(&["hello"]).expect(0);
    assert_eq!(first.out(), "hello from ada in /app/deep as 1234\n");
    assert!(
        first.err().contains("note: importing docker-archive:/"),
        "{}",
        first.err()
    );
    let again = run(&["hello"]).expect(0);
    assert!(!again.err().contains("importing"), "{}", again.err());
    let shown = inspected(&context, name);
    assert_eq!(shown["name"], format!("docker-archive:{}", file.display()));
    assert_eq!(
        (&shown["installed"], &shown["oci_registry"]),
        (&json!(true), &Value::Null)
    );
    assert!(shown["size_bytes"].as_u64().unwrap() > 0);

    let create = context.pyro(&["workspace", "create", name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    image
        .layers
        .push(layer(&[("app/new", 0o755, 0, Ok("#!/bin/sh\necho new\n"))]));
    fs::write(&file, docker_archive(&[("localhost/app:1", &image)])).unwrap();
    context
        .pyro(&["run", "--pull", "never", name, "--", "new"])
        .run()
        .expect(127);
    run(&["new"]).expect(0).out_is("new\n");
    fs::remove_file(&file).unwrap();
    refused(&context, &["run", name, "--", "true"], "image_unreadable");
    // The workspace keeps its image, which has no name but this any more.
    workspace.call(&["stop"]).run().expect(0);
    context.pyro(&["env", "prune"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("command -v new || echo old"), "old\n");
}

#[test]
fn layouts_and_packed_ones_are_the_same_image_and_are_chosen_by_tag() {
    let (_registry, context) = set_up();
    let members = layout(&image(), "1");
    let directory = context.path("home").join("layout");
    for (name, content) in &members {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.as_ref().unwrap()).unwrap();
    }
    fs::write(context.path("home").join("packed.tar"), tar(&members)).unwrap();
    let run = |name: &str| context.pyro(&["run", name, "--", "hello"]).run();
    run("oci-layout:layout:1").expect(0);
    // The same digest: nothing is unpacked once more.
    let packed = run("oci-archive:packed.tar").expect(0);
    packed.out_is("hello from ada in /app/deep as 1234\n");
    let versions = ["oci-layout:layout:1", "oci-archive:packed.tar"]
        .map(|name| inspected(&context, name)["version"].clone());
    assert_eq!(versions[0], versions[1]);
    let error = refused(
        &context,
        &["run", "oci-layout:layout:2", "--", "true"],
        "image_not_found",
    );
    assert!(error.contains("it has: 1"), "{error}");

    // A name goes, and the image with the last one.
    let list = |context: &TestContext| {
        fs::read_dir(context.cache().join("oci/images"))
            .unwrap()
            .filter(|entry| {
                !entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with('.')
            })
            .count()
    };
    context
        .pyro(&["env", "remove", "oci-layout:layout:1"])
        .run()
        .expect(0);
    assert_eq!(list(&context), 1);
    let removed = context.pyro(&["env", "remove", "oci-archive:packed.tar", "--json"]);
    let removed = removed.run().expect(0).json();
    assert!(
        removed["freed_bytes"].as_u64().unwrap() > 1 << 20,
        "{removed}"
    );
    assert_eq!(list(&context), 0);
    let blobs = fs::read_dir(context.cache().join("oci/blobs/sha256")).unwrap();
    assert_eq!(blobs.count(), 0);
    refused(
        &context,
        &["env", "remove", "oci-archive:packed.tar"],
        "environment_not_installed",
    );
}

#[test]
fn what_is_no_archive_of_an_image_is_refused_and_nothing_is_left() {
    let context = TestContext::new().with_own_cache();
    let home = context.path("home");
    let whole = docker_archive(&[("app:1", &tiny("x")), ("app:2", &tiny("y"))]);
    let mut wrong = layout(&tiny("x"), "1");
    let Ok(spoilt) = &mut wrong[0].1 else {
        panic!("the layer comes first")
    };
    spoilt[0] ^= 1;
    let outside = |target: &str| {
        let manifest = json!([{"Config": "c", "Layers": [], "RepoTags": []}]);
        let manifest = serde_json::to_vec(&manifest).unwrap();
        tar(&[
            ("c".into(), Err(target.into())),
            ("manifest.json".into(), Ok(manifest)),
        ])
    };
    for (file, content, code) in [
        ("text", b"no tar".to_vec(), "image_invalid"),
        ("empty", Vec::new(), "image_invalid"),
        ("cut", whole[..700].to_vec(), "image_invalid"),
        ("two", whole, "image_not_found"),
        ("wrong", tar(&wrong), "image_invalid"),
        ("absolute", outside("/etc/hostname"), "image_invalid"),
        (
            "above",
            outside("../../../../../etc/hostname"),
            "image_invalid",
        ),
        ("circle", outside("c"), "image_invalid"),
    ] {
        fs::write(home.join(file), content).unwrap();
        for kind in ["docker-archive", "oci-archive"] {
            let name = format!("{kind}:{file}");
            let error = refused(&context, &["run", &name, "--", "true"], code);
            assert!(error.contains(file) || code != "image_not_found", "{error}");
            assert_eq!(inspected(&context, &name)["installed"], false);
        }
    }
    refused(
        &context,
        &["env", "pull", "docker-archive:none"],
        "image_unreadable",
    );
    refused(
        &context,
        &["env", "pull", "docker-archive:-"],
        "image_name_invalid",
    );
    refused(
        &context,
        &["env", "pull", "oci-layout:text"],
        "image_unreadable",
    );
    let downloads = context.cache().join("oci/downloads");
    let left = fs::read_dir(downloads)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| !name.to_string_lossy().starts_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_model_reads_no_file_of_the_host_as_an_image() {
    let context = TestContext::new()
        .with_own_cache()
        .with_variable("PYRO_PULL_FROM", "docker.io,docker-archive:,docker");
    let file = context.path("home").join("app.tar");
    fs::write(&file, docker_archive(&[("app:1", &tiny("x"))])).unwrap();
    let mut client = Client::start(&context, Era::Modern, &[]);
    for name in [
        format!("docker-archive:{}", file.display()),
        "docker-archive:/etc/shadow".into(),
        "oci-layout:/etc".into(),
        "docker:app".into(),
        "podman:app".into(),
    ] {
        let request = json!({"environment": name, "command": "true", "pull": "always"});
        for tool in ["vm_run", "vm_create", "env_pull"] {
            let mut request = request.clone();
            if tool != "vm_run" {
                request.as_object_mut().unwrap().remove("command");
            }
            let call = client.call(tool, &request);
            let result = client.response(call)["result"].clone();
            let code = &result["_meta"]["pyro/error"]["code"];
            assert_eq!(code, "image_not_pulled", "{tool} {name}: {result}");
        }
    }
    client.finish();
}

#[test]
fn prune_removes_what_interrupted_pulls_left_and_what_nobody_uses() {
    let (registry, context) = set_up();
    let small = tiny("small");
    registry.push("app", "1", &small);
    let name = registry.name("app:1");
    let run = |name: &str| context.pyro(&["run", name, "--", "true"]).run();
    // It has no shell: what matters here is that it is installed.
    run(&name);
    assert_eq!(inspected(&context, &name)["installed"], true);
    let oci = context.cache().join("oci");
    let make = |path: &str| {
        let path = oci.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        path
    };
    let dead = make("images/.partial-0123-x/install/rootfs.erofs");
    let import = make("downloads/.partial-import-x/1");
    let (old, new) = (make("downloads/1.part"), make("downloads/2.part"));
    let ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let file = fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(ago).unwrap();
    let blob = make("blobs/sha256/0123");
    let unnamed = make(&format!("images/{}/rootfs.erofs", "0".repeat(64)));
    // Somebody pulls: nothing is touched.
    let lock = fs::File::options()
        .write(true)
        .open(oci.join(".lock"))
        .unwrap();
    lock.lock_shared().unwrap();
    context.pyro(&["env", "prune"]).run().expect(0);
    assert!(dead.exists() && import.exists() && blob.exists());
    drop(lock);
    let pruned = context
        .pyro(&["env", "prune", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(pruned["count"], 3, "{pruned}");
    for gone in [&dead, &import, &old, &blob, &unnamed] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    assert!(new.exists());
    assert_eq!(inspected(&context, &name)["installed"], true);

    let create = context
        .pyro(&["vm", "create", &name, "--json"])
        .run()
        .expect(0);
    let vm = Instance::known(&context, Kind::Vm, id_in(&create.json(), Kind::Vm));
    let mark =
        Path::new(inspected(&context, &name)["install_dir"].as_str().unwrap()).join("last-used");
    let age = || {
        let file = fs::File::options().append(true).open(&mark).unwrap();
        file.set_modified(ago).unwrap();
        let pins = fs::read_dir(oci.join("pins")).unwrap();
        for pin in pins {
            let path = pin.unwrap().path();
            let mut pin: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            pin["pulled_at"] = 1.into();
            fs::write(&path, serde_json::to_vec(&pin).unwrap()).unwrap();
        }
    };
    let unused = || {
        context
            .pyro(&["env", "prune", "--unused-days", "7"])
            .run()
            .expect(0)
    };
    age();
    unused();
    assert_eq!(inspected(&context, &name)["installed"], true);
    let error = refused(&context, &["env", "remove", &name], "environment_in_use");
    assert!(error.contains("vm "), "{error}");
    vm.call(&["delete"]).run().expect(0);
    // A use is noted.
    run(&name);
    unused();
    assert_eq!(inspected(&context, &name)["installed"], true);
    age();
    unused();
    assert_eq!(inspected(&context, &name)["installed"], false);
    let pull_never = context.pyro(&["run", "--pull", "never", &name, "--json", "--", "true"]);
    pull_never
        .run()
        .expect(1)
        .json_error("image_not_pulled", true);
    context
        .pyro(&["env", "prune", "--unused-days", "0"])
        .run()
        .expect(1);
}

#[test]
fn docker_hands_an_image_over_and_what_it_says_is_passed_on() {
    let (_registry, context) = set_up();
    let file = context.path("saved.tar");
    fs::write(&file, docker_archive(&[("app:1", &image())])).unwrap();
    // A program that stands for Docker's: its service cannot be had in a test.
    let script = format!(
        "test \"$*\" = 'save -- app:1' && exec cat {}\necho \"no such image: $3\" >&2; exit 1",
        file.display()
    );
    let path = path_with(&context.fake("docker", &script));
    let run = |name: &str| {
        context
            .pyro(&["run", name, "--json", "--", "hello"])
            .env("PATH", &path)
            .run()
    };
    assert_eq!(
        run("docker:app:1").expect(0).json()["stdout"],
        "hello from ada in /app/deep as 1234\n"
    );
    let error = run("docker:other")
        .expect(1)
        .json_error("image_storage_failed", true);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("no such image: other"),
        "{error}"
    );
    let nowhere = context
        .pyro(&["run", "podman:x", "--json", "--", "true"])
        .env("PATH", "/nowhere");
    nowhere
        .run()
        .expect(1)
        .json_error("image_storage_failed", true);
}

#[test]
fn what_skopeo_writes_is_read_or_skip() {
    if !Command::new("skopeo")
        .arg("--version")
        .output()
        .is_ok_and(|run| run.status.success())
    {
        skip!("what_skopeo_writes_is_read_or_skip", "there is no skopeo");
    }
    let (_registry, context) = set_up();
    let home = context.path("home");
    fs::write(home.join("in.tar"), tar(&layout(&image(), "1"))).unwrap();
    for (target, options, name) in [
        (
            "docker-archive:d.tar:localhost/app:2",
            &[][..],
            "docker-archive:d.tar:app:2",
        ),
        ("oci-archive:o.tar:3", &[], "oci-archive:o.tar:3"),
        (
            "oci:layout:4",
            &["--dest-compress", "--dest-compress-format", "zstd"],
            "oci-layout:layout:4",
        ),
    ] {
        let copied = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "-q"])
            .args(options)
            .args(["oci-archive:in.tar:1", target])
            .current_dir(&home)
            .output()
            .unwrap();
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        let run = context.pyro(&["run", name, "--", "hello"]).run().expect(0);
        run.out_is("hello from ada in /app/deep as 1234\n");
    }
}
