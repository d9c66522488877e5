//! Carries out [`Call::Compare`](pyro_protocol::Call::Compare).
//!
//! Only what is in the written layers can differ. So the time it takes grows with what was written,
//! not with what is there: see the kernel's documentation of overlayfs about what a layer holds.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pyro_protocol::{Answer, FileChange, FileState, FileType, Refusal, RefusalReason, octets};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::list::{joined, names, state};
use super::{find_root, open};
use crate::directories;
use crate::layers::Layers;
use crate::root::Snapshot;
use crate::streams::task::{Outcome, Pipes};

const BUFFER: usize = 256 * 1024;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW);

/// Attributes of a directory in a written layer that is not merged with the directory of the same
/// path below it.
const UNMERGED: [&str; 2] = ["trusted.overlay.opaque", "trusted.overlay.redirect"];

/// Which part of a directory is compared.
pub(crate) struct Comparison {
    /// The absolute path of the directory.
    pub(crate) root: String,
    /// Paths below it; nothing means all.
    pub(crate) paths: Vec<String>,
    /// Whether the contents of files are sent that differ.
    pub(crate) contents: bool,
    /// Whether it is compared with a snapshot, and not with what there was at first.
    pub(crate) snapshot: bool,
}

/// Writes a line for each difference, and the contents that belong to it.
pub(crate) fn compare(
    root: &Path,
    layers: Option<&Layers>,
    wanted: &Comparison,
    pipes: Pipes,
) -> Outcome {
    let failed = |error: io::Error| {
        let message = format!("{}: {error}", wanted.root);
        Refusal::new(RefusalReason::FileFailed, message)
    };
    let layers = layers.ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
    // What can differ from a snapshot was written in either.
    let mut layers_written: Vec<_> = layers.written.iter().collect();
    let snapshot = wanted.snapshot.then(|| Snapshot::mount(layers));
    let snapshot = snapshot.transpose().map_err(io::Error::other);
    let snapshot = snapshot.map_err(failed)?;
    let before = match &snapshot {
        Some(snapshot) => snapshot.root.try_clone(),
        None => layers.before(),
    };
    layers_written.extend(snapshot.as_ref().map(|snapshot| &snapshot.written));
    let path = octets::decode(&wanted.root);
    let path = path.strip_prefix(b"/").unwrap_or(&path);
    let below = |layer: &OwnedFd| match open(layer, path, DIRECTORY) {
        Ok(directory) => Ok((Some(directory), true)),
        Err(Errno::NOENT) => Ok((None, true)),
        Err(Errno::NOTDIR | Errno::LOOP) => Ok((None, false)),
        Err(error) => Err(failed(error.into())),
    };
    let (old, mut is_merged) = below(&before.map_err(failed)?)?;
    let new = find_root(root, &wanted.root)?;
    // What is not there has no layers, so everything on the other side differs.
    is_merged &= old.is_some() && new.is_some();
    let mut written = Vec::new();
    // Down to the directory, none of its parents may hide what is below it.
    for layer in layers_written {
        let steps = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in steps {
            let parent = open(layer, &path[..end], DIRECTORY);
            is_merged &= parent.is_ok_and(|parent| merges(&parent));
        }
        // Something else in its place, such as the mark of a removal, hides it, too.
        let (directory, hides_nothing) = below(layer)?;
        is_merged &= hides_nothing;
        written.extend(directory);
    }
    let mut walk = Walk {
        old,
        new,
        written,
        paths: wanted
            .paths
            .iter()
            .map(|path| octets::decode(path).into_owned())
            .collect(),
        contents: wanted.contents,
        output: Output::new(pipes),
        buffers: [vec![0; BUFFER], vec![0; BUFFER]],
    };
    walk.all(is_merged)
        .and_then(|()| walk.output.end())
        .map_err(failed)
}

