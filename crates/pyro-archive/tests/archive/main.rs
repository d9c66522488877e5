//! Archives from outside: what is taken, what is refused, and what becomes of it, as seen by
//! programs that are not ours.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod arbitrary;
mod extractions;
mod layers;
mod left_out;
mod members;
mod odd;
mod round_trip;
mod source;
mod sparse;
mod zip;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use pyro_archive::{Error, PathLimits, Report, Source};
use tar::{EntryType, Header};

/// Of a receiver that takes everything.
const LIMITS: PathLimits = PathLimits {
    path_bytes: usize::MAX,
    list_bytes: u64::MAX,
};

/// A tar file that is written by hand, so that it can be wrong.
#[derive(Default)]
struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    fn raw(mut self, header: &Header, content: &[u8]) -> Self {
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    fn member(self, kind: u8, name: &[u8], target: &[u8], content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(kind));
        // Directories are made like this too, and an ordinary user has to look into them.
        header.set_mode(0o755);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name);
        fields.linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        self.raw(&header, content)
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.member(b'0', name.as_bytes(), b"", content.as_bytes())
    }

    fn directory(self, name: &str) -> Self {
        self.member(b'5', name.as_bytes(), b"", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.member(b'2', name.as_bytes(), target.as_bytes(), b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.member(b'1', name.as_bytes(), target.as_bytes(), b"")
    }

    /// Attributes of the next member.
    fn pax(self, attributes: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in attributes {
            let rest = key.len() + value.len() + 3;
            let length = (1..9).find(|digits| (rest + digits).to_string().len() == *digits);
            write!(content, "{} {key}=", rest + length.unwrap()).unwrap();
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        self.member(b'x', b"pax", b"", &content)
    }

    /// A member whose header is not as usual; its sum is right all the same.
    fn odd(
        self,
        kind: u8,
        name: &str,
        content: &[u8],
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(0o755);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        change(header.as_mut_bytes());
        header.set_cksum();
        self.raw(&header, content)
    }

    /// A file whose header is that of POSIX.
    fn posix(self, name: &str, content: &[u8]) -> Self {
        self.odd(b'0', name, content, |header| {
            header[257..265].copy_from_slice(b"ustar\x0000");
        })
    }

    /// The end of the file, without a mark of the end.
    fn cut(self) -> Vec<u8> {
        self.bytes
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }

    fn source(self) -> (tempfile::TempDir, Source) {
        source("a.tar", &self.end())
    }
}

/// A source that is a file with this name and content.
fn source(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Source) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    let source = Source::open("seed_path", &path).unwrap();
    (directory, source)
}

fn to_image(source: &Source) -> Result<(Vec<u8>, Report), Error> {
    let mut image = Cursor::new(Vec::new());
    let counts = pyro_archive::write_image(source, &mut image, "workspace", &|_| ())?;
    Ok((image.into_inner(), counts))
}

fn to_tar(source: &Source) -> Result<(Vec<u8>, Report), Error> {
    let mut stream = Vec::new();
    let counts = pyro_archive::write_tar(source, &mut stream, LIMITS, &|_| ())?;
    Ok((stream, counts))
}

/// Unpacks an image with the program that belongs to the format.
fn unpack_image(image: &[u8], into: &Path) -> PathBuf {
    let file = into.join("image");
    let root = into.join("root");
    fs::write(&file, image).unwrap();
    let extract = format!("--extract={}", root.display());
    let file = file.as_os_str();
    run(
        "fsck.erofs",
        &["--preserve-perms", "--no-preserve-owner", &extract],
        file,
    );
    root.join("workspace")
}

fn unpack_tar(stream: &[u8], into: &Path) -> PathBuf {
    let file = into.join("stream");
    let root = into.join("root");
    fs::write(&file, stream).unwrap();
    fs::create_dir(&root).unwrap();
    let directory = format!("--directory={}", root.display());
    run(
        "tar",
        &[
            "--extract",
            "--preserve-permissions",
            "--no-same-owner",
            &directory,
            "--file",
        ],
        file.as_os_str(),
    );
    root
}

/// Runs a program that a development machine has: `scripts/host-packages` sees to it.
fn run(program: &str, arguments: &[&str], last: &std::ffi::OsStr) -> String {
    let output = Command::new(program).args(arguments).arg(last).output();
    let output = output.unwrap_or_else(|error| panic!("{program} has to be installed: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What there is to know of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Known {
    mode: u32,
    seconds: i64,
    nanoseconds: i64,
    /// Content or target; nothing of a directory.
    content: Vec<u8>,
    links: u64,
}

/// Looks at all that is in a directory.
fn look(root: &Path) -> BTreeMap<OsString, Known> {
    let mut seen = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.file_type().is_fifo() {
                Vec::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if metadata.is_dir() {
                ahead.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let known = Known {
                mode: metadata.mode(),
                seconds: metadata.mtime(),
                nanoseconds: metadata.mtime_nsec(),
                content,
                links: if metadata.is_dir() {
                    0
                } else {
                    metadata.nlink()
                },
            };
            seen.insert(path.strip_prefix(root).unwrap().into(), known);
        }
    }
    seen
}
