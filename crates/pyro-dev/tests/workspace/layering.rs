//! The allowed dependencies between crates.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A crate, and the crates of this workspace on which it may depend. Frontends use the engine; the
/// engine uses the crates for environments and machines, which are independent of each other. The
/// guest and the host share only the protocol.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "pyro",
        &["pyro-engine", "pyro-mcp", "pyro-test", "pyro-text"],
    ),
    ("pyro-archive", &["pyro-text"]),
    ("pyro-chat", &["pyro-http", "pyro-text"]),
    ("pyro-dev", &["pyro", "pyro-engine", "pyro-mcp"]),
    ("pyro-diff", &[]),
    (
        "pyro-engine",
        &[
            "pyro-archive",
            "pyro-chat",
            "pyro-diff",
            "pyro-environment",
            "pyro-machine",
            "pyro-store",
            "pyro-text",
        ],
    ),
    (
        "pyro-environment",
        &["pyro-archive", "pyro-http", "pyro-oci"],
    ),
    ("pyro-guest", &["pyro-prestart", "pyro-protocol"]),
    ("pyro-http", &[]),
    (
        "pyro-machine",
        &["pyro-protocol", "pyro-store", "pyro-text"],
    ),
    ("pyro-mcp", &["pyro-engine"]),
    ("pyro-oci", &["pyro-http", "pyro-text"]),
    ("pyro-prestart", &[]),
    ("pyro-protocol", &[]),
    ("pyro-python", &["pyro-engine"]),
    ("pyro-store", &[]),
    // Its machines run the real agent.
    ("pyro-test", &["pyro-guest", "pyro-protocol"]),
    ("pyro-text", &[]),
];

/// External crates that only one of our crates may use.
const AT_HOME: &[(&str, &str)] = &[("pyo3", "pyro-python")];

#[test]
fn crates_use_only_what_is_below_them() {
    let packages = packages();
    let members = members(&packages);
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, known, "every crate has its line in ALLOWED");

    for package in &packages {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(known, _)| *known == name(package))
            .unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = name(dependency);
            assert!(
                !members.contains(dependency) || allowed.contains(&dependency),
                "{} must not use {dependency}",
                name(package)
            );
            let home = AT_HOME.iter().find(|(known, _)| *known == dependency);
            assert!(
                home.is_none_or(|(_, home)| *home == name(package)),
                "{} must not use {dependency}",
                name(package)
            );
        }
    }
}

#[test]
fn the_picture_of_the_crates_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, picture) = page.split_once("```mermaid\n").unwrap();
    let (picture, _) = picture.split_once("```").unwrap();
    let drawn: Vec<String> = picture
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    let unique: BTreeSet<String> = drawn.iter().cloned().collect();
    assert_eq!(drawn.len(), unique.len(), "an arrow is drawn twice");

    let packages = packages();
    let members = members(&packages);
    let mut real = BTreeSet::new();
    for package in &packages {
        let all = package["dependencies"].as_array().unwrap();
        for dependency in all.iter().filter(|one| members.contains(name(one))) {
            let is_in_the_program = all.iter().any(|other| {
                name(other) == name(dependency)
                    && other["kind"] != "dev"
                    && other["optional"] == false
            });
            let arrow = if is_in_the_program { "-->" } else { "-.->" };
            real.insert(format!("{} {arrow} {}", name(package), name(dependency)));
        }
    }
    assert_eq!(
        unique, real,
        "left: docs/architecture.md, right: the manifests"
    );
}

/// The crates of this workspace, as cargo knows them.
fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(metadata.status.success(), "{metadata:?}");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn members(packages: &[Value]) -> BTreeSet<&str> {
    packages.iter().map(name).collect()
}

fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap()
}
