//! A *requirement* is a program or file that a build needs on the host.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::debian::KEYRING;

/// Where programs are looked for besides the caller's `PATH`: an ordinary user's often lacks the
/// directories of system programs.
pub(crate) const MORE_PATH: &str = "PATH=${PATH-}:/usr/sbin:/sbin";

/// Ids a Debian system uses: up to `nobody`, 65534.
pub(crate) const IDS: u64 = 65_536;

/// A program or file that a build needs, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Name of the program, or path of the file.
    pub tool: &'static str,
    /// The Debian package it is in.
    pub package: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// Where it was found, if it was.
    pub path: Option<PathBuf>,
}

const fn requirement(
    tool: &'static str,
    package: &'static str,
    purpose: &'static str,
) -> Requirement {
    Requirement {
        tool,
        package,
        purpose,
        path: None,
    }
}

/// Returns all requirements, none of them looked for yet.
pub(crate) fn table(root: bool) -> Vec<Requirement> {
    let mut table = vec![
        requirement("apt-get", "apt", "download the kernel package"),
        requirement("apt-cache", "apt", "find the current kernel package"),
        requirement(
            "apt-config",
            "apt",
            "use the machine's settings for downloads",
        ),
        requirement("dpkg-deb", "dpkg", "unpack the kernel package"),
        requirement(
            "mmdebstrap",
            "mmdebstrap",
            "build a root file system from Debian packages",
        ),
        requirement(
            "mkfs.erofs",
            "erofs-utils",
            "make the image of a root file system",
        ),
        requirement(
            "unshare",
            "util-linux",
            "keep builds away from the rest of the host",
        ),
        requirement("flock", "util-linux", "know when a build has ended"),
        requirement(
            KEYRING,
            "debian-archive-keyring",
            "check Debian's signatures",
        ),
    ];
    if !root {
        table.push(requirement(
            "newuidmap",
            "uidmap",
            "build without being root",
        ));
        table.push(requirement(
            "newgidmap",
            "uidmap",
            "build without being root",
        ));
    }
    table
}

/// Looks for everything a build by this user needs. Runs one short-lived shell, which knows the
/// search path.
pub(crate) fn look() -> Vec<Requirement> {
    let mut table = table(rustix::process::geteuid().is_root());
    let script = format!(r#"{MORE_PATH}; for tool; do command -v "$tool" || echo; done"#);
    let output = Command::new("/bin/sh")
        .args(["-c", &script, "sh"])
        .args(table.iter().map(|requirement| requirement.tool))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let answer = output.map(|output| output.stdout).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    let mut lines = answer.lines();
    for requirement in &mut table {
        let line = lines.next().unwrap_or_default();
        requirement.path = if requirement.tool.starts_with('/') {
            // A file, which the shell would only find if it were a program.
            Some(PathBuf::from(requirement.tool)).filter(|path| path.is_file())
        } else {
            Some(PathBuf::from(line)).filter(|path| path.starts_with("/"))
        };
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_an_absolute_path() {
        for requirement in look() {
            if let Some(path) = requirement.path {
                assert!(path.is_absolute() && path.exists(), "{}", requirement.tool);
            }
        }
    }

    #[test]
    fn only_an_ordinary_user_needs_id_maps() {
        let needed = |root| table(root).iter().any(|row| row.tool == "newuidmap");
        assert!(needed(false) && !needed(true));
    }
}
