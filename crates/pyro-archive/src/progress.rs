//! *Progress* is how much of a source was read; *counts* are what it had.

/// How far the reading of a source is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Bytes read so far: of the tar file as it is stored, or of the files in a directory.
    pub bytes: u64,
    /// How many there are, where that is known: the size of a tar file.
    pub total: Option<u64>,
}

/// What a source had.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Members: files, directories and links, without the root itself and without parents that a
    /// tar file does not mention.
    pub entry_count: u64,
    /// Sizes of its regular files, together. A hard link has none.
    pub bytes_written: u64,
}

/// Reports each step of this many bytes.
const STEP: u64 = 1 << 20;

/// Tells of progress now and then.
pub(crate) struct Meter<'a> {
    progress: &'a dyn Fn(Progress),
    total: Option<u64>,
    bytes: u64,
    told: Option<u64>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(progress: &'a dyn Fn(Progress), total: Option<u64>) -> Self {
        Self {
            progress,
            total,
            bytes: 0,
            told: None,
        }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.told.is_none_or(|told| self.bytes >= told + STEP) {
            self.tell();
        }
    }

    pub(crate) fn tell(&mut self) {
        self.told = Some(self.bytes);
        (self.progress)(Progress {
            bytes: self.bytes,
            total: self.total,
        });
    }
}
