//! A *weakened* cell is one with less in force than this host has. There is none but in a program
//! that was built with the feature `weaker-cell`, for tests which show that they can fail, and for
//! hosts that lack something. There, the variable `PYRO_TEST_CELL` is `none`, `landlock=N` for an
//! older version (0 for no Landlock at all), or `no-namespaces`.

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

/// The version of Landlock to which it is held, if it is.
pub(super) fn landlock() -> Option<i32> {
    said()?.strip_prefix("landlock=")?.parse().ok()
}
