//! The *progress* of making an environment ready, as told to whoever waits for it.

/// One piece of news about an environment being made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A new phase has begun. Phases of the kernel and of the root file system overlap.
    Phase(&'static str),
    /// Bytes downloaded in a phase.
    Bytes {
        /// The phase.
        phase: &'static str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, as far as known; it may still grow.
        total: Option<u64>,
    },
    /// Packages installed in a phase.
    Packages {
        /// The phase.
        phase: &'static str,
        /// Packages so far.
        done: u64,
        /// Packages in all, as far as known; it may still grow.
        total: Option<u64>,
    },
    /// Something the user should know although it is not an error.
    Notice(String),
}

/// Where progress is told.
pub(crate) type Listener<'a> = &'a (dyn Fn(Progress) + Send + Sync);
