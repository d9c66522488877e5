//! The *program* of QEMU on this host: finding it, and querying its version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::version::{MINIMUM_VERSION, PROGRAM, TRIED_VERSIONS, Version};
use crate::Error;
use crate::search_path::find_program;

/// A QEMU that is new enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Its version in its own words.
    pub version_text: String,
}

impl Program {
    /// Whether the tests were run with this version.
    pub fn is_tried(&self) -> bool {
        TRIED_VERSIONS.contains(&self.version)
    }

    /// Checks that the version is supported.
    pub(crate) fn new(path: PathBuf, version_text: String) -> Result<Self, Error> {
        match Version::parse(&version_text) {
            Some(version) if version >= MINIMUM_VERSION => Ok(Self {
                path,
                version,
                version_text,
            }),
            Some(_) => Err(Error::QemuTooOld {
                path,
                version: version_text,
            }),
            None => Err(Error::QemuUnusable {
                path,
                output: version_text,
            }),
        }
    }
}

/// Finds the program in a search path like `PATH`'s value.
pub(crate) fn find(search_path: &OsStr) -> Result<PathBuf, Error> {
    find_program(search_path, PROGRAM).ok_or(Error::QemuMissing)
}

/// Asks the program for its version.
pub(crate) fn ask_version(path: &Path) -> Result<String, Error> {
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Spawn {
            program: path.to_owned(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("QEMU emulator version "));
    match version {
        Some(version) if output.status.success() => Ok(version.trim().to_owned()),
        _ => Err(Error::QemuUnusable {
            path: path.to_owned(),
            output: String::from_utf8_lossy(if text.trim().is_empty() {
                &output.stderr
            } else {
                &output.stdout
            })
            .lines()
            .next()
            .unwrap_or("it printed nothing")
            .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let program = |text: &str| Program::new("/q".into(), text.into());
        let debian = program("7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)").unwrap();
        assert_eq!(debian.version, MINIMUM_VERSION);
        assert!(program("10.0.2").unwrap().version > MINIMUM_VERSION);
        assert!(debian.is_tried());
        assert!(
            program("10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)")
                .unwrap()
                .is_tried()
        );
        assert!(!program("9.2.4").unwrap().is_tried());
        assert!(!program("10.1.0").unwrap().is_tried());
        assert!(matches!(program("6.9.0"), Err(Error::QemuTooOld { .. })));
        assert!(matches!(
            program("unknown"),
            Err(Error::QemuUnusable { .. })
        ));
    }
}
