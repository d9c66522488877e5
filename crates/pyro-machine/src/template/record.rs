//! The *record* of a template says what belongs to it, and how that was when it was saved.

use std::path::Path;

use pyro_store::read_record;
use serde::{Deserialize, Serialize};

use super::stamp::Stamp;

/// To be raised when templates of an older pyro must not be used any more.
pub(super) const FORMAT: u32 = 2;

pub(super) const RECORD: &str = "template.json";
pub(super) const MEMORY: &str = "memory";
pub(super) const STATE: &str = "state";
pub(super) const DISK: &str = "disk.ext4";

/// What is written down about a template, last of all.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    pub(super) format: u32,
    /// The host's boot: device state is not carried over to another one.
    pub(super) boot_id: String,
    pub(super) memory: Stamp,
    pub(super) state: Stamp,
    pub(super) disk: Stamp,
}

/// Checks that everything is as it was saved.
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
