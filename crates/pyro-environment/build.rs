//! Builds what runs in the guest, which the crate embeds: the agent and the library that the agent
//! loads into shells.
//!
//! They are the workspace's `pyro-guest` and `pyro-prestart`, built by a cargo of their own,
//! because they have another profile and are linked in their own way. Set `PYRO_GUEST_BINARY` to
//! the path of a file to embed that file as the agent instead, for example one that was built
//! elsewhere.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

const GIVEN: &str = "PYRO_GUEST_BINARY";
const TARGET: &str = "x86_64-unknown-linux-gnu";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let output = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={GIVEN}");
    println!("cargo::rerun-if-changed=build.rs");
    let (agent, library) = match env::var_os(GIVEN).filter(|path| !path.is_empty()) {
        Some(given) => {
            let given = PathBuf::from(given);
            println!("cargo::rerun-if-changed={}", given.display());
            // Who cannot build the one cannot build the other. The agent does without.
            let none = output.join("no-library");
            fs::write(&none, [])?;
            (given, none)
        }
        None => (build(&output, &AGENT)?, build(&output, &PRESTART)?),
    };
    embed(&output, "PYRO_GUEST_AGENT", &agent)?;
    embed(&output, "PYRO_GUEST_PRESTART", &library)
}

/// Hands a file to the crate by the variables `name`, for its path, and `name`_SHA256.
fn embed(output: &Path, name: &str, file: &Path) -> Result<()> {
    let contents =
        fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let embedded = output.join(name);
    fs::write(&embedded, &contents)?;
    let digest = Sha256::digest(&contents)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    println!("cargo::rustc-env={name}={}", embedded.display());
    println!("cargo::rustc-env={name}_SHA256={digest}");
    Ok(())
}

/// Something that is built for the guest.
struct Artifact {
    /// The crate, and what of it, as arguments of `cargo rustc`.
    target: &'static [&'static str],
    /// What the compiler is told for all crates.
    all: &'static str,
    /// What it is told for this one.
    own: &'static [&'static str],
    /// The file that comes of it.
    file: &'static str,
}

/// It runs before there is any file system with libraries.
const AGENT: Artifact = Artifact {
    target: &["--package=pyro-guest", "--bin=pyro-guest"],
    all: "-Ctarget-feature=+crt-static",
    own: &[],
    file: "pyro-guest",
};

/// It is loaded into programs of any environment, so it needs nothing but a C library. That it
/// says so has the dynamic linker initialise the C library first.
const PRESTART: Artifact = Artifact {
    target: &["--package=pyro-prestart", "--lib", "--crate-type=cdylib"],
    all: "",
    own: &[
        "--cfg=pyro_prestart_library",
        "-Clink-arg=-nostartfiles",
        "-Clink-arg=-lc",
    ],
    file: "libpyro_prestart.so",
};

/// Builds one of the workspace's and returns its path.
fn build(output: &Path, artifact: &Artifact) -> Result<PathBuf> {
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../..");
    for source in [
        "crates/pyro-guest",
        "crates/pyro-prestart",
        "crates/pyro-protocol/Cargo.toml",
        "crates/pyro-protocol/src",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(file).display());
    }

    let target_directory = output.join("guest");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(&workspace)
        // The cargo that runs us has brought the lock file up to date. Whether there is a network
        // is for the user's own settings, which are inherited, to say.
        .args(["rustc", "--locked"])
        .args(artifact.target)
        .args(["--profile=guest", "--target", TARGET, "--target-dir"])
        .arg(&target_directory)
        .arg("--")
        .args(artifact.own);
    for (name, _) in env::vars_os() {
        if is_of_this_build(&name) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", artifact.all);
    let status = cargo
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!(
            "building {} for the guest failed ({status}); see above, or set {GIVEN} to an agent \
             that was built elsewhere",
            artifact.file
        )
        .into());
    }
    Ok(target_directory
        .join(TARGET)
        .join("guest")
        .join(artifact.file))
}

/// Whether a variable describes the build that is running us, and would confuse another. Among
/// them are the wrappers by which linters and editors replace the compiler; the user's settings
/// (where packages come from, which compiler, how many jobs) are not.
fn is_of_this_build(name: &OsString) -> bool {
    const NAMES: &[&str] = &[
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
        "CLIPPY_ARGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "TARGET",
    ];
    const PREFIXES: &[&str] = &[
        "CARGO_BIN_",
        "CARGO_CFG_",
        "CARGO_CRATE_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
    ];
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
