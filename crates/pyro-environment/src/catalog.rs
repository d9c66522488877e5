//! The *catalog*: the environments this version knows, compiled in.

use crate::Error;
use crate::recipe::{COMMON_PACKAGES, Recipe};

/// The platform all environments are built for.
pub const PLATFORM: &str = "linux-x86_64";

/// Version of the catalog: that of the package.
pub const CATALOG_VERSION: &str = env!("CARGO_PKG_VERSION");

/// One environment of the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What users call it, for example `debian:12`.
    pub name: &'static str,
    /// Version of the entry.
    pub version: &'static str,
    /// What it is for, in one sentence.
    pub description: &'static str,
    /// The packages it is chosen for; a promise. The image holds more.
    pub default_packages: &'static [&'static str],
    /// Name of the distribution.
    pub distribution: &'static str,
    /// Release of the distribution.
    pub distribution_version: &'static str,
    /// The platform it runs on.
    pub platform: &'static str,
    /// The versions of this product that can use it.
    pub compatibility: &'static str,
    /// How it is built.
    pub recipe: Recipe,
    /// Bytes a build takes in the cache at its peak, rounded up.
    pub(crate) needed_bytes: u64,
}

impl Entry {
    /// Returns the name of its directory in the cache.
    pub fn directory_name(&self) -> String {
        format!("{}-{}", self.name.replace(':', "_"), self.version)
    }
}

const DEBIAN_12: Entry = Entry {
    name: "debian:12",
    version: "1.0.0",
    description: "Debian 12 with git, for everyday work on source code.",
    default_packages: &["bash", "coreutils", "git"],
    distribution: "debian",
    distribution_version: "12",
    platform: PLATFORM,
    compatibility: ">=2.0.0,<3.0.0",
    recipe: Recipe::debian_12(&[COMMON_PACKAGES, &["ca-certificates", "git"]]),
    needed_bytes: 900 << 20,
};

const DEBIAN_13: Entry = Entry {
    name: "debian:13",
    description: "Debian 13 with git, for everyday work on source code.",
    distribution_version: "13",
    compatibility: ">=2.4.0,<3.0.0",
    recipe: Recipe::debian_13(&[COMMON_PACKAGES, &["ca-certificates", "git"]]),
    ..DEBIAN_12
};

/// All environments, by name.
pub(crate) const CATALOG: &[Entry] = &[
    DEBIAN_12,
    Entry {
        name: "debian:12-base",
        description: "Debian 12 with little more than a shell, for commands that need nothing else.",
        default_packages: &["bash", "coreutils"],
        recipe: Recipe::debian_12(&[COMMON_PACKAGES]),
        needed_bytes: 700 << 20,
        ..DEBIAN_12
    },
    Entry {
        name: "debian:12-build",
        description: "Debian 12 with git, a C tool chain, CMake and Python, for building software.",
        default_packages: &[
            "bash",
            "coreutils",
            "git",
            "gcc",
            "make",
            "cmake",
            "python3",
        ],
        // libc6-dev: without it gcc finds neither stdio.h nor crt1.o.
        recipe: Recipe::debian_12(&[
            COMMON_PACKAGES,
            &[
                "ca-certificates",
                "cmake",
                "gcc",
                "git",
                "libc6-dev",
                "make",
                "python3",
            ],
        ]),
        needed_bytes: 1800 << 20,
        ..DEBIAN_12
    },
    DEBIAN_13,
    Entry {
        name: "debian:13-agent",
        description: "Debian 13 with git, curl, jq, less and Python, for coding agents.",
        default_packages: &["bash", "coreutils", "git", "curl", "jq", "less", "python3"],
        recipe: Recipe::debian_13(&[
            COMMON_PACKAGES,
            &["ca-certificates", "curl", "git", "jq", "less", "python3"],
        ]),
        needed_bytes: 1000 << 20,
        ..DEBIAN_13
    },
    Entry {
        name: "debian:13-base",
        description: "Debian 13 with little more than a shell, for commands that need nothing else.",
        default_packages: &["bash", "coreutils"],
        recipe: Recipe::debian_13(&[COMMON_PACKAGES]),
        needed_bytes: 700 << 20,
        ..DEBIAN_13
    },
    Entry {
        name: "debian:13-build",
        description: "Debian 13 with git, a C tool chain, CMake and Python, for building software.",
        default_packages: &[
            "bash",
            "coreutils",
            "git",
            "gcc",
            "make",
            "cmake",
            "python3",
        ],
        recipe: Recipe::debian_13(&[
            COMMON_PACKAGES,
            &[
                "ca-certificates",
                "cmake",
                "gcc",
                "git",
                "libc6-dev",
                "make",
                "python3",
            ],
        ]),
        needed_bytes: 1800 << 20,
        ..DEBIAN_13
    },
];

/// Returns the entry of that name.
pub(crate) fn find(name: &str) -> Result<&'static Entry, Error> {
    CATALOG
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::Unknown {
            name: name.to_owned(),
            known: CATALOG.iter().map(|entry| entry.name).collect(),
            source: None,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn entries_are_sorted_and_hold_what_they_promise() {
        assert!(CATALOG.is_sorted_by_key(|entry| entry.name));
        for entry in CATALOG {
            let packages: Vec<_> = entry.recipe.packages().collect();
            for promised in entry.default_packages {
                assert!(
                    packages.contains(promised),
                    "{} lacks {promised}",
                    entry.name
                );
            }
        }
    }

    #[test]
    fn directory_names_are_those_of_the_contract() {
        assert_eq!(
            find("debian:12-build").unwrap().directory_name(),
            "debian_12-build-1.0.0"
        );
    }

    #[test]
    fn every_recipe_has_its_own_digest() {
        let digests: BTreeSet<_> = CATALOG.iter().map(|entry| entry.recipe.digest()).collect();
        assert_eq!(digests.len(), CATALOG.len());
    }

    #[test]
    fn what_is_installed_is_not_built_again() {
        for (name, digest) in [
            (
                "debian:12",
                "f180b667f8d6fb29eb3f757d11790c64b38244bf20f4e8232cac9fee06566f61",
            ),
            (
                "debian:12-base",
                "60826ea6fb5bfc7d7024d34da39a2c97079573bdcbe15c396c10548710f93702",
            ),
            (
                "debian:12-build",
                "e0ed27a7e9647dfdb8898a3767eee3c9c0a12326b2832db2a750dd47079862cc",
            ),
        ] {
            assert_eq!(find(name).unwrap().recipe.digest(), digest, "{name}");
        }
    }

    #[test]
    fn a_name_says_the_release() {
        for entry in CATALOG {
            let release = match entry.distribution_version {
                "12" => "bookworm",
                "13" => "trixie",
                other => panic!("{other}"),
            };
            let prefix = format!("debian:{}", entry.distribution_version);
            assert!(entry.name.starts_with(&prefix), "{}", entry.name);
            assert!(
                entry
                    .description
                    .starts_with(&format!("Debian {}", entry.distribution_version)),
                "{}",
                entry.description
            );
            assert_eq!(entry.recipe.release, release, "{}", entry.name);
        }
    }
}
