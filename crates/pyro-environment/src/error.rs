//! The *error* of getting an environment ready. Every one of them happens before any command was
//! sent to a guest.

use std::io;
use std::path::PathBuf;

use crate::requirement::{IDS, Requirement};

/// Why an environment could not be made ready, listed or pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The catalog has no environment of that name.
    #[error("{}; expected one of: {}", unknown(name), known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names in the catalog, sorted.
        known: Vec<&'static str>,
        /// Why it is no image of a registry either, if that was tried.
        source: Option<Box<pyro_oci::Error>>,
    },

    /// An image could not be found, fetched or read.
    #[error(transparent)]
    Image(#[from] pyro_oci::Error),

    /// The layers of an image do not amount to a file system.
    #[error("the image {image} cannot be unpacked")]
    Layers {
        /// The beginning of its digest.
        image: String,
        /// Why not.
        source: Box<pyro_archive::Error>,
    },

    /// An image was not pulled before, and shall not be now.
    #[error("the image {name} has not been pulled")]
    NotPulled {
        /// The image.
        name: String,
    },

    /// A text says that it names an image on this host, and does not.
    #[error("'{text}' is not the name of an image: {problem}")]
    LocalName {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A file or directory of the host, in which an image should be, cannot be read.
    #[error("cannot read {}", path.display())]
    ArchiveUnreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// An archive of images is none, or is damaged.
    #[error(transparent)]
    Archive(#[from] pyro_archive::Error),

    /// Docker or Podman did not hand an image over.
    #[error("`{command}` failed{problem}")]
    StorageProgram {
        /// The command.
        command: String,
        /// What became of it, if it could be started.
        problem: String,
        /// Why it could not be started.
        source: Option<io::Error>,
    },

    /// A name with a digest leads to an image with another one.
    #[error("{name} is another image now: {found}")]
    AnotherImage {
        /// The name.
        name: String,
        /// The digest of what is there.
        found: pyro_oci::Digest,
    },

    /// An environment that is to be exported is no image.
    #[error("the environment {name} is built here from packages, and is no image")]
    NotAnImage {
        /// Its name.
        name: &'static str,
    },

    /// An environment that is to be removed is not there.
    #[error("the environment {name} is not installed")]
    NotInstalled {
        /// Its name.
        name: String,
    },

    /// An environment that is to be removed has users.
    #[error("the environment {name} is in use{}", users(by))]
    InUse {
        /// Its name.
        name: String,
        /// Who uses it, as far as that is known.
        by: Vec<String>,
    },

    /// The host is not of the only platform the catalog has kernels for.
    #[error("environments are built for linux-x86_64; this is {platform}")]
    PlatformUnsupported {
        /// What the host is.
        platform: String,
    },

    /// Programs or files that a build needs are not installed.
    #[error("building an environment needs {}", list(missing))]
    ToolsMissing {
        /// All that is missing, not only the first.
        missing: Vec<Requirement>,
    },

    /// The user has no range of subordinate ids, which an unprivileged build needs.
    #[error("user '{user}' has no range of 65536 subordinate ids in {file}")]
    SubordinateIdsMissing {
        /// The user's name, or uid if it has none.
        user: String,
        /// The file without a range for the user.
        file: &'static str,
        /// The first of so many ids that nobody has.
        free: u64,
    },

    /// The kernel refuses the namespaces a build is confined to.
    #[error(
        "this host does not let the user create the namespaces a build is confined to: {reason}"
    )]
    NamespacesUnavailable {
        /// The setting that forbids it, or what `unshare` said.
        reason: String,
        /// The `sysctl` setting that would allow it, where one is to blame.
        sysctl: Option<&'static str>,
    },

    /// apt is configured with no source for the release.
    #[error("apt has no source for Debian {release} (component main)")]
    ArchiveNotConfigured {
        /// Code name of the release.
        release: &'static str,
    },

    /// The Debian archive could not be reached, or does not hold what was asked for.
    #[error("the Debian archive cannot be reached: {detail}")]
    ArchiveUnreachable {
        /// What apt said.
        detail: String,
    },

    /// What the archive sent is not signed by Debian.
    #[error("the Debian archive's signature was refused: {detail}")]
    ArchiveUntrusted {
        /// What apt said.
        detail: String,
    },

    /// The file system of the cache is too full.
    #[error(
        "not enough space in {}: about {} MiB needed, {} MiB available",
        path.display(), needed >> 20, available >> 20
    )]
    NoSpace {
        /// The directory that holds the cache.
        path: PathBuf,
        /// Bytes a build needs at its peak, an estimate.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },

    /// The cache directory could not be read or written.
    #[error("cannot {action} {}", path.display())]
    CacheUnusable {
        /// What was tried, as a verb: "create", "read", …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// A step of a build failed in a way that none of the other variants explains.
    #[error("{step} failed ({status}){}", last(output))]
    BuildFailed {
        /// The program or step.
        step: &'static str,
        /// Its exit status.
        status: String,
        /// The last lines of its output, oldest first.
        output: Vec<String>,
    },

    /// A program could not be started or its output not read.
    #[error("cannot run {program}")]
    Spawn {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },

    /// The kernel package does not hold what it should.
    #[error("the kernel package {package} cannot be used: {problem}")]
    KernelPackage {
        /// Name of the package.
        package: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Returns a stable word for the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_environment",
            Self::Image(error) => error.code(),
            Self::Layers { source, .. } => source.code(),
            Self::NotPulled { .. } => "image_not_pulled",
            Self::LocalName { .. } => "image_name_invalid",
            Self::ArchiveUnreadable { .. } => "image_unreadable",
            Self::Archive(_) => "image_invalid",
            Self::StorageProgram { .. } => "image_storage_failed",
            Self::AnotherImage { .. } => "image_not_found",
            Self::NotAnImage { .. } => "environment_no_image",
            Self::NotInstalled { .. } => "environment_not_installed",
            Self::InUse { .. } => "environment_in_use",
            Self::PlatformUnsupported { .. } => "platform_unsupported",
            Self::ToolsMissing { .. } => "environment_tools_missing",
            Self::SubordinateIdsMissing { .. } => "subordinate_ids_missing",
            Self::NamespacesUnavailable { .. } => "user_namespaces_unavailable",
            Self::ArchiveNotConfigured { .. } => "archive_not_configured",
            Self::ArchiveUnreachable { .. } => "archive_unreachable",
            Self::ArchiveUntrusted { .. } => "archive_untrusted",
            Self::NoSpace { .. } => "no_space",
            Self::CacheUnusable { .. } => "cache_unusable",
            Self::BuildFailed { .. } | Self::Spawn { .. } | Self::KernelPackage { .. } => {
                "environment_build_failed"
            }
        }
    }

    /// Returns what the user can do about it, as one or two sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::Image(error) => error.remedy(),
            Self::Layers { .. } => "Use another image or tag; nothing of this one was kept but its layers.".into(),
            Self::NotPulled { name } => format!(
                "Pull it with `pyro env pull {name}`. Models may pull from the registries of PYRO_PULL_FROM alone, \
                 and use what a person has pulled."
            ),
            Self::LocalName { .. } => {
                "Write it as docker-archive:FILE[:TAG], oci-archive:FILE[:TAG], oci-layout:DIRECTORY[:TAG], \
                 docker:NAME or podman:NAME."
                    .into()
            }
            Self::ArchiveUnreadable { .. } => "Check the path and its permissions.".into(),
            Self::Archive(_) => "Write the archive again, with `docker save`, `podman save` or `skopeo copy`.".into(),
            Self::StorageProgram { .. } => {
                "Try the same command yourself. For an image of a registry that is called docker or podman, \
                 write `oci:` before its name."
                    .into()
            }
            Self::NotInstalled { .. } => "`pyro env list` shows what is installed.".into(),
            Self::InUse { .. } => {
                "Delete them first: `pyro workspace delete ID`, `pyro vm delete ID`. If a record cannot be \
                 read, the list of `pyro workspace list` says so."
                    .into()
            }
            Self::NotAnImage { name } => format!(
                "Make a workspace with it (`pyro workspace create {name}`), save that with `pyro env \
                 save`, and export the result."
            ),
            Self::AnotherImage { .. } => "Leave the digest out, or bring the old image back.".into(),
            Self::Unknown { name, known, .. } => match nearest(name, known) {
                Some(meant) => {
                    format!("Did you mean '{meant}'? `pyro env list` shows all names.")
                }
                None => "Use one of these names; `pyro env list` shows them.".into(),
            },
            Self::PlatformUnsupported { .. } => {
                "Use a machine with an x86-64 processor running Linux.".into()
            }
            Self::ToolsMissing { missing } => {
                let mut packages: Vec<_> = missing.iter().map(|missing| missing.package).collect();
                packages.sort_unstable();
                packages.dedup();
                format!("Run: sudo apt-get install {}", packages.join(" "))
            }
            Self::SubordinateIdsMissing { user, free, .. } => format!(
                "Run: sudo usermod --add-subuids {free}-{last} --add-subgids {free}-{last} {user}",
                last = free + IDS - 1
            ),
            Self::NamespacesUnavailable { sysctl, .. } => match sysctl {
                Some(setting) => format!("Run: sudo sysctl {setting}"),
                None => "Allow unprivileged user namespaces, or pull the environment as root; \
                         inside a container, the container needs them too. util-linux 2.38 or \
                         newer is needed."
                    .into(),
            },
            Self::ArchiveNotConfigured { release } => format!(
                "Add a Debian mirror to apt's sources, as a file in /etc/apt/sources.list.d with \
                 the line: deb [signed-by={}] http://MIRROR/debian {release} main",
                crate::debian::KEYRING
            ),
            Self::ArchiveUnreachable { .. } => {
                "Check the network and apt's sources and proxy (does `apt-get update` work?), then \
                 try again."
                    .into()
            }
            Self::ArchiveUntrusted { .. } => {
                "Use a mirror that passes on Debian's own signatures, and a current \
                 debian-archive-keyring."
                    .into()
            }
            Self::NoSpace { path, .. } => format!(
                "Free some space on the file system of {}, remove unused environments (`pyro env \
                 prune`), or move the cache elsewhere.",
                path.display()
            ),
            Self::CacheUnusable { path, .. } => format!(
                "Make {} readable and writable for this user, or choose another cache directory.",
                path.display()
            ),
            Self::KernelPackage { .. } => {
                "Trying again does not help: this version of pyro cannot use that kernel. Use an \
                 environment of another release (`pyro env list`), and report the name of the \
                 package with what is wrong with it."
                    .into()
            }
            Self::BuildFailed { .. } | Self::Spawn { .. } => {
                "Nothing of the failed build was kept. If the output names what is wrong, mend that; \
                 if not, try again once, and report the output if it fails in the same way."
                    .into()
            }
        }
    }

    /// Whether a name was probably meant for one of the catalog.
    pub(crate) fn has_nearest(&self) -> bool {
        matches!(self, Self::Unknown { name, known, .. } if nearest(name, known).is_some())
    }

    /// Adds why an unknown name is no image of a registry either.
    pub(crate) fn because(self, cause: pyro_oci::Error) -> Self {
        match self {
            Self::Unknown { name, known, .. } => Self::Unknown {
                name,
                known,
                source: Some(Box::new(cause)),
            },
            other => other,
        }
    }

    /// Returns the last lines a failed build step printed, oldest first.
    pub fn output(&self) -> &[String] {
        match self {
            Self::BuildFailed { output, .. } => output,
            _ => &[],
        }
    }

    pub(crate) fn cache(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::CacheUnusable {
            action,
            path,
            source,
        }
    }
}

