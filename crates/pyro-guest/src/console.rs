//! The *console* receives the agent's errors: through the kernel's log, which the kernel prints on
//! the machine's console. Without errors nothing is written.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

static KERNEL_LOG: OnceLock<File> = OnceLock::new();

/// Opens the kernel's log. Before that, and outside a machine, messages are dropped.
pub(crate) fn open() {
    if let Ok(file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // It is opened once; a second time changes nothing.
        drop(KERNEL_LOG.set(file));
    }
}

/// Writes one line.
pub(crate) fn log(message: &str) {
    if let Some(mut file) = KERNEL_LOG.get() {
        // 3 is the level "error", which is shown even on a quiet console. One write is one record.
        // If it fails, there is no other place to report it.
        drop(file.write_all(format!("<3>pyro-guest: {message}\n").as_bytes()));
    }
}
