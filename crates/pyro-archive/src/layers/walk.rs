//! A *walk* is a path that is followed part by part, through symbolic links.

use std::ops::Range;

/// Linux follows no more links in one path.
const MOST_LINKS: u32 = 40;

pub(crate) struct Walk {
    path: Vec<u8>,
    /// Where the rest of it begins.
    position: usize,
    links: u32,
    /// Bytes that links have added.
    pub(crate) added: u64,
}

impl Walk {
    pub(crate) fn new(path: &[u8]) -> Self {
        Self {
            path: path.to_vec(),
            position: 0,
            links: 0,
            added: 0,
        }
    }

    /// Returns where the next part is that leads somewhere.
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        while self.position < self.path.len() {
            let start = self.position;
            let rest = &self.path[start..];
            let length = rest.iter().position(|byte| *byte == b'/');
            let end = start + length.unwrap_or(rest.len());
            self.position = end + 1;
            if !matches!(&self.path[start..end], b"" | b".") {
                return Some(start..end);
            }
        }
        None
    }

    pub(crate) fn part(&self, range: Range<usize>) -> &[u8] {
        &self.path[range]
    }

    /// Whether no part is left that leads somewhere.
    pub(crate) fn is_at_end(&self) -> bool {
        let rest = self.path.get(self.position..).unwrap_or_default();
        let mut parts = rest.split(|byte| *byte == b'/');
        parts.all(|part| matches!(part, b"" | b"."))
    }

    /// Goes on with the target of a link. None if there were too many.
    pub(crate) fn follow(&mut self, target: &[u8]) -> Option<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return None;
        }
        let rest = self.path.get(self.position..).unwrap_or_default();
        self.path = [target, b"/", rest].concat();
        self.position = 0;
        self.added += self.path.len() as u64;
        Some(())
    }
}
