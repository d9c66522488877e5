//! The *recipe* of an environment: from what, and how, its root file system is built.

use serde::Serialize;

use crate::digest;

/// Packages in every environment.
///
/// `bash` and `coreutils` are promised (and essential anyway). The other two are what a Debian
/// user misses at once in a bare system: `netbase` makes `/etc/hosts` (without it `localhost` has
/// no address), `/etc/services` and `/etc/protocols`; `procps` has `ps`, `kill`'s companions and
/// `top`. Together they add 2 MB.
pub(crate) const COMMON_PACKAGES: &[&str] = &["bash", "coreutils", "netbase", "procps"];

/// The newest release that there are recipes for.
pub(crate) const NEWEST_RELEASE: &str = "trixie";

/// Raised whenever the builder makes something else out of the same packages.
const REVISION: u32 = 1;

/// From what, and how, a root file system is built.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Code name of the distribution's release.
    pub release: &'static str,
    /// What `mmdebstrap` starts from, before the packages are added.
    pub variant: &'static str,
    groups: [&'static [&'static str]; 2],
    /// Paths that dpkg leaves out, in the build and in the guest. Documentation other than the
    /// licences, and translations: 50 MB of 180 that nothing run by a program reads.
    pub excluded_paths: &'static [&'static str],
    /// Exceptions to the excluded paths.
    pub included_paths: &'static [&'static str],
}

impl Recipe {
    pub(crate) const fn debian_12(groups: &[&'static [&'static str]]) -> Self {
        Self::debian("bookworm", groups)
    }

    pub(crate) const fn debian_13(groups: &[&'static [&'static str]]) -> Self {
        Self::debian(NEWEST_RELEASE, groups)
    }

    const fn debian(release: &'static str, groups: &[&'static [&'static str]]) -> Self {
        Self {
            release,
            variant: "minbase",
            groups: match groups {
                [one] => [one, &[]],
                [one, two] => [one, two],
                _ => panic!("a recipe has one or two groups of packages"),
            },
            excluded_paths: &[
                "/usr/share/doc/*",
                "/usr/share/info/*",
                "/usr/share/locale/*",
                "/usr/share/man/*",
            ],
            included_paths: &[
                "/usr/share/doc/*/copyright",
                "/usr/share/locale/locale.alias",
            ],
        }
    }

    /// Returns the packages asked for; their dependencies come with them, recommendations do not.
    pub fn packages(&self) -> impl Iterator<Item = &'static str> {
        self.groups.into_iter().flatten().copied()
    }

    /// Returns the SHA-256 of the recipe's canonical JSON, in hexadecimal. Two environments with
    /// the same digest were built the same way, not at the same time.
    pub fn digest(&self) -> String {
        digest::of_bytes(&self.canonical_json())
    }

    fn canonical_json(&self) -> Vec<u8> {
        // Fields in alphabetical order: that is what makes it canonical.
        #[derive(Serialize)]
        struct Canonical<'a> {
            excluded_paths: &'a [&'a str],
            included_paths: &'a [&'a str],
            packages: Vec<&'a str>,
            release: &'a str,
            revision: u32,
            variant: &'a str,
        }
        let mut packages: Vec<_> = self.packages().collect();
        packages.sort_unstable();
        let canonical = Canonical {
            excluded_paths: self.excluded_paths,
            included_paths: self.included_paths,
            packages,
            release: self.release,
            revision: REVISION,
            variant: self.variant,
        };
        serde_json::to_vec(&canonical).expect("strings and numbers always become JSON")
    }
}
