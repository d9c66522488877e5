//! The *program* under test: `pyro` as users start it, with its own base directory, so that other
//! machines do not interfere. It shares the user's environments and templates.

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pyro_engine::variables;
use tempfile::TempDir;

use crate::Error;

/// How long background work after the end of a run may take.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// Number of measurements to look. Nothing that is measured waits for it.
const PAUSE: Duration = Duration::from_millis(20);

/// One `pyro`, with its base directory. Parked machines there are released on drop.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    base: TempDir,
    parked_seconds: u32,
    /// The search path for programs, if different from that of this process.
    search_path: Option<OsString>,
}

impl Program {
    /// Creates the base directory. Machines are parked for `parked_seconds`, or not at all if that
    /// is 0.
    ///
    /// # Errors
    /// When `path` is not a file, or the directory cannot be created.
    pub fn new(path: &Path, parked_seconds: u32) -> Result<Self, Error> {
        if !path.is_file() {
            let hint = "build it: cargo build --release -p pyro";
            return Err(format!("{} does not exist; {hint}", path.display()).into());
        }
        Ok(Self {
            path: path.to_owned(),
            // The path is short, because sockets are created below it.
            base: tempfile::Builder::new().prefix("pyro-dev-").tempdir()?,
            parked_seconds,
            search_path: None,
        })
    }

    /// Makes it use the QEMU in `directory`.
    ///
    /// # Errors
    /// When there is none.
    pub fn with_qemu(mut self, directory: &Path) -> Result<Self, Error> {
        let qemu = directory.join("qemu-system-x86_64");
        if !qemu.is_file() {
            return Err(format!("{} does not exist", qemu.display()).into());
        }
        let rest = std::env::var_os(variables::PATH).unwrap_or_default();
        let all = std::iter::once(directory.to_owned()).chain(std::env::split_paths(&rest));
        self.search_path = Some(std::env::join_paths(all)?);
        Ok(self)
    }

    /// The directory of all files of its machines.
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// Keeps the base directory for inspection.
    pub fn keep_base(&mut self) {
        self.base.disable_cleanup(true);
    }

    /// Returns the command that runs it with `arguments`.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(arguments)
            .env(variables::BASE_DIR, self.base())
            .env(variables::PARKED_SECONDS, self.parked_seconds.to_string());
        if let Some(path) = &self.search_path {
            command.env(variables::PATH, path);
        }
        command
    }

    /// Returns the directories of the existing machines.
    pub fn machines(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.base().join("vms"));
        let paths = entries.into_iter().flatten().flatten();
        paths
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Waits until background work is finished: one machine is parked, if enabled, and all others
    /// are gone.
    ///
    /// # Errors
    /// When this takes too long.
    pub fn settle(&self) -> Result<(), Error> {
        let expected = usize::from(self.parked_seconds > 0);
        let begun = Instant::now();
        while self.sockets().len() != expected || self.machines().len() != expected {
            if begun.elapsed() > SETTLE_LIMIT {
                let (parked, machines) = (self.sockets().len(), self.machines().len());
                return Err(format!(
                    "waited for {expected} machine to be parked and no other to be there: \
                     {parked} parked, {machines} there"
                )
                .into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The directory of parked machines.
    fn sockets(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.base().join("parked"));
        let paths = entries.into_iter().flatten().flatten();
        paths
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "sock")
            })
            .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The keeper ends a claimed machine when the claiming process disconnects.
        for socket in self.sockets() {
            drop(UnixStream::connect(socket));
        }
        let begun = Instant::now();
        while self.parked_seconds > 0
            && !self.machines().is_empty()
            && begun.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(PAUSE);
        }
    }
}
