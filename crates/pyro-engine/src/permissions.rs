//! The *permissions* of a caller on the host. A caller at a terminal, or in Python, has all rights
//! of the user. A model calls over MCP, and has only the permissions that the server's operator
//! grants.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pyro_archive::{Source, real_path};
use pyro_environment::{PullPolicy, is_within};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use serde_json::Value;

use crate::Error;
use crate::port_rule::PortRule;
use crate::request::{host_path, path_text};

/// The flags for opening files: a FIFO does not wait for its other end.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// The property that allows a command to run on the host; see [`Permissions::host_compat`].
pub const HOST_COMPAT: &str = "allow_host_compat";

/// What a caller may use of the host.
#[derive(Clone, Debug)]
pub struct Permissions {
    /// Whether a command may run on the host if the host cannot run guests.
    pub host_compat: bool,
    /// The directories in which files may be read and new ones created; `None` for all that the
    /// user may access.
    pub files: Option<HostDirectories>,
    /// Whether a pull may replace and remove files there.
    pub pull: bool,
    /// The registries and repositories from which images may be pulled; `None` for all. An image that
    /// was pulled before may be used in any case.
    pub images: Option<Vec<String>>,
    /// Whether ports of guests may be published to other machines, not only to this host.
    pub public_ports: bool,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            host_compat: true,
            files: None,
            pull: true,
            images: None,
            public_ports: true,
        }
    }
}

impl Permissions {
    /// Refuses a request that its caller has no permission for.
    pub(crate) fn check(&self, request: &Value) -> Result<(), Error> {
        if self.host_compat || request[HOST_COMPAT] != true {
            return Ok(());
        }
        Err(Error::not_allowed(format!(
            "{HOST_COMPAT} is not allowed by the operator of this server"
        )))
    }

    /// Returns when a registry may be asked for an environment: never, if the caller has no permission
    /// to pull it.
    pub(crate) fn pull_policy(&self, environment: &str, wanted: PullPolicy) -> PullPolicy {
        match &self.images {
            Some(allowed) if !is_within(environment, allowed) => PullPolicy::Never,
            _ => wanted,
        }
    }

    /// Refuses ports that the caller has no permission to publish.
    pub(crate) fn check_ports(&self, rules: &[PortRule]) -> Result<(), Error> {
        if self.public_ports || !rules.iter().any(PortRule::is_public) {
            return Ok(());
        }
        Err(Error::public_port())
    }

    /// Opens a directory or an archive of the host that a request names.
    pub(crate) fn open(&self, noun: &'static str, path: &str) -> Result<Source, Error> {
        check_written(noun, path)?;
        match &self.files {
            None => {
                let opened = Source::open(noun, &host_path(path));
                opened.map_err(|error| with_tilde(path, error.into()))
            }
            Some(directories) => {
                let (open, path) = directories.open(noun, path)?;
                Ok(Source::opened(noun, path, open)?)
            }
        }
    }

    /// Opens the directory in which a request creates a file. Also returns the file's name in it
    /// and its whole path.
    pub(crate) fn open_destination(
        &self,
        noun: &'static str,
        path: &str,
    ) -> Result<Destination, Error> {
        check_written(noun, path)?;
        let meant = host_path(path);
        let named = match meant.components().next_back() {
            Some(Component::Normal(name)) => Some(name.to_owned()),
            _ => None,
        };
        let name = named.ok_or_else(|| {
            let error = Error::invalid(format!("{noun} {} has no name", pyro_text::line(path)));
            error.remedy("give the path of the new file or directory")
        })?;
        let parent = match meant.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let (directory, parent) = self.open_directory(noun, &path_text(&parent))?;
        let path = parent.join(&name);
        let in_git = path.components().any(|part| is_git(part.as_os_str()));
        if self.files.is_some() && in_git {
            // Git executes files there on the host: hooks, and programs that its configuration
            // names.
            let message = format!("{noun} must not be in a directory of git's");
            return Err(Error::not_allowed(message));
        }
        Ok(Destination {
            directory,
            name,
            path,
        })
    }