/// Writes a line for each path, and what the files hold.
pub(crate) fn read_all(root: &Path, top: &str, paths: &[String], pipes: Pipes) -> Outcome {
    let failed = |path: &str, error: io::Error| {
        let message = format!("{path}: {error}");
        Refusal::new(RefusalReason::FileFailed, message)
    };
    let base = find_root(root, top)?;
    let mut output = Output::new(pipes);
    for path in paths {
        let bytes = octets::decode(path);
        let (parent, name) = directories::split(&bytes);
        let opened = base.as_ref().map(|base| directories::open(base, parent));
        let directory = match opened.transpose() {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
            Err(error) => return Err(failed(path, error.into())),
        };
        let look = directory.as_ref().map(|directory| state(directory, name));
        let new = look
            .transpose()
            .map_err(|error| failed(path, error))?
            .flatten();
        let change = FileChange {
            path: path.clone(),
            old: None,
            new,
            same_content: false,
        };
        let sides = [(None, None), (directory.as_ref(), change.new.as_ref())];
        output
            .write(&change, name, sides, true)
            .map_err(|error| failed(path, error))?;
    }
    output.end().map_err(|error| failed("the output", error))
}

/// Whether a directory of a written layer is merged with the one below it.
fn merges(directory: &OwnedFd) -> bool {
    UNMERGED.iter().all(|attribute| {
        let value = rustix::fs::fgetxattr(directory, *attribute, &mut [0_u8; 0]);
        matches!(value, Err(Errno::NODATA | Errno::OPNOTSUPP))
    })
}

struct Walk {
    old: Option<OwnedFd>,
    new: Option<OwnedFd>,
    /// The same directory in the written layers that have it.
    written: Vec<OwnedFd>,
    paths: Vec<Vec<u8>>,
    contents: bool,
    output: Output,
    buffers: [Vec<u8>; 2],
}

/// Where changes are written.
struct Output {
    writer: BufWriter<File>,
    changes: u64,
    changed: u64,
}

/// The same directory on both sides, where it is there.
struct Both {
    old: Option<OwnedFd>,
    new: Option<OwnedFd>,
}

impl Walk {
    /// Compares everything below the top.
    fn all(&mut self, is_merged: bool) -> io::Result<()> {
        // Paths and not open directories: a tree may be deeper than the limit on open files.
        let mut left = vec![(Vec::new(), is_merged)];
        while let Some((path, is_merged)) = left.pop() {
            let below = |top: &Option<OwnedFd>| match top {
                Some(top) => directory(top, &path),
                None => Ok(None),
            };
            let both = Both {
                old: below(&self.old)?,
                new: below(&self.new)?,
            };
            let (names, is_merged) = self.names(&path, &both, is_merged)?;
            let mut below = Vec::new();
            for name in names {
                let path = joined(&path, &name);
                if !self.is_wanted(&path) {
                    continue;
                }
                let in_both = self.entry(&both, &name, &path)?;
                if let Some(in_both) = in_both {
                    below.push((path, in_both && is_merged));
                }
            }
            left.extend(below.into_iter().rev());
        }
        Ok(())
    }

    /// Returns the names in a directory that can differ, and whether these are only the written
    /// ones.
    fn names(
        &self,
        path: &[u8],
        both: &Both,
        is_merged: bool,
    ) -> io::Result<(BTreeSet<Vec<u8>>, bool)> {
        let mut written = BTreeSet::new();
        let mut only_written = is_merged;
        for layer in &self.written {
            match directory(layer, path)? {
                Some(layer) if only_written && merges(&layer) => written.extend(names(&layer)?),
                Some(_) => only_written = false,
                None => {}
            }
        }
        if only_written {
            return Ok((written, true));
        }
        let mut all = BTreeSet::new();
        for side in [&both.old, &both.new].into_iter().flatten() {
            all.extend(names(side)?);
        }
        Ok((all, false))
    }

