//! The *steps* of an unpacking.

/// The progress of an unpacking; tests interrupt it at each step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Staged,
    Durable,
    Committed,
    Placed,
    Dressed,
    Unmarked,
}
