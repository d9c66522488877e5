//! A *directory* is read name by name, each relative to the directory that it was listed in and
//! never through a symbolic link, so that nothing outside can be put in the place of what is being
//! read.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Refusal};
use crate::member::{Content, Member, MemberPath, What};
use crate::progress::Meter;
use crate::time::Time;

/// Directories that are open at a time: a process may have a thousand.
const DEEPEST: usize = 256;

/// A directory, and which of its names are still to be read.
struct Level {
    directory: OwnedFd,
    /// Below the source.
    path: Vec<u8>,
    /// The next one is the last.
    names: Vec<CString>,
}

struct Walk<'a, 'b> {
    source: &'a Path,
    meter: &'a mut Meter<'b>,
    levels: Vec<Level>,
    /// Where files with several names were seen first, by device and inode.
    linked: HashMap<(u64, u64), MemberPath>,
}

/// Reads all that is in a directory, sorted, each directory before what is in it.
pub(crate) fn each(
    directory: &OwnedFd,
    source: &Path,
    meter: &mut Meter<'_>,
    visit: &mut dyn FnMut(Member, &mut dyn Content) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut walk = Walk {
        source,
        meter,
        levels: Vec::new(),
        linked: HashMap::new(),
    };
    let root = rustix::fs::openat(directory, c".", directory_flags(), Mode::empty());
    let root = root.map_err(walk.fault(b""))?;
    walk.enter(root, Vec::new())?;
    while let Some(level) = walk.levels.last_mut() {
        match level.names.pop() {
            Some(name) => walk.entry(&name, visit)?,
            None => {
                walk.levels.pop();
            }
        }
    }
    Ok(())
}

impl Walk<'_, '_> {
    /// Lists a directory, to read it next.
    fn enter(&mut self, directory: OwnedFd, path: Vec<u8>) -> Result<(), Error> {
        if self.levels.len() >= DEEPEST {
            return Err(Error::refused(&path, Refusal::TooDeep));
        }
        let mut names = Vec::new();
        for entry in Dir::read_from(&directory).map_err(self.fault(&path))? {
            let entry = entry.map_err(self.fault(&path))?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        self.levels.push(Level {
            directory,
            path,
            names,
        });
        Ok(())
    }

    fn entry(
        &mut self,
        name: &CString,
        visit: &mut dyn FnMut(Member, &mut dyn Content) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let level = self.levels.last().expect("it was asked for the name");
        let mut path = level.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());

        let directory = &level.directory;
        let stat = rustix::fs::statat(directory, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.map_err(self.fault(&path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let opened = rustix::fs::openat(
                    directory,
                    name.as_c_str(),
                    directory_flags(),
                    Mode::empty(),
                );
                let opened = opened.map_err(self.fault(&path))?;
                let stat = rustix::fs::fstat(&opened).map_err(self.fault(&path))?;
                visit(member(&path, &stat, What::Directory)?, &mut Nothing)?;
                self.enter(opened, path)
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
                let opened = rustix::fs::openat(directory, name.as_c_str(), flags, Mode::empty());
                let opened = opened.map_err(self.fault(&path))?;
                self.file(opened, &path, visit)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(directory, name.as_c_str(), Vec::new());
                let target = target.map_err(self.fault(&path))?.into_bytes();
                visit(
                    member(&path, &stat, What::Symlink { target })?,
                    &mut Nothing,
                )
            }
            _ => Err(Error::refused(&path, Refusal::UnsupportedType)),
        }
    }

    fn file(
        &mut self,
        opened: OwnedFd,
        path: &[u8],
        visit: &mut dyn FnMut(Member, &mut dyn Content) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let stat = rustix::fs::fstat(&opened).map_err(self.fault(path))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.changed(path));
        }
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let mut member = member(path, &stat, What::File { size })?;
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(target) = self.linked.get(&inode).cloned() {
                member.what = What::HardLink { target };
                return visit(member, &mut Nothing);
            }
            self.linked.insert(inode, member.path.clone());
        }
        let mut content = FileContent {
            file: File::from(opened),
            path: self.absolute(path),
            left: size,
            meter: self.meter,
        };
        visit(member, &mut content)
    }

    fn absolute(&self, path: &[u8]) -> PathBuf {
        self.source.join(std::ffi::OsStr::from_bytes(path))
    }

    fn changed(&self, path: &[u8]) -> Error {
        Error::Changed {
            path: self.absolute(path),
        }
    }

    fn fault(&self, path: &[u8]) -> impl Fn(Errno) -> Error + use<> {
        let path = self.absolute(path);
        move |error| match error {
            // It was there when its directory was listed, and was no symbolic link.
            Errno::NOENT | Errno::LOOP | Errno::NOTDIR => Error::Changed { path: path.clone() },
            error => Error::Unreadable {
                path: path.clone(),
                source: error.into(),
            },
        }
    }
}

/// As many bytes of a file as it had when it was opened; those that are added later are not read.
struct FileContent<'a, 'b> {
    file: File,
    path: PathBuf,
    left: u64,
    meter: &'a mut Meter<'b>,
}

impl Content for FileContent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            match self.file.read(&mut buffer[..wanted]) {
                Ok(0) => {
                    return Err(Error::Changed {
                        path: self.path.clone(),
                    });
                }
                Ok(read) => {
                    self.left -= read as u64;
                    self.meter.add(read);
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Unreadable {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }
}

/// The content of what is no file.
struct Nothing;

impl Content for Nothing {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, Error> {
        Ok(0)
    }
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
