//! The *files* that a process may open, whatever user it runs as (Landlock). With a newer Landlock,
//! ports, abstract sockets and signals to other processes are denied as well.

#![expect(
    unsafe_code,
    reason = "system calls that no library has a safe function for"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

/// The newest version of Landlock whose rights are requested; an older kernel grants a subset.
const NEWEST: ABI = ABI::V9;

/// The permitted access to a file, or to everything below a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// Open it for reading.
    Read,
    /// Open it for reading, and run it.
    Run,
    /// Open it for reading and writing.
    Write,
    /// Open a device, and send it requests.
    Device,
}

impl Access {
    fn rights(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read,
            Self::Run => read | AccessFs::Execute,
            Self::Write => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate,
            Self::Device => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev,
        }
    }
}

/// The rules, created before the process to which they apply.
#[derive(Debug)]
pub(super) struct Rules(Option<OwnedFd>);

impl Rules {
    /// Rules that permit only `files`; those that do not exist are left out. TCP connections,
    /// signals to other processes and their abstract sockets are denied, as far as the kernel can
    /// do that.
    pub(super) fn only(files: &[(PathBuf, Access)], abi: ABI) -> io::Result<Self> {
        if abi == ABI::Unsupported {
            return Ok(Self(None));
        }
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))
            .map_err(io::Error::other)?;
        // An empty set of rights is an error.
        if !AccessNet::from_all(abi).is_empty() {
            ruleset = ruleset
                .handle_access(AccessNet::from_all(abi))
                .map_err(io::Error::other)?;
        }
        let mut ruleset = scoped(ruleset, abi)?.create().map_err(io::Error::other)?;
        for (path, access) in files {
            ruleset = allow(ruleset, path, access.rights() & AccessFs::from_all(abi))?;
        }
        Ok(Self(ruleset.into()))
    }

    /// Rules that leave files alone, for a process that changes its own mounts (the kernel denies
    /// that to a process with rules for files). It cannot listen on a TCP port.
    pub(super) fn no_listening(abi: ABI) -> io::Result<Self> {
        if !AccessNet::from_all(abi).contains(AccessNet::BindTcp) {
            return Ok(Self(None));
        }
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessNet::BindTcp)
            .map_err(io::Error::other)?;
        let ruleset = scoped(ruleset, abi)?.create().map_err(io::Error::other)?;
        Ok(Self(ruleset.into()))
    }

    /// Applies the rules to the calling thread, for good. Makes one system call.
    pub(super) fn apply(&self) -> io::Result<()> {
        let Some(rules) = &self.0 else {
            return Ok(());
        };
        // SAFETY: a system call that takes a descriptor and flags, none of which is set.
        let result =
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Whether the kernel has Landlock, so that there are rules.
    pub(super) fn is_in_force(&self) -> bool {
        self.0.is_some()
    }
}

fn scoped(ruleset: Ruleset, abi: ABI) -> io::Result<Ruleset> {
    if Scope::from_all(abi).is_empty() {
        return Ok(ruleset);
    }
    ruleset
        .scope(Scope::from_all(abi))
        .map_err(io::Error::other)
}

fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> io::Result<RulesetCreated> {
    let Ok(file) = PathFd::new(path) else {
        return Ok(ruleset);
    };
    ruleset
        .add_rule(PathBeneath::new(file, rights))
        .map_err(io::Error::other)
}

/// The version of Landlock for which rules are made. Tests can lower it in a program that was built
/// for that.
pub(super) fn abi() -> ABI {
    super::weakened::landlock().map_or(NEWEST, ABI::from)
}

/// Returns the version of Landlock that is in force on this kernel, or why none is.
pub(super) fn status() -> Result<i32, &'static str> {
    // LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h
    const ASK_FOR_VERSION: u32 = 1;
    if let Some(version) = super::weakened::landlock() {
        let none = Err("this program was told to do without it");
        return if version > 0 { Ok(version) } else { none };
    }
    let nothing = std::ptr::null::<u8>();
    // SAFETY: a system call that reads only its flags.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            nothing,
            0,
            ASK_FOR_VERSION,
        )
    };
    match (
        i32::try_from(version),
        io::Error::last_os_error().raw_os_error(),
    ) {
        (Ok(version @ 1..), _) => Ok(version),
        (_, Some(libc::EOPNOTSUPP)) => Err("Landlock is switched off on this kernel (lsm=)"),
        _ => Err("this kernel was built without Landlock"),
    }
}