    /// Opens a directory of the host in which a request creates or changes files. Also returns its
    /// path without links.
    pub(crate) fn open_directory(
        &self,
        noun: &'static str,
        path: &str,
    ) -> Result<(OwnedFd, PathBuf), Error> {
        check_written(noun, path)?;
        let meant = host_path(path);
        let failed = |error: std::io::Error| Error::unreadable_source(noun, &meant, error);
        let (open, path) = match &self.files {
            None => {
                let absolute = meant.canonicalize().map_err(failed)?;
                let open = rustix::fs::open(&absolute, FILE, Mode::empty());
                (open.map_err(|error| failed(error.into()))?, absolute)
            }
            Some(directories) => directories.open(noun, path)?,
        };
        let stat = rustix::fs::fstat(&open).map_err(|error| failed(error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        Ok((open, path))
    }

    /// Opens a file of the host that a request names, to be read without unpacking.
    pub(crate) fn open_file(&self, noun: &'static str, path: &str) -> Result<File, Error> {
        check_written(noun, path)?;
        let meant = host_path(path);
        let fault = |error| with_tilde(path, Error::unreadable_source(noun, &meant, error));
        let open = match &self.files {
            None => rustix::fs::open(&meant, FILE, Mode::empty())
                .map_err(|error| fault(error.into()))?,
            Some(directories) => directories.open(noun, path)?.0,
        };
        let file = File::from(open);
        if !file.metadata().map_err(fault)?.is_file() {
            let path = pyro_text::line(path);
            return Err(Error::invalid(format!("{noun} {path} is no file")));
        }
        Ok(file)
    }
}

fn is_git(name: &std::ffi::OsStr) -> bool {
    name.eq_ignore_ascii_case(".git")
}

/// The place of a new file.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
    /// The whole path, for messages.
    pub(crate) path: PathBuf,
}

/// Refuses an empty path. It is usually caused by an unset variable or an empty form field, and
/// does not mean all files of a directory.
fn check_written(noun: &str, path: &str) -> Result<(), Error> {
    if !path.is_empty() {
        return Ok(());
    }
    let error = Error::invalid(format!("{noun} is empty"));
    Err(error.remedy("omit it or give a path, `.` for the current directory"))
}

/// Adds to the error for a missing path that `~` may be the cause.
fn with_tilde(path: &str, error: Error) -> Error {
    if error.code == "archive_not_found" && path.starts_with('~') {
        return error.remedy("`~` is not expanded here: give the full path");
    }
    error
}

/// Directories of the host that a caller may read. Each is kept open, so that it remains the same
/// directory if its path is replaced.
#[derive(Clone, Debug, Default)]
pub struct HostDirectories {
    open: Vec<Arc<HostDirectory>>,
    home: Option<PathBuf>,
}

#[derive(Debug)]
struct HostDirectory {
    /// The path as it was named, and the path it resolves to.
    named: PathBuf,
    real: PathBuf,
    open: OwnedFd,
}

impl HostDirectories {
    /// Opens the directories.
    ///
    /// # Errors
    /// When one of them cannot be opened; its name is in the error.
    pub fn open_all<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let mut directories = Self::default();
        for path in paths {
            directories.add(path).map_err(|error| {
                Error::invalid(format!(
                    "cannot open the directory {}: {error}",
                    path.display()
                ))
            })?;
        }
        Ok(directories)
    }

    /// Resolves `~` to this directory, because models write such paths. The files there are still
    /// subject to the permissions.
    #[must_use]
    pub fn with_home(mut self, home: Option<PathBuf>) -> Self {
        self.home = home;
        self
    }

    /// Adds the directories in which a client works. One that cannot be opened is left out. If
    /// there is only one, relative paths begin there; with several, it would be ambiguous.
    pub fn add_roots(&mut self, roots: &[PathBuf]) {
        let had = self.open.len();
        for root in roots {
            if let Err(error) = self.add(root) {
                tracing::debug!(%error, root = %root.display(), "a root cannot be opened");
            }
        }
        if let [_only] = roots {
            self.open.rotate_left(had);
        }
    }

    fn add(&mut self, path: &Path) -> std::io::Result<()> {
        let named = std::path::absolute(path)?;
        let real = named.canonicalize()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(&real, flags, Mode::empty())?;
        let directory = HostDirectory { named, real, open };
        self.open.push(Arc::new(directory));
        Ok(())
    }

