//! *Secrets* are files in memory that only root can read. They are on no disk, so no snapshot and no
//! export has them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use pyro_protocol::{Answer, Refusal, RefusalReason};

use crate::streams::task::{Outcome, Pipes};

/// The directory, in a file system that is kept in memory.
const DIRECTORY: &str = "run/pyro-secrets";
/// More than any secret has.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// Makes the input the content of the secret `name`.
pub(crate) fn keep(root: &Path, name: &str, bytes: u64, pipes: Pipes) -> Outcome {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let message = "a secret's name has letters, digits and underscores only";
        return Err(Refusal::new(RefusalReason::Refused, message));
    }
    let mut value = Vec::new();
    let read = pipes.input.take(LIMIT_BYTES).read_to_end(&mut value);
    if read.is_err() || value.len() as u64 != bytes {
        let message = format!("the secret {name} did not arrive completely");
        return Err(Refusal::new(RefusalReason::Cut, message));
    }
    write(root, name, &value).map_err(|error| {
        Refusal::new(
            RefusalReason::FileFailed,
            format!("the secret {name} cannot be kept: {error}"),
        )
    })?;
    Ok(Answer::SecretKept)
}

fn write(root: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let directory = root.join(DIRECTORY);
    match fs::DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // A new file each time: a command that has opened the old one keeps what it has read.
    let staged = directory.join(format!(".{name}"));
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)?;
    file.write_all(value)?;
    fs::rename(staged, directory.join(name))
}
