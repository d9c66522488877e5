//! What names in the real registry stand for: a tag that moves, and an index of several platforms.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::context::TestContext;
use crate::front::{Front, Reply};
use crate::image_archives::{Members, add_blob, add_image, finish_layout, tar};
use crate::image_registry::Image;
use crate::images::{image, layer, set_up};
use crate::instances::{Instance, Kind, id_in};
use crate::real_registry::{
    PROGRAMS, RealRegistry, arrives, inspected, is_there, missing, named, refused, works,
};
use crate::skip;

/// The image, with another program.
fn newer(mut image: Image) -> Image {
    let new = layer(&[("app/new", 0o755, 0, Ok("#!/bin/sh\necho new\n"))]);
    image.layers.push(new);
    image
}

/// Which of both images a run with this policy has.
#[track_caller]
fn run(context: &TestContext, policy: &str, name: &str) -> String {
    let script = "command -v new || echo old";
    let run = context.pyro(&["run", "--pull", policy, name, "--", "sh", "-c", script]);
    run.run().expect(0).out()
}

#[test]
fn a_tag_of_a_real_registry_moves_when_it_is_asked_to_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_tag_of_a_real_registry_moves_when_it_is_asked_to_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let registry = RealRegistry::start(&context, "");
    let image = image();
    let old = registry.push("team/app:1", &image, &[]);
    let name = registry.name("team/app:1");
    let fails = |policy: &str, name: &str, code: &str| {
        let words = ["run", "--pull", policy, "--json", name, "--", "true"];
        context.pyro(&words).run().json_error(code, true);
    };
    fails("never", &name, "image_not_pulled");
    fails("missing", &registry.name("team/none:1"), "image_not_found");
    assert_eq!(run(&context, "missing", &name), "old\n");
    let create = context.pyro(&["workspace", "create", &name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);

    let new = registry.push("team/app:1", &newer(image), &[]);
    assert_ne!(old, new);
    for policy in ["missing", "never"] {
        assert_eq!(run(&context, policy, &name), "old\n");
    }
    is_there(&context, &name, &old);
    assert_eq!(run(&context, "always", &name), "/app/new\n");
    is_there(&context, &name, &new);
    assert_eq!(run(&context, "never", &name), "/app/new\n");
    // A digest is the old one for ever, and the workspace has it.
    let pinned = registry.name(&format!("team/app@{old}"));
    assert_eq!(run(&context, "always", &pinned), "old\n");
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("command -v new || echo old"), "old\n");

    // Without the registry there is what was pulled, unless it shall be asked.
    drop(registry);
    for policy in ["missing", "never"] {
        assert_eq!(run(&context, policy, &name), "/app/new\n");
    }
    fails("always", &name, "registry_unavailable");
    for kind in ["vm", "workspace"] {
        let create = |policy: &str| {
            let create = context.pyro(&[kind, "create", "--pull", policy, &name, "--json"]);
            create.run()
        };
        create("always").json_error("registry_unavailable", true);
        let created = create("never").expect(0).json();
        let kind = if kind == "vm" {
            Kind::Vm
        } else {
            Kind::Workspace
        };
        let instance = Instance::known(&context, kind, id_in(&created, kind));
        instance.call(&["delete"]).run().expect(0);
    }
}

