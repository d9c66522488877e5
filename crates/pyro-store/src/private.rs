//! A *private* directory can be written by its user only. Another user could otherwise choose which
//! processes a sweep kills, where files are written, and which process offers a machine.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::{getegid, geteuid};

use crate::Error;

/// The permissions for writing of the group and of others.
const WRITABLE: u32 = 0o022;
const GROUP_WRITABLE: u32 = 0o020;
/// In a sticky directory, users can rename and remove only their own files.
const STICKY: u32 = 0o1000;
/// The owner of files whose user has no id in this namespace, such as root outside a container.
const NOBODY: u32 = 65_534;

/// Creates a directory and its parents, accessible to this user only. An existing directory must
/// belong to this user, must not be a link, and no other user may write it.
///
/// # Errors
/// When it cannot be created, or is not private.
pub fn create_private_directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::new("create the directory", path, source))?;
    let is = fs::symlink_metadata(path).map_err(|source| Error::new("open", path, source))?;
    check_own(path, &is)
}

/// Creates a file that only its owner can read, or truncates an existing one; follows no link.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    let is = file.metadata()?;
    if is.uid() != geteuid().as_raw() || !is.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

/// Checks a directory that the user has chosen, if it exists: itself, the directories above it, and
/// the entries in it.
///
/// # Errors
/// When another user can write or replace it, or owns something in it.
pub fn check_private_directory(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::new("use the directory", path, source);
    let path = std::path::absolute(path).map_err(failed)?;
    // The user may use a link to put it elsewhere; another user cannot have placed a link in a
    // directory that only this user can write.
    let existing = path.ancestors().find_map(|path| path.canonicalize().ok());
    let Some(real) = existing else {
        return Ok(());
    };
    let is_whole = path.exists();
    for (depth, directory) in real.ancestors().enumerate() {
        let is = fs::metadata(directory).map_err(failed)?;
        if depth == 0 && is_whole && is.is_dir() {
            check_own(directory, &is)?;
            for entry in fs::read_dir(directory).map_err(failed)?.flatten() {
                let Ok(is) = entry.metadata() else {
                    continue;
                };
                if is.uid() != geteuid().as_raw() || is.is_symlink() {
                    check_own(&entry.path(), &is)?;
                }
            }
        } else {
            check_above(directory, &is)?;
        }
    }
    Ok(())
}

/// Whether a file or directory belongs to this user and is not a link.
pub(crate) fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|is| is.uid() == geteuid().as_raw() && !is.is_symlink())
}

fn check_own(path: &Path, is: &Metadata) -> Result<(), Error> {
    let mode = is.permissions().mode();
    if is.is_symlink() {
        return Err(Error::not_private(path, "it is a link".into()));
    }
    if is.uid() != geteuid().as_raw() {
        return Err(Error::not_private(path, belongs_to(is.uid())));
    }
    if is.is_dir() && mode & WRITABLE != 0 {
        return Err(writable(path, mode));
    }
    Ok(())
}

fn writable(path: &Path, mode: u32) -> Error {
    let mode = mode & 0o7777;
    Error::not_private(path, format!("others may write it (mode {mode:04o})"))
}

/// Checks a directory above a private one: a user who can write it could replace the private one.
/// Many systems give each user a group of their own with the same access.
fn check_above(path: &Path, is: &Metadata) -> Result<(), Error> {
    let mode = is.permissions().mode();
    let owner = is.uid();
    if ![0, NOBODY, geteuid().as_raw()].contains(&owner) {
        return Err(Error::not_private(path, belongs_to(owner)));
    }
    let own_group = [0, getegid().as_raw()].contains(&is.gid());
    let by_group = mode & WRITABLE == GROUP_WRITABLE && own_group;
    if mode & WRITABLE != 0 && mode & STICKY == 0 && !by_group {
        return Err(writable(path, mode));
    }
    Ok(())
}

fn belongs_to(owner: u32) -> String {
    format!(
        "it belongs to user {owner}, not to user {}",
        geteuid().as_raw()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_write_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let base = parent.path().join("way/base");
        assert!(check_private_directory(&base).is_ok(), "there is none yet");
        create_private_directory(&base).unwrap();
        let mode = fs::metadata(&base).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(check_private_directory(&base).is_ok());
        for mode in [0o770, 0o702, 0o777, 0o1777] {
            set_mode(&base, mode);
            let error = check_private_directory(&base).unwrap_err();
            assert!(error.is_not_private(), "{mode:o}: {error}");
            assert!(create_private_directory(&base).is_err());
        }
        // Read access for others does no harm.
        set_mode(&base, 0o755);
        assert!(check_private_directory(&base).is_ok());
        // Above a private directory, others may write only where they cannot rename it.
        let way = parent.path().join("way");
        for (mode, is_fine) in [(0o777, false), (0o1777, true), (0o775, true), (0o755, true)] {
            set_mode(&way, mode);
            assert_eq!(check_private_directory(&base).is_ok(), is_fine, "{mode:o}");
        }
    }

    #[test]
    fn a_link_is_followed_to_the_directory_and_not_below_it() {
        let parent = tempfile::tempdir().unwrap();
        let real = parent.path().join("real");
        create_private_directory(&real).unwrap();
        let link = parent.path().join("link");
        symlink(&real, &link).unwrap();
        assert!(check_private_directory(&link).is_ok());
        symlink("/etc", real.join("vms")).unwrap();
        assert!(check_private_directory(&link).is_err());
        assert!(create_private_directory(&real.join("vms")).is_err());
    }

    #[test]
    fn a_file_is_not_written_through_a_link() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("target");
        fs::write(&target, "precious").unwrap();
        let link = parent.path().join("console.log");
        symlink(&target, &link).unwrap();
        assert!(create_private_file(&link).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        drop(create_private_file(&target).unwrap());
        assert_eq!(fs::read_to_string(&target).unwrap(), "");
    }
}
