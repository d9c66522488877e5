//! *Containers*: other ways to run a command in the same root file system, where they are
//! installed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::finished::Finished;

const PROBE_LIMIT: Duration = Duration::from_secs(30);
const EXTRACT_LIMIT: Duration = Duration::from_secs(600);

/// A program that runs a command in a directory that is a root file system.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// What people call it.
    pub(super) name: &'static str,
    /// What it says about its version.
    pub(super) version: String,
    /// What comes before the command.
    words: Vec<String>,
}

impl Container {
    /// Returns those that work here, and why the others do not. `state` is a directory for what
    /// they need to keep.
    pub(super) fn find(root: &RootFileSystem, state: &Path) -> (Vec<Self>, Vec<String>) {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for (name, ways) in [("podman", podman()), ("runsc", runsc(state))] {
            match Self::probe(name, ways, root) {
                Ok(container) => found.push(container),
                Err(error) => missing.push(format!("{name}: {error}")),
            }
        }
        (found, missing)
    }

    /// Returns the command that runs `command` in `root`.
    pub(super) fn command(&self, root: &RootFileSystem, command: &[&str]) -> Command {
        let directory = root.directory.to_string_lossy();
        let mut words = self.words.iter().map(|word| word.replace(ROOT, &directory));
        let mut process = Command::new(words.next().unwrap_or_default());
        process.args(words).args(command);
        process
    }

    /// Returns what is run, with `ROOT` for the directory and `…` for the command.
    pub(super) fn shown(&self, state: &Path) -> String {
        let text = format!("{} …", self.words.join(" "));
        text.replace(&*state.to_string_lossy(), "STATE")
    }

    /// Takes the first of several ways that runs `true`: hosts differ in what they allow.
    fn probe(
        name: &'static str,
        ways: Vec<Vec<String>>,
        root: &RootFileSystem,
    ) -> Result<Self, Error> {
        let version = match Command::new(name).arg("--version").output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("it is not installed: apt-get install {name}").into());
            }
            Err(error) => return Err(error.into()),
        };
        let version = version.lines().next().unwrap_or_default();
        let mut failure: Error = "there is no way to run it".into();
        for words in ways {
            let container = Self {
                name,
                version: version.to_owned(),
                words,
            };
            match Finished::success(&mut container.command(root, &["true"]), PROBE_LIMIT) {
                Ok(_) => return Ok(container),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Stands for the root file system's directory.
const ROOT: &str = "ROOT";

/// With nothing special; with limits that whoever may not raise them can set; and with the other
/// OCI runtime, which accepts arrangements of control groups that the default one does not.
fn podman() -> Vec<Vec<String>> {
    let limits = "--ulimit=nofile=1024:1024 --ulimit=nproc=1024:1024";
    let run = "run --rm --network=none";
    vec![
        split(&format!("podman {run} --rootfs {ROOT}:O")),
        split(&format!("podman {run} {limits} --rootfs {ROOT}:O")),
        split(&format!(
            "podman --runtime=runc {run} {limits} --rootfs {ROOT}:O"
        )),
    ]
}

fn runsc(state: &Path) -> Vec<Vec<String>> {
    let rootless = if rustix::process::geteuid().is_root() {
        ""
    } else {
        "--rootless "
    };
    let state = state.display();
    vec![split(&format!(
        "runsc --root={state} {rootless}--ignore-cgroups --network=none do --root={ROOT}"
    ))]
}

/// None of the words has a space in it: a temporary directory's name has none.
fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// The root file system of an environment, as a directory.
#[derive(Debug)]
pub(super) struct RootFileSystem {
    directory: PathBuf,
}

impl RootFileSystem {
    /// Copies it out of `image` into `directory`, which must not be there yet.
    ///
    /// # Errors
    /// When there is nothing to do it with, or it fails.
    pub(super) fn extract(image: &Path, directory: PathBuf) -> Result<Self, Error> {
        let mut extract = String::from("--extract=").into_bytes();
        extract.extend_from_slice(directory.as_os_str().as_encoded_bytes());
        let extract = String::from_utf8(extract)?;
        let mut command = Command::new("fsck.erofs");
        command.arg(extract).arg(image);
        Finished::success(&mut command, EXTRACT_LIMIT)
            .map_err(|error| format!("{error} (apt-get install erofs-utils)"))?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}
