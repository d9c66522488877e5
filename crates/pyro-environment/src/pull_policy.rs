//! The *pull policy*: when what is there already is asked for once more.

/// When a registry, or whoever else has an image, is asked what a name stands for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// If the name has not been pulled before.
    #[default]
    Missing,
    /// Never: only what was pulled before is used.
    Never,
}