    /// Whether the path, or something below it, was asked for.
    fn is_wanted(&self, path: &[u8]) -> bool {
        let is_below = |path: &[u8], top: &[u8]| {
            let rest = path.strip_prefix(top);
            top.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        let wants = |wanted: &Vec<u8>| is_below(path, wanted) || is_below(wanted, path);
        self.paths.is_empty() || self.paths.iter().any(wants)
    }

    /// Compares one entry. Returns whether it is a directory on both sides, if it is on any.
    fn entry(&mut self, both: &Both, name: &[u8], path: &[u8]) -> io::Result<Option<bool>> {
        let look = |side: &Option<OwnedFd>| match side {
            Some(directory) => state(directory, name),
            None => Ok(None),
        };
        let (old, new) = (look(&both.old)?, look(&both.new)?);
        let is = |state: &Option<FileState>, kind| {
            state.as_ref().is_some_and(|state| state.file_type == kind)
        };
        let directories = [is(&old, FileType::Directory), is(&new, FileType::Directory)];
        let files = [is(&old, FileType::File), is(&new, FileType::File)];
        let mut same_content = false;
        if files == [true, true] {
            same_content = self.same_content(both, name)?;
        }
        if !same(old.as_ref(), new.as_ref(), same_content) {
            let change = FileChange {
                path: octets::encode(path).into_owned(),
                old,
                new,
                same_content,
            };
            let sides = [
                (both.old.as_ref(), change.old.as_ref()),
                (both.new.as_ref(), change.new.as_ref()),
            ];
            let with_contents = self.contents && !same_content;
            self.output.write(&change, name, sides, with_contents)?;
        }
        Ok((directories != [false, false]).then_some(directories == [true, true]))
    }

    /// Whether two files hold the same.
    fn same_content(&mut self, both: &Both, name: &[u8]) -> io::Result<bool> {
        let [Some(mut old), Some(mut new)] =
            [&both.old, &both.new].map(|side| file(side.as_ref(), name))
        else {
            return Ok(false);
        };
        if old.metadata()?.len() != new.metadata()?.len() {
            return Ok(false);
        }
        let [one, other] = &mut self.buffers;
        loop {
            let (read, also_read) = (fill(&mut old, one)?, fill(&mut new, other)?);
            if one[..read] != other[..also_read] {
                return Ok(false);
            }
            if read < one.len() {
                return Ok(true);
            }
        }
    }
}

impl Output {
    fn new(pipes: Pipes) -> Self {
        Self {
            writer: BufWriter::with_capacity(BUFFER, pipes.output),
            changes: 0,
            changed: 0,
        }
    }

    /// Writes the line of a change, and the contents of its files if they are wanted: `sides` has
    /// the directories that they are in.
    fn write(
        &mut self,
        change: &FileChange,
        name: &[u8],
        sides: [(Option<&OwnedFd>, Option<&FileState>); 2],
        with_contents: bool,
    ) -> io::Result<()> {
        self.changes += 1;
        serde_json::to_writer(&mut self.writer, change)?;
        self.writer.write_all(b"\n")?;
        for side in sides {
            if let (Some(directory), Some(state)) = side
                && state.file_type == FileType::File
                && with_contents
            {
                self.content(directory, name, state.size)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<Answer> {
        self.writer.flush()?;
        Ok(Answer::Compared {
            changes: self.changes,
            changed: self.changed,
        })
    }

    /// Sends a file: as many bytes as its line says, whatever has become of it.
    fn content(&mut self, directory: &OwnedFd, name: &[u8], size: u64) -> io::Result<()> {
        let mut sent = 0;
        if let Ok(file) = open(directory, name, OFlags::RDONLY | OFlags::NOFOLLOW) {
            let mut file = File::from(file);
            sent = io::copy(&mut (&mut file).take(size), &mut self.writer)?;
            if sent == size && file.read(&mut [0])? > 0 {
                self.changed += 1;
            }
        }
        self.changed += u64::from(sent < size);
        io::copy(&mut io::repeat(0).take(size - sent), &mut self.writer)?;
        Ok(())
    }
}

/// Opens a directory of one side; `None` if it is no directory there.
fn directory(side: impl AsFd, path: &[u8]) -> io::Result<Option<OwnedFd>> {
    match open(side, path, DIRECTORY) {
        Ok(directory) => Ok(Some(directory)),
        // A command may have removed or replaced it meanwhile.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn file(side: Option<&OwnedFd>, name: &[u8]) -> Option<File> {
    let opened = open(side?, name, OFlags::RDONLY | OFlags::NOFOLLOW);
    Some(File::from(opened.ok()?))
}

/// Whether nothing differs but times.
fn same(old: Option<&FileState>, new: Option<&FileState>, same_content: bool) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) if old.file_type == new.file_type => match old.file_type {
            FileType::File => same_content && old.mode == new.mode,
            FileType::Symlink => old.target == new.target,
            FileType::Directory | FileType::Other => old.mode == new.mode,
        },
        _ => false,
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