    /// Opens `path` if it is in one of the directories and none of its links leads out of it; such
    /// links are not followed even if they are created during the call. A relative path is resolved
    /// in the first directory. The returned path has no links.
    fn open(&self, noun: &'static str, path: &str) -> Result<(OwnedFd, PathBuf), Error> {
        let meant = self.meant(path);
        for directory in &self.open {
            let Some(rest) = directory.below(&meant) else {
                continue;
            };
            let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            return match openat2(&directory.open, &rest, FILE, Mode::empty(), how) {
                Ok(open) => {
                    let path = real_path(&open)
                        .map_err(|error| Error::unreadable_source(noun, &directory.named, error))?;
                    Ok((open, path))
                }
                // The path leads outside.
                Err(Errno::XDEV | Errno::LOOP) => Err(self.outside(noun, path)),
                // A relative path has no meaning without a first directory.
                Err(error) => Err(Error::unreadable_source(
                    noun,
                    &directory.named.join(&meant),
                    error.into(),
                )),
            };
        }
        Err(self.outside(noun, path))
    }

    /// The path, with `~` replaced by the home directory.
    fn meant(&self, path: &str) -> PathBuf {
        let path = host_path(path);
        match (&self.home, path.strip_prefix("~")) {
            (Some(home), Ok(rest)) => home.join(rest),
            _ => path,
        }
    }

    fn outside(&self, noun: &str, path: &str) -> Error {
        let allowed: Vec<String> = self
            .open
            .iter()
            .map(|directory| directory.named.display().to_string())
            .collect();
        let meant = self.meant(path);
        Error::outside(format!(
            "{noun} {} is in no directory that the operator of this server allowed",
            pyro_text::line(&meant.to_string_lossy())
        ))
        .remedy(format!(
            "use files in {}; relative paths are resolved in the first one",
            allowed.join(", ")
        ))
    }
}

