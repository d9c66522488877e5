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
        let mut digests: Vec<_> = CATALOG.iter().map(|entry| entry.recipe.digest()).collect();
        digests.dedup();
        assert_eq!(digests.len(), CATALOG.len());
    }
}
