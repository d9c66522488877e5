//! The running *instances* of machines, by owner.

mod leased;
mod machine;
mod owned;
mod parts;
mod supervised;

pub(crate) use leased::LeasedMachine;
pub use machine::Machine;
pub(crate) use owned::OwnedMachine;
pub(crate) use parts::{MachineParts, PostMortem};
pub use supervised::SupervisedMachine;