impl HostDirectory {
    /// The rest of a path that is in this directory, as it is written.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let rest = if path.is_absolute() {
            let real = || path.strip_prefix(&self.real).ok();
            path.strip_prefix(&self.named).ok().or_else(real)?
        } else {
            path
        };
        // The kernel resolves `..` and refuses steps out of the directory.
        let rest: PathBuf = rest
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        Some(if rest.as_os_str().is_empty() {
            ".".into()
        } else {
            rest
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    fn code(result: Result<Source, Error>) -> String {
        result.map_or_else(|error| error.code.into_owned(), |_| "opened".into())
    }

    #[test]
    fn only_what_is_in_an_allowed_directory_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let allowed = place.path().join("allowed");
        fs::create_dir_all(allowed.join("sub/deeper")).unwrap();
        fs::create_dir(place.path().join("secret")).unwrap();
        fs::write(place.path().join("secret.tar"), "").unwrap();
        fs::write(allowed.join("a.tar"), "").unwrap();
        symlink("sub", allowed.join("inward")).unwrap();
        symlink("../secret", allowed.join("outward")).unwrap();
        symlink("/etc", allowed.join("absolute")).unwrap();
        symlink("/proc/self/root", allowed.join("magic")).unwrap();
        let files = HostDirectories::open_all([allowed.as_path()]).unwrap();
        let permissions = Permissions {
            files: Some(files),
            ..Permissions::default()
        };
        let open = |path: &str| code(permissions.open("seed_path", path));
        let within = |path: &str| allowed.join(path).to_string_lossy().into_owned();
        for path in [
            ".",
            "sub",
            "./sub/deeper",
            "sub/../sub",
            "inward/deeper",
            "a.tar",
        ] {
            assert_eq!(open(path), "opened", "{path}");
            assert_eq!(open(&within(path)), "opened", "{path}");
        }
        for path in [
            "..",
            "../secret",
            "sub/../../secret",
            "outward",
            "absolute",
            "absolute/passwd",
            "magic/etc",
            "/",
            "/etc",
            "~/.ssh",
            "../secret.tar",
        ] {
            let refused = open(path);
            assert!(
                ["outside_allowed_directories", "archive_not_found"].contains(&&*refused),
                "{path}: {refused}"
            );
        }
        let beside = format!("{}-other", allowed.display());
        fs::create_dir(&beside).unwrap();
        assert_eq!(open(&beside), "outside_allowed_directories");
        assert_eq!(open("no-such"), "archive_not_found");
        fs::write(allowed.join("file"), "").unwrap();
        assert_eq!(open("file"), "archive_wrong_kind");
        let file = |path: &str| permissions.open_file("exclude_from", path);
        assert!(file("file").is_ok());
        for (path, refused) in [
            ("../secret.tar", "outside_allowed_directories"),
            ("/etc/passwd", "outside_allowed_directories"),
            ("sub", "invalid_input"),
            ("no-such", "archive_not_found"),
        ] {
            assert_eq!(file(path).unwrap_err().code, refused, "{path}");
        }
    }

    /// Git executes files in `.git` on the host, so no path may lead there.
    #[test]
    fn nothing_is_made_in_a_directory_of_gits() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("sub/.git/hooks")).unwrap();
        symlink(".git/hooks", place.path().join("sub/link")).unwrap();
        symlink("sub/.git", place.path().join("another")).unwrap();
        let files = HostDirectories::open_all([place.path()]).unwrap();
        let permissions = Permissions {
            files: Some(files),
            ..Permissions::default()
        };
        let code = |path: &str| {
            let destination = permissions.open_destination("output_path", path);
            destination.map_or_else(|error| error.code.into_owned(), |_| "opened".into())
        };
        for path in [
            "sub/.git/hooks/post-checkout",
            "sub/.GIT",
            "sub/link/post-checkout",
            "another/config",
            "another/hooks/post-checkout",
            "sub/link/../config",
        ] {
            assert_eq!(code(path), "not_allowed_by_operator", "{path}");
        }
        for path in ["file", "sub/file", "sub/link", "another"] {
            assert_eq!(code(path), "opened", "{path}");
        }
        let caller = Permissions::default();
        let path = place.path().join("sub/link/post-checkout");
        assert!(
            caller
                .open_destination("output_path", path.to_str().unwrap())
                .is_ok()
        );
    }

    /// A link that is replaced while it is opened never leads outside.
    #[test]
    fn a_link_that_changes_leads_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let allowed = place.path().join("allowed");
        fs::create_dir_all(allowed.join("inside")).unwrap();
        let secret = place.path().join("secret");
        fs::create_dir(&secret).unwrap();
        let secret = secret.canonicalize().unwrap();
        let files = HostDirectories::open_all([allowed.as_path()]).unwrap();
        let link = allowed.join("link");
        let exchanging = {
            let (link, spare) = (link, allowed.join("spare"));
            std::thread::spawn(move || {
                for turn in 0..4000 {
                    let target = if turn % 2 == 0 { "../secret" } else { "inside" };
                    symlink(target, &spare).unwrap();
                    fs::rename(&spare, &link).unwrap();
                }
            })
        };
        let mut opened = 0;
        while !exchanging.is_finished() {
            let permissions = Permissions {
                files: Some(files.clone()),
                ..Permissions::default()
            };
            if let Ok(source) = permissions.open("seed_path", "link") {
                let real = source.real_path().unwrap();
                assert!(!real.starts_with(&secret), "{}", real.display());
                opened += 1;
            }
        }
        exchanging.join().unwrap();
        assert!(opened > 0, "it was never opened");
    }

    #[test]
    fn who_may_publish_to_nobody_else_has_the_loopback() {
        let permissions = Permissions {
            public_ports: false,
            ..Permissions::default()
        };
        let check = |permissions: &Permissions, texts: &[&str]| {
            let rules: Vec<PortRule> = texts.iter().map(|text| text.parse().unwrap()).collect();
            permissions.check_ports(&rules).map_err(|error| error.code)
        };
        assert_eq!(check(&permissions, &["80", "8080:80", "[::1]:80"]), Ok(()));
        let refused = check(&permissions, &["80", "0.0.0.0:8080:80"]);
        assert_eq!(refused.unwrap_err(), "not_allowed_by_operator");
        assert_eq!(check(&Permissions::default(), &["0.0.0.0:8080:80"]), Ok(()));
    }

    #[test]
    fn who_may_not_have_the_host_is_told_so() {
        let permissions = Permissions {
            host_compat: false,
            ..Permissions::default()
        };
        let asks = json!({"allow_host_compat": true});
        let error = permissions.check(&asks).unwrap_err();
        assert_eq!(error.code, "not_allowed_by_operator");
        assert!(
            permissions
                .check(&json!({"allow_host_compat": false}))
                .is_ok()
        );
        assert!(permissions.check(&json!({})).is_ok());
        assert!(Permissions::default().check(&asks).is_ok());
    }
}
