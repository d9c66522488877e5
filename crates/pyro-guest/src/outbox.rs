//! The *outbox* contains the frames that wait to be sent to the host.

use std::os::fd::AsFd;

use pyro_protocol::{Frame, GuestMessage};
use rustix::io::Errno;

/// Encoded frames wait here until the port accepts them.
///
/// Output is read from commands only while there is [room](Self::has_room), so the outbox holds
/// little more than one data frame and small control frames. Frames of one round leave in one
/// write: each write is a trip out of the virtual machine.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

/// Above this, no more output is read from commands.
const ROOM_BYTES: usize = 64 * 1024;

/// Above this, no more frames are read from the host either: it sends but does not read.
const CONGESTED_BYTES: usize = 1024 * 1024;

impl Outbox {
    /// Appends a frame.
    pub(crate) fn push(&mut self, frame: &Frame) {
        frame.encode(&mut self.bytes);
    }

    /// Appends a control frame.
    pub(crate) fn say(&mut self, stream: u32, message: &GuestMessage) {
        match Frame::control(stream, message) {
            Ok(frame) => self.push(&frame),
            // Messages contain short texts and numbers; quoted texts of the host are cut.
            Err(error) => crate::console::log(&format!("message not sent: {error}")),
        }
    }

    /// Whether output may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.pending() < ROOM_BYTES
    }

    /// Whether the host has left so much unread that no more requests are read.
    pub(crate) fn is_congested(&self) -> bool {
        self.pending() >= CONGESTED_BYTES
    }

    /// Whether everything was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    /// Writes as much as the port accepts without waiting.
    ///
    /// # Errors
    /// When the port is broken.
    pub(crate) fn flush(&mut self, port: impl AsFd) -> Result<(), Errno> {
        while self.sent < self.bytes.len() {
            match rustix::io::write(&port, &self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.bytes.drain(..self.sent);
                    self.sent = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }

    fn pending(&self) -> usize {
        self.bytes.len() - self.sent
    }
}
