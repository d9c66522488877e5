//! A *walk* follows a path part by part, through symbolic links.

use std::ops::Range;

/// The number of links in one path that Linux follows.
const MOST_LINKS: u32 = 40;

pub(crate) struct Walk {
    path: Vec<u8>,
    /// The position of the rest of the path.
    position: usize,
    links: u32,
    /// How many bytes links have added to the path.
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

    /// Returns the position of the next part, without empty ones and `.`.
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

    /// Whether no part is left.
    pub(crate) fn is_at_end(&self) -> bool {
        let rest = self.path.get(self.position..).unwrap_or_default();
        let mut parts = rest.split(|byte| *byte == b'/');
        parts.all(|part| matches!(part, b"" | b"."))
    }

    /// Continues with the target of a link. None if there were too many links.
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
