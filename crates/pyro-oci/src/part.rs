//! The *part* of a blob that has been downloaded so far: a file that grows, and the hash of what
//! it has. It stays when a download is interrupted, and the next one goes on at its end.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use hyper::body::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::model::Descriptor;
use crate::{Digest, Error};

/// Pieces that may wait to be written.
const QUEUE: usize = 16;

pub(crate) struct Part {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    length: u64,
}

impl Part {
    /// Opens or makes the file, and reads what it has. One that has more than the blob begins
    /// anew.
    pub(crate) async fn open(path: &Path, blob: &Descriptor) -> Result<Self, Error> {
        let (path, limit) = (path.to_owned(), blob.size);
        let opened = spawn_blocking(move || {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            let mut part = Self {
                file: file.map_err(Error::io("open", &path))?,
                hasher: Sha256::new(),
                length: 0,
                path,
            };
            part.read_what_is_there(limit)
                .map_err(Error::io("read", &part.path))?;
            Ok(part)
        });
        joined(opened.await)?
    }

    fn read_what_is_there(&mut self, limit: u64) -> io::Result<()> {
        if self.file.metadata()?.len() > limit {
            return self.clear();
        }
        let mut buffer = vec![0; 1 << 17];
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.hasher.update(&buffer[..count]);
                    self.length += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Sha256::new();
        self.length = 0;
        Ok(())
    }

    /// Takes what comes until the sender is dropped, on a thread of its own, since hashing takes
    /// as long as the network.
    pub(crate) fn take(mut self) -> (mpsc::Sender<Bytes>, Taking) {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(QUEUE);
        let taking = spawn_blocking(move || {
            let mut outcome = Ok(());
            while let Some(bytes) = receiver.blocking_recv() {
                outcome = self.file.write_all(&bytes);
                if outcome.is_err() {
                    break;
                }
                self.hasher.update(&bytes);
                self.length += bytes.len() as u64;
            }
            let outcome = outcome.map_err(Error::io("write", &self.path));
            (self, outcome)
        });
        (sender, Taking(taking))
    }

    /// Compares what is there with its digest, and brings it to the disk. What is damaged is
    /// removed.
    pub(crate) async fn finish(self, blob: &Descriptor) -> Result<(), Error> {
        let digest = blob.digest.clone();
        let finished = spawn_blocking(move || {
            let found = Digest::finish(self.hasher);
            if found != digest {
                fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))?;
                return Err(Error::Damaged { digest, found });
            }
            self.file.sync_all().map_err(Error::io("write", &self.path))
        });
        joined(finished.await)?
    }
}

/// A part that is being filled.
pub(crate) struct Taking(tokio::task::JoinHandle<(Part, Result<(), Error>)>);

impl Taking {
    /// Waits until all that was sent is written. The sender has to be dropped before.
    pub(crate) async fn end(self) -> Result<(Part, Result<(), Error>), Error> {
        joined(self.0.await)
    }
}

fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.map_err(|_| Error::invalid("the thread that writes it has failed".into()))
}
