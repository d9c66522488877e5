//! Compiles the library that is loaded into QEMU, which the crate embeds.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "preload/read_only.rs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var_os(name).ok_or(format!("cargo did not set {name}"));
    let library = PathBuf::from(variable("OUT_DIR")?).join("read_only.so");
    let compiled = Command::new(variable("RUSTC")?)
        .args([
            "--edition=2024",
            "--crate-type=cdylib",
            "--crate-name=read_only",
        ])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"])
        // The library has no start-up code, and uses two symbols of QEMU's C library.
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib"])
        .arg(SOURCE)
        .arg("-o")
        .arg(&library)
        .status()?;
    if !compiled.success() {
        return Err(format!("{SOURCE} was not compiled ({compiled}); see above").into());
    }
    println!(
        "cargo::rustc-env=PYRO_READ_ONLY_LIBRARY={}",
        library.display()
    );
    Ok(())
}