fn users(by: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = by[..by.len().min(SHOWN)].join(", ");
    match by.len().saturating_sub(SHOWN) {
        0 if by.is_empty() => ", or may be: the record of a workspace or VM cannot be read".into(),
        0 => format!(" by {shown}"),
        more => format!(" by {shown} and {more} more"),
    }
}

fn unknown(name: &str) -> String {
    if name.trim().is_empty() {
        return "the name of the environment is empty".into();
    }
    format!("unknown environment '{name}'")
}

/// The name that was probably meant: one with no more than two typing errors. Another release is
/// no typing error.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const TYPING_ERRORS: usize = 2;
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let name = name.trim().to_lowercase();
    let distance = |known: &str| strsim::osa_distance(&name, known);
    known
        .iter()
        .copied()
        .filter(|known| digits(known) == digits(&name) && distance(known) <= TYPING_ERRORS)
        .min_by_key(|known| distance(known))
}

fn list(missing: &[Requirement]) -> String {
    let items: Vec<_> = missing
        .iter()
        .map(|missing| format!("{} (package {}): not found", missing.tool, missing.package))
        .collect();
    items.join(", ")
}

fn last(output: &[String]) -> String {
    let telling = output
        .iter()
        .rev()
        .find(|line| line.starts_with("E: "))
        .or(output.last());
    telling.map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement;

    #[test]
    fn unknown_names_list_the_catalog() {
        let error = crate::catalog::find("x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown environment 'x'; expected one of: debian:12, debian:12-base, \
             debian:12-build, debian:13, debian:13-agent, debian:13-base, debian:13-build"
        );
        assert_eq!(error.code(), "unknown_environment");
        let empty = crate::catalog::find(" ").unwrap_err().to_string();
        assert!(
            empty.starts_with("the name of the environment is empty; expected"),
            "{empty}"
        );
    }

    #[test]
    fn the_name_that_was_probably_meant_is_in_the_remedy() {
        for (given, meant) in [
            ("debain:12", Some("debian:12")),
            ("debian12", Some("debian:12")),
            ("Debian:12-Build", Some("debian:12-build")),
            ("debian:12-bulid", Some("debian:12-build")),
            ("debian:12_base", Some("debian:12-base")),
            ("debian:13-agnet", Some("debian:13-agent")),
            ("debian13", Some("debian:13")),
            ("debian:14", None),
            ("debian", None),
            ("alpine", None),
            ("", None),
        ] {
            let remedy = crate::catalog::find(given).unwrap_err().remedy();
            let expected = match meant {
                Some(meant) => format!("Did you mean '{meant}'? "),
                None => "Use one of these names; ".into(),
            };
            assert!(remedy.starts_with(&expected), "{given}: {remedy}");
            assert!(remedy.contains("`pyro env list`"), "{given}: {remedy}");
        }
    }

    #[test]
    fn all_missing_tools_are_named_with_one_command() {
        let missing: Vec<_> = requirement::table(false)
            .into_iter()
            .filter(|row| {
                matches!(
                    row.tool,
                    "mmdebstrap" | "mkfs.erofs" | "newuidmap" | "newgidmap"
                )
            })
            .collect();
        assert_eq!(missing.len(), 4);
        let error = Error::ToolsMissing { missing };
        assert_eq!(
            error.remedy(),
            "Run: sudo apt-get install erofs-utils mmdebstrap uidmap"
        );
    }

    #[test]
    fn whether_to_try_again_is_said_of_what_may_pass() {
        let kernel = Error::KernelPackage {
            package: "linux-image".into(),
            problem: "it has no module erofs".into(),
        };
        assert!(kernel.remedy().starts_with("Trying again does not help"));
        let step = Error::BuildFailed {
            step: "mmdebstrap",
            status: "exit status: 1".into(),
            output: Vec::new(),
        };
        assert!(step.remedy().contains("try again once"));
    }

    #[test]
    fn a_failed_step_shows_its_telling_line() {
        let error = Error::BuildFailed {
            step: "mmdebstrap",
            status: "exit status: 1".into(),
            output: vec!["E: broken".into(), "I: bye".into()],
        };
        assert_eq!(
            error.to_string(),
            "mmdebstrap failed (exit status: 1): E: broken"
        );
    }
}
