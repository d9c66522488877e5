//! The *record* of a template lists its files, and their stamps when it was saved.

use std::path::Path;

use pyro_store::read_record;
use serde::{Deserialize, Serialize};

use super::stamp::Stamp;

/// Increased when templates of older versions must not be used any more.
pub(super) const FORMAT: u32 = 2;

pub(super) const RECORD: &str = "template.json";
pub(super) const MEMORY: &str = "memory";
pub(super) const STATE: &str = "state";
pub(super) const DISK: &str = "disk.ext4";

/// The record of a template, written last.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    pub(super) format: u32,
    /// The host's boot: device state is not used after a reboot.
    pub(super) boot_id: String,
    pub(super) memory: Stamp,
    pub(super) state: Stamp,
    pub(super) disk: Stamp,
}

/// Checks that all files are unchanged.
pub(super) fn verify(path: &Path, boot_id: &str) -> Result<(), ()> {
    let record: Record = read_record(&path.join(RECORD)).ok_or(())?;
    let same =
        |name: &str, saved: &Stamp| Stamp::of(&path.join(name)).is_ok_and(|now| now == *saved);
    let valid = record.format == FORMAT
        && record.boot_id == boot_id
        && same(MEMORY, &record.memory)
        && same(STATE, &record.state)
        && same(DISK, &record.disk);
    if valid { Ok(()) } else { Err(()) }
}
