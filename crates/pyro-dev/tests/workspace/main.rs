//! Rules of the whole workspace.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod circles;
mod hints;
mod layering;
mod promises;
mod reference;
mod sources;
mod variables;