#[test]
fn a_tag_moves_when_all_of_its_image_is_there_and_never_asks_nobody_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_tag_moves_when_all_of_its_image_is_there_and_never_asks_nobody_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let registry = RealRegistry::start(&context, "");
    let (port, image) = (registry.port, image());
    let works = Arc::new(AtomicBool::new(true));
    let has_layers = works.clone();
    let front = Front::start(move |request, _| {
        let reply = request.forward(port);
        // A configuration is small.
        let is_layer = request.path.contains("/blobs/") && reply.body.starts_with(GZIP);
        if is_layer && !has_layers.load(Ordering::SeqCst) {
            // So long that nobody tries again.
            return Reply::new(503, "no layers today").with("retry-after", "3600");
        }
        reply
    });
    let name = named(front.port, "team/app:1");
    let pull = |policy: &str, name: &str| {
        let pull = context.pyro(&["env", "pull", "--pull", policy, name, "--json"]);
        pull.run()
    };
    let old = registry.push("team/app:1", &image, &[]);
    pull("missing", &name).expect(0);
    is_there(&context, &name, &old);

    let new = registry.push("team/app:1", &newer(image), &[]);
    works.store(false, Ordering::SeqCst);
    pull("always", &name).json_error("registry_unavailable", true);
    // What was there is there, for those, too, who ask nobody.
    front.asked();
    for policy in ["missing", "never"] {
        pull(policy, &name).expect(0);
        is_there(&context, &name, &old);
    }
    assert!(front.asked().is_empty());
    works.store(true, Ordering::SeqCst);
    pull("always", &name).expect(0);
    is_there(&context, &name, &new);

    // A layer is lost, and what was made of it.
    let manifest: Value = serde_json::from_slice(&registry.raw("team/app:1")).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let oci = context.cache().join("oci");
    let layer = oci.join("blobs/sha256").join(&layer["sha256:".len()..]);
    fs::remove_file(layer).unwrap();
    let installed = inspected(&context, &name)["install_dir"].clone();
    fs::remove_dir_all(installed.as_str().unwrap()).unwrap();
    front.asked();
    pull("never", &name).json_error("image_not_pulled", true);
    assert!(front.asked().is_empty());
    pull("missing", &name).expect(0);
    is_there(&context, &name, &new);
    let asked = front.asked();
    assert_eq!(asked.len(), 1, "only for the layer: {asked:?}");
}

/// How a layer begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// An index as BuildKit makes it, in a layout: of images, each with what attests how it was made.
fn index(images: &[&Image]) -> Vec<u8> {
    let mut members = Members::new();
    let mut entries = Vec::new();
    for image in images {
        let mut entry = add_image(&mut members, image);
        entry["platform"] = json!({"os": "linux", "architecture": image.architecture});
        let attestation = attestation(&mut members, &entry);
        entries.extend([entry, attestation]);
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": entries,
    });
    let index = serde_json::to_vec(&index).unwrap();
    let entry = add_blob(&mut members, INDEX, &index);
    finish_layout(&mut members, entry, "1");
    members.dedup_by(|a, b| a.0 == b.0);
    tar(&members)
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn attestation(members: &mut Members, of: &Value) -> Value {
    let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": []});
    let statement = serde_json::to_vec(&statement).unwrap();
    let layer = add_blob(members, "application/vnd.in-toto+json", &statement);
    let config = json!({
        "architecture": "unknown", "os": "unknown", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let config = add_blob(members, "application/vnd.oci.image.config.v1+json", &config);
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let mut entry = add_blob(members, manifest_type, &manifest);
    entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": of["digest"],
    });
    entry
}

#[test]
fn an_index_of_a_real_registry_leads_to_this_platform_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "an_index_of_a_real_registry_leads_to_this_platform_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let registry = RealRegistry::start(&context, "");
    let ours = image();
    let foreign = Image {
        architecture: "arm64",
        layers: vec![layer(&[("arm64", 0o644, 0, Ok("x"))])],
        ..ours.clone()
    };
    registry.push_layout("team/app:1", &index(&[&foreign, &ours]), &["--all"]);
    let raw: Value = serde_json::from_slice(&registry.raw("team/app:1")).unwrap();
    let entries = raw["manifests"].as_array().unwrap();
    let platforms: Vec<_> = entries
        .iter()
        .map(|entry| entry["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["arm64", "unknown", "amd64", "unknown"], "{raw}");
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| !entry["annotations"]["vnd.docker.reference.type"].is_null())
        .collect();
    assert_eq!(kinds, [false, true, false, true], "{raw}");
    let name = registry.name("team/app:1");
    works(&context, &name);
    // The image's digest, not that of the index.
    is_there(&context, &name, entries[2]["digest"].as_str().unwrap());

    registry.push_layout("team/foreign:1", &index(&[&foreign]), &["--all"]);
    registry.push("team/foreign:plain", &foreign, &[]);
    for tag in ["1", "plain"] {
        let name = registry.name(&format!("team/foreign:{tag}"));
        let error = refused(&context, &name, "image_platform_missing");
        let said = error["error"].to_string();
        assert!(said.contains("only for: linux/arm64\""), "{error}");
    }
    assert_eq!(inspected(&context, &name)["installed"], true);

    // An index that was asked for by its digest is the one that was asked for.
    let index = crate::image_registry::digest(&registry.raw("team/app:1"));
    let pinned = registry.name(&format!("team/app@{index}"));
    arrives(&context, &pinned, entries[2]["digest"].as_str().unwrap());
}
