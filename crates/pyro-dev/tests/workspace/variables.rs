//! Environment variables are defined in one place, and read in few places.

use pyro_engine::variables::ALL;

use crate::sources;

/// Variables for building, which users of the program do not see, and the only file that reads
/// each. `CONTRIBUTING.md` describes those that a developer may set.
const OF_THE_BUILD: &[(&str, &[&str])] = &[
    ("PYRO_GUEST_BINARY", &["crates/pyro-environment/build.rs"]),
    // Read by a library that is preloaded into QEMU.
    (
        "PYRO_READ_ONLY",
        &[
            "crates/pyro-machine/src/vmm/qemu/preload.rs",
            "crates/pyro-machine/preload/read_only.rs",
        ],
    ),
    (
        "PYRO_READ_ONLY_LIBRARY",
        &[
            "crates/pyro-machine/build.rs",
            "crates/pyro-machine/src/vmm/qemu/preload.rs",
        ],
    ),
    (
        "PYRO_TEST_CELL",
        &[
            "crates/pyro-engine/src/variables.rs",
            "crates/pyro-machine/src/cell/weakened.rs",
        ],
    ),
    (
        "PYRO_GUEST_AGENT",
        &[
            "crates/pyro-environment/build.rs",
            "crates/pyro-environment/src/initramfs.rs",
        ],
    ),
    (
        "PYRO_GUEST_AGENT_SHA256",
        &[
            "crates/pyro-environment/build.rs",
            "crates/pyro-environment/src/initramfs.rs",
        ],
    ),
    (
        "PYRO_GUEST_PRESTART",
        &[
            "crates/pyro-environment/build.rs",
            "crates/pyro-environment/src/initramfs.rs",
        ],
    ),
    (
        "PYRO_GUEST_PRESTART_SHA256",
        &["crates/pyro-environment/src/initramfs.rs"],
    ),
];

/// The files that may read the environment of the process. All others get values as parameters.
const READERS: &[&str] = &[
    "crates/pyro-dev/src/bench/mod.rs",
    "crates/pyro-dev/src/main.rs",
    "crates/pyro-dev/src/program.rs",
    "crates/pyro-environment/build.rs",
    "crates/pyro-machine/build.rs",
    // Not compiled into the released program.
    "crates/pyro-machine/src/cell/weakened.rs",
    "crates/pyro-mcp/examples/conformance_server/main.rs",
    "crates/pyro/src/mcp.rs",
    "crates/pyro/src/setup.rs",
    "crates/pyro/src/token.rs",
];

/// A text, such as a remedy, may name a variable only if the reference describes it.
#[test]
fn every_variable_that_is_named_is_documented() {
    for source in sources::all() {
        for name in names(&source.text) {
            let documented = ALL.iter().any(|variable| variable.name == name);
            let of_the_build = OF_THE_BUILD
                .iter()
                .any(|(known, files)| *known == name && files.contains(&source.path.as_str()));
            assert!(
                documented || of_the_build,
                "{} names {name}, which crates/pyro-engine/src/variables.rs does not have",
                source.path
            );
        }
    }
}

#[test]
fn the_environment_is_read_by_faces_and_builds_alone() {
    for source in sources::all() {
        let code = source.text.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//")
        });
        for line in code {
            let reads = ["env::var", "env::vars", "from_default_env"]
                .iter()
                .any(|call| line.contains(call));
            assert!(
                !reads || READERS.contains(&source.path.as_str()),
                "{}: {line}",
                source.path
            );
        }
    }
}

/// The words of a text that look like pyro's variables.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("PYRO_").map(|(start, _)| {
        let rest = &text[start..];
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
    })
}
