//! A *weakened* cell has fewer pieces in force than the host supports. Only programs that were
//! built with the feature `weaker-cell` can have one: for tests that the isolation tests can fail,
//! and for imitating hosts that lack something. In these programs the variable `PYRO_TEST_CELL` is
//! `none`, `landlock=N` for an older version (0 for no Landlock at all), or `no-namespaces`.

#[cfg(feature = "weaker-cell")]
fn said() -> Option<String> {
    std::env::var("PYRO_TEST_CELL").ok()
}

#[cfg(not(feature = "weaker-cell"))]
fn said() -> Option<String> {
    None
}

/// Whether there is no cell at all.
pub(super) fn none() -> bool {
    said().is_some_and(|said| said == "none")
}

/// Whether there are no namespaces.
pub(super) fn no_namespaces() -> bool {
    said().is_some_and(|said| said == "no-namespaces")
}

/// The version to which Landlock is limited, if it is.
pub(super) fn landlock() -> Option<i32> {
    said()?.strip_prefix("landlock=")?.parse().ok()
}
