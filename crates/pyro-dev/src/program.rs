//! The *program* under test, `pyro` as its users start it, with a base directory of its own so
//! that nobody else's machines are in the way. It shares the user's environments and templates.

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pyro_engine::variables;
use tempfile::TempDir;

use crate::Error;

/// How long what happens after the end of a run may take.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How often to look. Nothing that is measured waits for it.
const PAUSE: Duration = Duration::from_millis(20);

/// One `pyro`, with its base directory. Who is parked there is let go when it is dropped.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    base: TempDir,
    parked_seconds: u32,
    /// The path in which programs are searched, if not that of this process.
    search_path: Option<OsString>,
}

impl Program {
    /// Makes the base directory. A machine is kept ahead for `parked_seconds`, none if that is 0.
    ///
    /// # Errors
    /// When `path` is no file, or no directory can be made.
    pub fn new(path: &Path, parked_seconds: u32) -> Result<Self, Error> {
        if !path.is_file() {
            let hint = "build it: cargo build --release -p pyro";
            return Err(format!("{} does not exist; {hint}", path.display()).into());
        }
        Ok(Self {
            path: path.to_owned(),
            // Short: sockets are made below it.
            base: tempfile::Builder::new().prefix("pyro-dev-").tempdir()?,
            parked_seconds,
            search_path: None,
        })
    }

    /// Has it use the QEMU in `directory`.
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

    /// Everything its machines have on the host is below this.
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// Leaves the base directory there for whoever wants to look.
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

    /// Returns the directories of the machines that there are.
    pub fn machines(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.base().join("vms"));
        let paths = entries.into_iter().flatten().flatten();
        paths
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Waits until nothing goes on in the background any more: if one is to be parked, it is, and
    /// every other machine is gone.
    ///
    /// # Errors
    /// When that does not happen.
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

    /// Where parked machines are offered.
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
        // Its holder ends a machine that was claimed when whoever came goes away.
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
