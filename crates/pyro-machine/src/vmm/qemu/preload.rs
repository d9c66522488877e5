//! The library that is *preloaded* into a QEMU that would open a template's memory for writing;
//! newer versions have an option instead.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pyro_store::write_atomically;
use sha2::{Digest, Sha256};

use super::version::Version;
use crate::Error;
use crate::vmm::Memory;

const LIBRARY: &[u8] = include_bytes!(env!("PYRO_READ_ONLY_LIBRARY"));

/// The variable that names the file for the library.
const NAMED: &str = "PYRO_READ_ONLY";

/// The first QEMU with an option for it: a file that is opened for reading, with memory that is
/// still writable (`rom=off`).
pub(crate) const FIRST_WITH_OPTION: Version = Version { major: 8, minor: 2 };

/// The library for one machine's QEMU.
#[derive(Debug)]
pub(crate) struct Preload<'a> {
    /// Its path.
    pub(crate) library: PathBuf,
    memory: &'a Path,
}

impl<'a> Preload<'a> {
    /// Returns the library for this machine's QEMU; `None` if it is new enough or its memory is its
    /// own. Makes sure that the library exists below `base`.
    pub(crate) fn of(
        version: Version,
        memory: Memory<'a>,
        base: &Path,
    ) -> Result<Option<Self>, Error> {
        let Memory::Copied(memory) = memory else {
            return Ok(None);
        };
        if version >= FIRST_WITH_OPTION {
            return Ok(None);
        }
        let library = base.join(name());
        // Only this user can write the directory, and the library is placed there by a rename.
        if !library.exists() {
            write_atomically(&library, LIBRARY)?;
            let private = fs::Permissions::from_mode(0o400);
            fs::set_permissions(&library, private).map_err(|error| Error::Template {
                path: library.clone(),
                detail: error.to_string(),
            })?;
        }
        Ok(Some(Self { library, memory }))
    }

    /// The variables that load the library and configure it.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), (NAMED, self.memory)]
    }
}

/// The library's name, derived from its content: several versions of pyro may share a directory.
fn name() -> String {
    let digest = Sha256::digest(LIBRARY);
    let number = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
    format!("read-only-{number:016x}.so")
}
