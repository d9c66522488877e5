//! Who may use whom.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// A crate, and the crates of this workspace that it may use, for whatever purpose. Faces use the
/// engine, the engine uses what makes environments and machines, and those do not know each
/// other. The guest shares nothing with the host but the protocol.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "pyro",
        &["pyro-engine", "pyro-mcp", "pyro-test", "pyro-text"],
    ),
    ("pyro-archive", &["pyro-text"]),
    ("pyro-chat", &["pyro-text"]),
    ("pyro-dev", &["pyro", "pyro-engine", "pyro-mcp"]),
    (
        "pyro-engine",
        &[
            "pyro-archive",
            "pyro-chat",
            "pyro-environment",
            "pyro-machine",
            "pyro-store",
            "pyro-text",
        ],
    ),
    ("pyro-environment", &["pyro-store"]),
    ("pyro-guest", &["pyro-prestart", "pyro-protocol"]),
    (
        "pyro-machine",
        &["pyro-protocol", "pyro-store", "pyro-text"],
    ),
    ("pyro-mcp", &["pyro-engine"]),
    ("pyro-prestart", &[]),
    ("pyro-protocol", &[]),
    ("pyro-python", &["pyro-engine"]),
    ("pyro-store", &[]),
    // Its machines have the real agent.
    ("pyro-test", &["pyro-guest", "pyro-protocol"]),
    ("pyro-text", &[]),
];

/// Crates of others whose words stay in one crate of ours.
const AT_HOME: &[(&str, &str)] = &[("pyo3", "pyro-python")];

#[test]
fn crates_use_only_what_is_below_them() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(metadata.status.success(), "{metadata:?}");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let members: BTreeSet<&str> = packages.iter().map(name).collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, known, "every crate has its line in ALLOWED");

    for package in packages {
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

fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap()
}
