//! The *console* is where the agent says what went wrong: the kernel's log, which the kernel
//! passes on to whatever console the machine has. Nothing is written when all is well.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

static KERNEL_LOG: OnceLock<File> = OnceLock::new();

/// Opens the kernel's log. Before that, and outside a machine, messages go nowhere.
pub(crate) fn open() {
    if let Ok(file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // It is opened once; a second time changes nothing.
        drop(KERNEL_LOG.set(file));
    }
}

/// Writes one line.
pub(crate) fn log(message: &str) {
    if let Some(mut file) = KERNEL_LOG.get() {
        // 3 is the level "error", which is shown even on a quiet console. One write is one
        // record. If it fails there is nowhere left to say so.
        drop(file.write_all(format!("<3>pyro-guest: {message}\n").as_bytes()));
    }
}
