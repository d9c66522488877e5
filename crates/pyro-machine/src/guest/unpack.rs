//! Unpacking an archive in the guest, below a directory there: all of it or nothing.

use pyro_protocol::{GuestMessage, HostMessage};
use tokio::io::AsyncRead;

use super::connection::Event;
use super::run::{Stream, pass_input};
use super::{Failure, Guest};

/// How an unpacking ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unpacked {
    /// Everything is in its place, and on the disk.
    Whole {
        /// Members of the archive.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
    },
    /// The guest says why not. Nothing was changed, unless commands changed the same directories
    /// at the same time, or the disk is full.
    Refused {
        /// The cause, for people.
        message: String,
    },
}

impl Guest {
    /// Unpacks the tar stream `archive` below `destination`, an absolute path in the guest. The
    /// stream has the form that [`HostMessage::Unpack`] describes. If this is dropped, the guest
    /// ends it; unless everything has arrived, for then it is finished.
    pub(crate) async fn unpack(
        &self,
        destination: &str,
        archive: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Unpacked, Failure> {
        let destination = destination.to_owned();
        let Stream {
            number,
            mut events,
            credit,
            mut ending,
        } = self.open(&HostMessage::Unpack { destination }).await?;
        let input = pass_input(&self.link, number, &credit, Some(archive));
        tokio::pin!(input);
        let mut input_done = false;
        let event = loop {
            tokio::select! {
                event = events.recv() => break event,
                result = &mut input, if !input_done => {
                    input_done = true;
                    result?;
                }
            }
        };
        ending.runs = false;
        match event {
            Some(Event::Message(GuestMessage::Unpacked { entries, bytes })) => {
                Ok(Unpacked::Whole { entries, bytes })
            }
            Some(Event::Message(GuestMessage::NotUnpacked { message })) => {
                Ok(Unpacked::Refused { message })
            }
            Some(Event::Message(GuestMessage::ExecFailed { message, .. })) => {
                Err(Failure::NotStarted(message))
            }
            Some(other) => Err(Failure::Protocol(format!("an unpacking said {other:?}"))),
            None => Err(self.link.failure()),
        }
    }
}
