//! A *directory* is read name by name, each relative to the directory that it was listed in and
//! never through a symbolic link, so that nothing outside can be put in the place of what is being
//! read.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::content::Nothing;
use crate::error::{Error, Refusal};
use crate::file_content::{self, FileContent};
use crate::git_rules::{self, Rules};
use crate::member::{Member, MemberPath, What};
use crate::progress::Meter;
use crate::reading::Reading;
use crate::report::{Reason, Warning};
use crate::sparse::Sparse;
use crate::time::Time;

/// The number of directories that are open at a time: a process may have a thousand files open.
const DEEPEST: usize = 256;
/// How many times the type of an entry may change while it is examined.
const ATTEMPTS: usize = 3;

/// The directory that is a source.
pub(crate) struct Root<'a> {
    pub(crate) directory: &'a OwnedFd,
    /// Absolute.
    pub(crate) path: &'a Path,
    /// Whether what is above it may be looked at.
    pub(crate) may_look_up: bool,
}

/// A directory, and which of its names are still to be read.
struct Level {
    directory: OwnedFd,
    /// Below the source.
    path: Vec<u8>,
    /// The next one is the last.
    names: Vec<CString>,
}

struct Walk<'a, 'b, 'c> {
    root: &'a Root<'a>,
    meter: &'a mut Meter<'b>,
    reading: &'a mut Reading<'c>,
    levels: Vec<Level>,
    /// What git ignores, for each level and for what is above; nothing if that does not matter.
    rules: Vec<Rules>,
    /// Where files with several names were seen first, by device and inode.
    linked: HashMap<(u64, u64), MemberPath>,
}

/// The result of examining an entry.
enum Looked {
    /// It was handled.
    Done,
    /// Its type has changed.
    Changed,
}

/// Reads all that is in a directory, sorted, each directory before what is in it.
pub(crate) fn each(
    root: &Root<'_>,
    meter: &mut Meter<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let mut walk = Walk {
        root,
        meter,
        reading,
        levels: Vec::new(),
        rules: Vec::new(),
        linked: HashMap::new(),
    };
    let flags = directory_flags();
    let top = rustix::fs::openat(root.directory, c".", flags, Mode::empty());
    let top = top.map_err(|error| walk.unreadable(b"", error))?;
    if walk.reading.selection.without_git_ignored && root.may_look_up {
        let names = root.path.iter().rev().map(|name| name.as_bytes().to_vec());
        let names: Vec<_> = names.collect();
        // The last one is the root directory, which has no name.
        walk.rules = Rules::above(&top, &names[..names.len().saturating_sub(1)]);
    }
    let above = walk.rules.len();
    walk.enter(top, Vec::new())?;
    while let Some(level) = walk.levels.last_mut() {
        if let Some(name) = level.names.pop() {
            walk.entry(&name)?;
        } else {
            walk.levels.pop();
            walk.rules.truncate(above + walk.levels.len());
        }
    }
    // Then all its entries have disappeared, one by one.
    match rustix::fs::fstat(root.directory) {
        Ok(stat) if stat.st_nlink == 0 => Err(walk.changed(b"")),
        _ => Ok(()),
    }
}

