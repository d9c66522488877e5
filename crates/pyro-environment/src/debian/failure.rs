//! What the last lines of a failed step tell about its cause.

use std::path::Path;

use crate::Error;
use crate::confined::Failure;
use crate::preflight;

const UNREACHABLE: &[&str] = &[
    "Could not resolve",
    "Temporary failure resolving",
    "Could not connect",
    "Unable to connect",
    "Cannot initiate the connection",
    "Connection failed",
    "Connection refused",
    "Connection timed out",
    "connection timed out",
    "Network is unreachable",
    "No route to host",
    "404  Not Found",
    "503  Service Unavailable",
    "does not have a Release file",
    "Failed to fetch",
];

const UNTRUSTED: &[&str] = &[
    "NO_PUBKEY",
    "BADSIG",
    "EXPKEYSIG",
    "signatures couldn't be verified",
    "signatures were invalid",
    "is not signed",
    "Hash Sum mismatch",
];

const DISK_FULL: &[&str] = &["No space left on device", "Disk quota exceeded"];

/// Returns the error for a step that failed in this way.
pub(super) fn explain(
    step: &'static str,
    failure: Failure,
    directory: &Path,
    needed: u64,
) -> Error {
    let find = |patterns: &[&str]| {
        let telling = |line: &&String| patterns.iter().any(|pattern| line.contains(pattern));
        // The first is the cause, later ones follow from it.
        failure.output.iter().find(telling).cloned()
    };
    // Any of them may be followed by one of the next kind, never the other way round.
    if find(DISK_FULL).is_some() {
        let path = directory.parent().unwrap_or(directory);
        let available = preflight::available(path).unwrap_or(0);
        return Error::NoSpace {
            path: path.to_owned(),
            needed,
            available,
        };
    }
    if let Some(detail) = find(UNTRUSTED) {
        return Error::ArchiveUntrusted { detail };
    }
    if let Some(detail) = find(UNREACHABLE) {
        return Error::ArchiveUnreachable {
            detail: detail.trim().to_owned(),
        };
    }
    Error::BuildFailed {
        step,
        status: failure.status.to_string(),
        output: failure.output,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn explained(output: &str) -> Error {
        let failure = Failure {
            status: ExitStatus::from_raw(100 << 8),
            output: output.lines().map(str::to_owned).collect(),
        };
        explain("apt-get", failure, Path::new("/nowhere/x"), 1)
    }

    #[test]
    fn causes_are_recognised() {
        let unreachable = explained(
            "Err:1 http://mirror.example/debian bookworm InRelease\n  \
             Could not connect to mirror.example:80 (192.0.2.1), connection timed out\n\
             E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease",
        );
        assert_eq!(unreachable.code(), "archive_unreachable");
        assert!(
            unreachable.to_string().contains("192.0.2.1"),
            "{unreachable}"
        );
        let untrusted = explained(
            "W: GPG error: http://mirror.example/debian bookworm InRelease: The following \
             signatures couldn't be verified because the public key is not available: NO_PUBKEY 1\n\
             E: The repository 'http://mirror.example/debian bookworm InRelease' is not signed.",
        );
        assert_eq!(untrusted.code(), "archive_untrusted");
        let full = explained(
            "tar: ./usr/bin/perl: Cannot write: No space left on device\nE: Failed to fetch x",
        );
        assert_eq!(full.code(), "no_space");
        let other = explained("E: mmdebstrap failed to run");
        assert_eq!(other.code(), "environment_build_failed");
        assert_eq!(other.output().len(), 1);
    }
}
