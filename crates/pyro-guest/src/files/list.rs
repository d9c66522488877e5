//! Carries out [`Call::ListFiles`](pyro_protocol::Call::ListFiles).

use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pyro_protocol::{
    Answer, FileEntry, FilePath, FileState, FileType, Refusal, RefusalReason, octets,
};
use rustix::fs::{AtFlags, Dir, FileType as Type, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{bounds, find_root, open_within, refusal, shown};
use crate::directories;
use crate::streams::task::{Outcome, Pipes};

/// Writes one line for each entry, in the order of their names, a directory before its contents.
pub(crate) fn list(root: &Path, file: &FilePath, recursive: bool, pipes: Pipes) -> Outcome {
    let path = octets::decode(&file.path);
    let base = match find_root(root, &file.root)? {
        Some(base) => base,
        None if path.is_empty() => return Ok(Answer::Listed),
        None => return Err(refusal(&shown(file), Errno::NOENT)),
    };
    let failed = |error| refusal(&shown(file), error);
    let bounds = bounds(file);
    let opened = open_within(&base, &path, OFlags::PATH, bounds).map_err(failed)?;
    let stat = rustix::fs::fstat(&opened).map_err(failed)?;
    let mut output = BufWriter::new(pipes.output);
    let written = if Type::from_raw_mode(stat.st_mode) == Type::Directory {
        list_directory(&base, &path, recursive, bounds, &mut output)
    } else {
        let (parent, name) = directories::split(&path);
        let directory = OFlags::RDONLY | OFlags::DIRECTORY;
        let parent = open_within(&base, parent, directory, bounds).map_err(failed)?;
        write_entry(&parent, name, &path, &mut output)
    };
    written.and_then(|()| output.flush()).map_err(|error| {
        Refusal::new(
            RefusalReason::FileFailed,
            format!("{}: {error}", shown(file)),
        )
    })?;
    Ok(Answer::Listed)
}

fn list_directory(
    base: &OwnedFd,
    path: &[u8],
    recursive: bool,
    bounds: ResolveFlags,
    output: &mut impl Write,
) -> io::Result<()> {
    // Paths and not open directories: a tree may be deeper than the limit on open files.
    let mut left = vec![path.to_vec()];
    while let Some(path) = left.pop() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match open_within(base, &path, flags, bounds) {
            Ok(directory) => directory,
            // A command has removed or replaced it meanwhile.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut below = Vec::new();
        for name in names(&directory)? {
            let path = joined(&path, &name);
            let Some(entry) = entry(&directory, &name, &path)? else {
                continue;
            };
            if recursive && entry.state.file_type == FileType::Directory {
                below.push(path);
            }
            write_line(&entry, output)?;
        }
        left.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Returns the names in a directory, sorted.
pub(crate) fn names(directory: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn write_entry(
    parent: &OwnedFd,
    name: &[u8],
    path: &[u8],
    output: &mut impl Write,
) -> io::Result<()> {
    match entry(parent, name, path)? {
        Some(entry) => write_line(&entry, output),
        None => Ok(()),
    }
}

fn write_line(entry: &FileEntry, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, entry)?;
    output.write_all(b"\n")
}

/// Describes the entry `name` of a directory; `None` if it is gone.
fn entry(directory: impl AsFd, name: &[u8], path: &[u8]) -> io::Result<Option<FileEntry>> {
    let state = state(directory, name)?;
    Ok(state.map(|state| FileEntry {
        path: octets::encode(path).into_owned(),
        state,
    }))
}

/// Describes what the name in a directory stands for; `None` if it is gone.
pub(crate) fn state(directory: impl AsFd, name: &[u8]) -> io::Result<Option<FileState>> {
    let stat = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let file_type = file_type(&stat);
    let target = if file_type == FileType::Symlink {
        match rustix::fs::readlinkat(&directory, name, Vec::new()) {
            Ok(target) => Some(octets::encode(target.to_bytes()).into_owned()),
            Err(_) => return Ok(None),
        }
    } else {
        None
    };
    let has_size = matches!(file_type, FileType::File | FileType::Symlink);
    Ok(Some(FileState {
        file_type,
        size: if has_size {
            stat.st_size.cast_unsigned()
        } else {
            0
        },
        mode: stat.st_mode & 0o7777,
        modified: stat.st_mtime,
        target,
    }))
}

fn file_type(stat: &Stat) -> FileType {
    match Type::from_raw_mode(stat.st_mode) {
        Type::RegularFile => FileType::File,
        Type::Directory => FileType::Directory,
        Type::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

pub(super) fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