impl Walk<'_, '_, '_> {
    /// Lists a directory, to read it next.
    fn enter(&mut self, directory: OwnedFd, path: Vec<u8>) -> Result<(), Error> {
        if self.levels.len() >= DEEPEST {
            return Err(Error::refused(&path, Refusal::TooDeep));
        }
        let names = match list(&directory) {
            Ok(names) => names,
            // It has disappeared with all that was in it.
            Err(Errno::NOENT) => Vec::new(),
            Err(error) => return Err(self.unreadable(&path, error)),
        };
        if self.reading.selection.without_git_ignored {
            self.rules.push(Rules::of(&directory, &path));
        }
        self.levels.push(Level {
            directory,
            path,
            names,
        });
        Ok(())
    }

    fn entry(&mut self, name: &CString) -> Result<(), Error> {
        let level = self.levels.last().expect("it was asked for the name");
        let mut path = level.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
        for _ in 0..ATTEMPTS {
            let reason = match self.look(name, &path) {
                Ok(Ok(Looked::Done)) => return Ok(()),
                Ok(Ok(Looked::Changed) | Err(Errno::LOOP | Errno::NOTDIR)) => continue,
                Ok(Err(Errno::NOENT)) => Reason::Vanished,
                Ok(Err(Errno::ACCESS | Errno::PERM)) if self.reading.selection.skip_unreadable => {
                    Reason::Unreadable
                }
                Ok(Err(error)) => return Err(self.unreadable(&path, error)),
                Err(error) => return Err(error),
            };
            self.reading.leave_out(&path, reason);
            return Ok(());
        }
        Err(self.changed(&path))
    }

    /// Looks at a name and reads what it names. The inner error is one of looking: nothing was
    /// read of it.
    fn look(&mut self, name: &CString, path: &[u8]) -> Result<Result<Looked, Errno>, Error> {
        macro_rules! attempt {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(error) => return Ok(Err(error)),
                }
            };
        }
        let level = self.levels.last().expect("it was asked for the name");
        let directory = &level.directory;
        let name = name.as_c_str();
        let stat = attempt!(rustix::fs::statat(
            directory,
            name,
            AtFlags::SYMLINK_NOFOLLOW
        ));
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let is_directory = file_type == FileType::Directory;
        if self.reading.excludes(path, is_directory) {
            return Ok(Ok(Looked::Done));
        }
        if git_rules::ignores(&self.rules, path, is_directory) {
            self.reading.leave_out(path, Reason::GitIgnored);
            return Ok(Ok(Looked::Done));
        }
        let open = |flags| rustix::fs::openat(directory, name, flags, Mode::empty());
        match file_type {
            FileType::Directory => {
                let opened = attempt!(open(directory_flags()));
                let stat = attempt!(rustix::fs::fstat(&opened));
                let directory = member(path, &stat, What::Directory)?;
                self.reading.take(directory, &mut Nothing)?;
                self.enter(opened, path.to_vec())?;
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
                let opened = attempt!(open(flags));
                let stat = attempt!(rustix::fs::fstat(&opened));
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Ok(Ok(Looked::Changed));
                }
                self.file(File::from(opened), &stat, path)?;
            }
            FileType::Symlink => {
                let target = attempt!(rustix::fs::readlinkat(directory, name, Vec::new()));
                let target = target.into_bytes();
                let link = member(path, &stat, What::Symlink { target })?;
                self.reading.take(link, &mut Nothing)?;
            }
            FileType::Fifo => {
                let fifo = member(path, &stat, What::Fifo)?;
                self.reading.take(fifo, &mut Nothing)?;
            }
            FileType::Socket => self.reading.leave_out(path, Reason::Socket),
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.reading.leave_out(path, Reason::Device);
            }
            FileType::Unknown => return Err(Error::refused(path, Refusal::UnsupportedType)),
        }
        Ok(Ok(Looked::Done))
    }

    fn file(&mut self, file: File, stat: &Stat, path: &[u8]) -> Result<(), Error> {
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let extents = file_content::extents(&file, stat, size);
        let mut member = member(
            path,
            stat,
            What::File {
                size,
                extents: extents.clone(),
            },
        )?;
        if path.ends_with(b".git") {
            self.look_for_git(&file, path);
        }
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(target) = self.linked.get(&inode).cloned() {
                member.what = What::HardLink { target };
                return self.reading.take(member, &mut Nothing);
            }
            self.linked.insert(inode, member.path.clone());
        }
        let absolute = self.absolute(path);
        let mut content = FileContent::new(file, absolute, size, extents.as_ref(), self.meter);
        match &extents {
            None => self.reading.take(member, &mut content),
            Some(extents) => {
                let mut sparse = Sparse::new(&mut content, extents, size);
                self.reading.take(member, &mut sparse)
            }
        }
    }

    /// Warns if a file is what git has in a tree whose data are elsewhere, and they are not in
    /// the source.
    fn look_for_git(&mut self, file: &File, path: &[u8]) {
        let (above, name) = path.split_at(path.len() - b".git".len());
        if name != b".git" || !matches!(above.last(), None | Some(b'/')) {
            return;
        }
        if let Some(data) = file_content::git_data(file)
            && leads_out(above, &data)
        {
            self.reading.warn(Warning::GitElsewhere {
                file: pyro_text::name(path),
                data: pyro_text::name(&data),
            });
        }
    }

    fn absolute(&self, path: &[u8]) -> PathBuf {
        self.root.path.join(std::ffi::OsStr::from_bytes(path))
    }

    fn changed(&self, path: &[u8]) -> Error {
        Error::Changed {
            path: self.absolute(path),
        }
    }

    fn unreadable(&self, path: &[u8], error: Errno) -> Error {
        Error::Unreadable {
            path: self.absolute(path),
            source: error.into(),
        }
    }
}

/// Lists the names in a directory, the last one first.
fn list(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// Whether a path from a directory of a source leads out of it, as it is written. In the guest an
/// absolute one does in any case.
fn leads_out(from: &[u8], path: &[u8]) -> bool {
    let mut depth = crate::member::parts(from).count();
    if path.starts_with(b"/") {
        return true;
    }
    for part in crate::member::parts(path) {
        if part != b".." {
            depth += 1;
        } else if depth == 0 {
            return true;
        } else {
            depth -= 1;
        }
    }
    false
}

fn member(path: &[u8], stat: &Stat, what: What) -> Result<Member, Error> {
    Ok(Member {
        path: MemberPath::parse(path)?,
        mode: stat.st_mode,
        modified: Time {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
        what,
    })
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY
}
