//! The *output* of a step.

use std::collections::VecDeque;

use crate::{Event, Listener};

/// How much of a failed step's output is in its error.
const OUTPUT_LINES: usize = 20;

/// The output of a step: each line is reported, and the last ones are kept for an error.
pub(super) struct Lines {
    listener: Listener,
    begun: Vec<u8>,
    pub(super) last: VecDeque<String>,
}

impl Lines {
    /// What a line may have; a longer one is broken.
    const BYTES: usize = 4096;

    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener,
            begun: Vec::new(),
            last: VecDeque::new(),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.begun.len() >= Self::BYTES {
                self.end();
            }
            if byte != b'\n' {
                self.begun.push(byte);
            }
        }
    }

    pub(super) fn end(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
        // Progress bars write over a line: what is seen at last counts.
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').next().unwrap_or(line).to_owned();
        self.listener.report(Event::Notice(format!("| {line}")));
        if self.last.len() == OUTPUT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}
