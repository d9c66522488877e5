//! A *finished* stage, which others may begin with or copy from.

use pyro_environment::{Process, Ready};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::output::hex;

/// Part of every key: increased when the same instructions would have another result.
const FORMAT: u32 = 1;

/// A finished stage.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) ready: Ready,
    /// The key of the last step that changed files.
    pub(super) key: Key,
    /// Whether there was any.
    pub(super) has_disk: bool,
    pub(super) process: Process,
}

/// The digest of all that made a disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key(pub(super) String);

impl Key {
    pub(super) fn of_base(ready: &Ready) -> Self {
        Self(format!("{FORMAT}:{}", ready.digest))
    }

    pub(super) fn then(&self, what: &impl Serialize) -> Self {
        let what = serde_json::to_vec(what).expect("texts and numbers have a form in JSON");
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        hasher.update([0]);
        hasher.update(what);
        Self(hex(&hasher.finalize()))
    }
}
