//! Carries out [`Call::ReadFile`](pyro_protocol::Call::ReadFile).

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use pyro_protocol::{Answer, FilePath, Refusal, RefusalReason, octets};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::{bounds, open_root, open_within, refusal, shown};
use crate::streams::task::{Outcome, Pipes};

/// Writes a part of a file to the output.
pub(crate) fn read(
    root: &Path,
    file: &FilePath,
    offset: u64,
    max_bytes: u64,
    mut pipes: Pipes,
) -> Outcome {
    let base = open_root(root, file)?;
    let path = octets::decode(&file.path);
    let opened = match open_within(&base, &path, OFlags::RDONLY, bounds(file)) {
        // A device, where none can be opened: root may open every file.
        Err(Errno::ACCESS) => open_within(&base, &path, OFlags::PATH, bounds(file)),
        opened => opened,
    };
    let opened = opened.map_err(|error| refusal(&shown(file), error))?;
    let stat = rustix::fs::fstat(&opened).map_err(|error| refusal(&shown(file), error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(refusal(&shown(file), Errno::ISDIR)),
        _ => return Err(refusal(&shown(file), Errno::NXIO)),
    }
    let mut opened = File::from(opened);
    opened
        .seek(SeekFrom::Start(offset))
        .and_then(|_| io::copy(&mut opened.take(max_bytes), &mut pipes.output))
        .map_err(|error| {
            Refusal::new(
                RefusalReason::FileFailed,
                format!("{}: {error}", shown(file)),
            )
        })?;
    Ok(Answer::FileRead {
        size: stat.st_size.cast_unsigned(),
        mode: stat.st_mode & 0o7777,
    })
}
