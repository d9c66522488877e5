//! The *trial* of a cell: a program without effect is run in one.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Cell;
use super::report::Isolation;
use crate::process::OwnedProcess;
use crate::search_path::find_program;
use crate::spec::MachineSpec;
use crate::vmm::{Disks, Memory};

/// Runs a program without effect in the VMM's cell, and returns which pieces were in force.
///
/// # Errors
/// When it cannot be run in the cell: then no machine can run either.
pub fn examine(search_path: &OsStr) -> Result<Isolation, String> {
    let program = find_program(search_path, "true").unwrap_or_else(|| "/bin/true".into());
    let nothing = Path::new("/dev/null");
    let spec = MachineSpec {
        vcpu_count: 1,
        mem_mib: 256,
        kernel: nothing.into(),
        initramfs: nothing.into(),
        rootfs: nothing.into(),
        network: false,
    };
    let disks = Disks {
        private: nothing,
        seed: None,
        output: None,
        snapshot: None,
    };
    let failed = |error: std::io::Error| format!("a process cannot be confined: {error}");
    let cell = Cell::vmm(&program, &spec, Memory::Anonymous, disks, None).map_err(failed)?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = OwnedProcess::spawn(command, &[], None, cell).map_err(failed)?;
    let isolation = process.isolation();
    match process.finish().map_err(failed)? {
        status if status.success() => Ok(isolation),
        status => Err(format!(
            "a confined process did not end as it should: {status}"
        )),
    }
}
