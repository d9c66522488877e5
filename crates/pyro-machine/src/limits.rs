//! The resource *limits* of this process (setrlimit(2)).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Error;
use crate::image::PRIVATE_DISK_MIB;
use crate::spec::MachineSpec;

/// A call opens about thirty files at once.
const OPEN_FILES: u64 = 64;
/// The number that is requested if it is permitted: one process may serve many machines.
const WANTED_OPEN_FILES: u64 = 4096;
const MIB: u64 = 1024 * 1024;

/// Raises this process's soft limits. For programs: in a library, the limits are the user's.
pub fn raise_limits() {
    for (resource, wanted) in [
        (Resource::Nofile, Some(WANTED_OPEN_FILES)),
        (Resource::Fsize, None),
    ] {
        let limit = getrlimit(resource);
        let Some(current) = limit.current else {
            continue;
        };
        let raised = match (wanted, limit.maximum) {
            (Some(wanted), Some(maximum)) => Some(wanted.min(maximum).max(current)),
            (Some(wanted), None) => Some(wanted.max(current)),
            (None, maximum) => maximum,
        };
        let current = raised;
        // Raising a limit up to its maximum is always permitted.
        let _ = setrlimit(resource, Rlimit { current, ..limit });
    }
}

/// Checks that this process may open as many files as any call needs.
///
/// # Errors
/// When it may not open that many.
pub fn check_open_files() -> Result<(), Error> {
    check(
        "open files",
        "ulimit -n",
        getrlimit(Resource::Nofile),
        OPEN_FILES,
    )
}

/// Checks that this process may make files as large as a machine needs.
pub(crate) fn check_file_size(spec: &MachineSpec) -> Result<(), Error> {
    let needed = PRIVATE_DISK_MIB.max(spec.mem_mib.into()) * MIB;
    let limit = getrlimit(Resource::Fsize);
    check("bytes in a file", "ulimit -f", limit, needed)
}

fn check(what: &'static str, name: &'static str, limit: Rlimit, needed: u64) -> Result<(), Error> {
    match limit.current {
        Some(has) if has < needed => Err(Error::ResourceLimit {
            what,
            name,
            has,
            needed,
        }),
        _ => Ok(()),
    }
}
