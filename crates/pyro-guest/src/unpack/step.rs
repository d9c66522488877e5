//! The *steps* of an unpacking.

/// How far an unpacking is; what tests interrupt it at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Staged,
    Durable,
    Committed,
    Placed,
    Dressed,
    Unmarked,
}
