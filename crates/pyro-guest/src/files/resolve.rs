//! Carries out [`Call::ResolvePath`](pyro_protocol::Call::ResolvePath).

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use pyro_protocol::{Answer, FileType, octets};
use rustix::fs::{FileType as Type, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{open_within, refusal};
use crate::directories;
use crate::streams::task::Outcome;

/// Returns the path that names the same file without passing through symbolic links. If the file
/// does not exist, this is done for the longest part of the path that does.
pub(crate) fn resolve_path(root: &Path, path: &str) -> Outcome {
    let failed = |error| refusal(path, error);
    let bytes = octets::decode(path);
    let wanted = bytes.strip_prefix(b"/").ok_or(Errno::INVAL);
    let wanted = wanted.map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = rustix::fs::open(root, flags, Mode::empty()).map_err(failed)?;
    let top = real_path(&base).map_err(failed)?;
    let mut existing = wanted;
    let (opened, missing) = loop {
        match open_within(&base, existing, OFlags::PATH, ResolveFlags::IN_ROOT) {
            Ok(opened) => break (opened, &wanted[existing.len()..]),
            Err(Errno::NOENT) if !existing.is_empty() => existing = directories::split(existing).0,
            Err(error) => return Err(failed(error)),
        }
    };
    let kind = Type::from_raw_mode(rustix::fs::fstat(&opened).map_err(failed)?.st_mode);
    if !missing.is_empty() && kind != Type::Directory {
        return Err(failed(Errno::NOTDIR));
    }
    let real = real_path(&opened).map_err(failed)?;
    let below = real.strip_prefix(top.as_slice()).unwrap_or(&real);
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let missing = missing.strip_prefix(b"/").unwrap_or(missing);
    let parts = [below, missing].into_iter().filter(|part| !part.is_empty());
    let resolved = [&b"/"[..], &parts.collect::<Vec<_>>().join(&b'/')].concat();
    Ok(Answer::Resolved {
        path: octets::encode(&resolved).into_owned(),
        file_type: missing.is_empty().then_some(match kind {
            Type::Directory => FileType::Directory,
            Type::RegularFile => FileType::File,
            Type::Symlink => FileType::Symlink,
            _ => FileType::Other,
        }),
    })
}

/// The path of an open file, as the kernel knows it.
fn real_path(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::readlink(link, Vec::new())?.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_within_the_root() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("usr/bin")).unwrap();
        fs::write(at("usr/bin/tool"), "").unwrap();
        symlink("usr/bin", at("bin")).unwrap();
        symlink("/usr", at("absolute")).unwrap();
        symlink("../../../../usr", at("out")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let directory = Some(FileType::Directory);
        for (path, expected, kind) in [
            ("/", "/", directory),
            ("/bin", "/usr/bin", directory),
            ("/bin/tool", "/usr/bin/tool", Some(FileType::File)),
            ("/bin/new", "/usr/bin/new", None),
            ("/bin/new/deep/er", "/usr/bin/new/deep/er", None),
            ("/absolute/bin/tool", "/usr/bin/tool", Some(FileType::File)),
            ("/out/bin", "/usr/bin", directory),
            ("/opt/new", "/opt/new", None),
        ] {
            let expected = Answer::Resolved {
                path: expected.into(),
                file_type: kind,
            };
            assert_eq!(resolve_path(root.path(), path), Ok(expected), "{path}");
        }
        for path in ["/bin/tool/below", "/loop/x", "relative"] {
            assert!(resolve_path(root.path(), path).is_err(), "{path}");
        }
    }
}
