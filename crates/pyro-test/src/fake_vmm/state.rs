//! The *state* of a fake machine's devices, which a template keeps.

use serde::{Deserialize, Serialize};

/// The state of a restored machine.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct State {
    /// Whether its root file system was assembled.
    pub(super) prepared: bool,
}
