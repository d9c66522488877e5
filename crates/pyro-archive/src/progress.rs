//! *Progress* is how much of a source was read.

/// How far the reading of a source is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Bytes read so far: of the archive as it is stored, or of the files in a directory, but for
    /// their holes.
    pub bytes: u64,
    /// How many there are, where that is known: the size of an archive.
    pub total: Option<u64>,
}

/// Reports each step of this many bytes.
const STEP: u64 = 1 << 20;

/// Tells of progress now and then.
pub(crate) struct Meter<'a> {
    progress: &'a dyn Fn(Progress),
    total: Option<u64>,
    bytes: u64,
    reported: Option<u64>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(progress: &'a dyn Fn(Progress), total: Option<u64>) -> Self {
        Self {
            progress,
            total,
            bytes: 0,
            reported: None,
        }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self
            .reported
            .is_none_or(|reported| self.bytes >= reported + STEP)
        {
            self.report();
        }
    }

    pub(crate) fn report(&mut self) {
        self.reported = Some(self.bytes);
        (self.progress)(Progress {
            bytes: self.bytes,
            total: self.total,
        });
    }
}
