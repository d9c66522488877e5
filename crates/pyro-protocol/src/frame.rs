//! A *frame* is the unit of the byte stream: a nine-byte header and a bounded payload.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a frame's header: payload length (u32, little endian), stream (u32, little endian),
/// kind (u8).
pub const HEADER_BYTES: usize = 9;

/// The largest payload that is accepted; a longer announced one is refused unread.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// The kind of a frame's payload.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum FrameKind {
    /// One JSON message.
    Control = 0,
    /// Bytes for a command's standard input; empty at its end.
    Stdin = 1,
    /// Bytes that a command wrote to its standard output; empty at its end.
    Stdout = 2,
    /// Bytes that a command wrote to its standard error; empty at its end.
    Stderr = 3,
    /// A [`Credit`].
    Credit = 4,
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Control,
            1 => Self::Stdin,
            2 => Self::Stdout,
            3 => Self::Stderr,
            4 => Self::Credit,
            _ => return None,
        })
    }
}

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Its stream; [`CONNECTION`](crate::CONNECTION) or a call.
    pub stream: u32,
    /// The kind of the payload.
    pub kind: FrameKind,
    /// At most [`MAX_PAYLOAD_BYTES`].
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns a frame of raw bytes.
    pub fn data(stream: u32, kind: FrameKind, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            stream,
            kind,
            payload: bytes.into(),
        }
    }

    /// Returns a control frame with `message`.
    ///
    /// # Errors
    /// When the message is longer than a frame may be.
    pub fn control(stream: u32, message: &impl Serialize) -> Result<Self, Error> {
        let payload = serde_json::to_vec(message).map_err(Error::Message)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Error::TooLong {
                bytes: payload.len(),
            });
        }
        Ok(Self {
            stream,
            kind: FrameKind::Control,
            payload,
        })
    }

    /// Returns a frame that grants credit.
    pub fn credit(stream: u32, credit: Credit) -> Self {
        let mut payload = vec![credit.channel as u8];
        payload.extend_from_slice(&credit.bytes.to_le_bytes());
        Self {
            stream,
            kind: FrameKind::Credit,
            payload,
        }
    }

    /// Reads the payload as a control message.
    ///
    /// # Errors
    /// When it is not JSON of that type.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.payload).map_err(Error::Message)
    }

    /// Reads the payload as a credit.
    ///
    /// # Errors
    /// When it has the wrong length or names a channel that carries no data.
    pub fn as_credit(&self) -> Result<Credit, Error> {
        let [channel, a, b, c, d] = self.payload[..] else {
            return Err(Error::Credit);
        };
        match FrameKind::from_byte(channel) {
            Some(channel @ (FrameKind::Stdin | FrameKind::Stdout | FrameKind::Stderr)) => {
                Ok(Credit {
                    channel,
                    bytes: u32::from_le_bytes([a, b, c, d]),
                })
            }
            _ => Err(Error::Credit),
        }
    }

    /// Appends the encoded frame to `out`.
    ///
    /// # Panics
    /// When the payload is longer than [`MAX_PAYLOAD_BYTES`]; senders split longer data.
    pub fn encode(&self, out: &mut Vec<u8>) {
        assert!(
            self.payload.len() <= MAX_PAYLOAD_BYTES,
            "a sender must chunk its data"
        );
        let length = u32::try_from(self.payload.len()).expect("bounded by MAX_PAYLOAD_BYTES");
        out.reserve(HEADER_BYTES + self.payload.len());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.stream.to_le_bytes());
        out.push(self.kind as u8);
        out.extend_from_slice(&self.payload);
    }

    /// Returns the encoded frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// Permission to send more bytes of one data channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credit {
    /// [`FrameKind::Stdin`], [`FrameKind::Stdout`] or [`FrameKind::Stderr`].
    pub channel: FrameKind,
    /// The number of further bytes.
    pub bytes: u32,
}

/// Why bytes are not a frame, or a frame not a message. The other side is broken or hostile, and
/// the connection must be closed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The header announces more than [`MAX_PAYLOAD_BYTES`].
    #[error("frame of {bytes} bytes exceeds the limit of {MAX_PAYLOAD_BYTES}")]
    TooLong {
        /// The announced length.
        bytes: usize,
    },
    /// The header's kind is none of [`FrameKind`].
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The JSON of a control frame is invalid.
    #[error("malformed control message")]
    Message(#[source] serde_json::Error),
    /// A credit frame is malformed.
    #[error("malformed credit frame")]
    Credit,
}

/// Splits a byte stream into frames, however the bytes are divided on arrival.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that were already decoded.
    consumed: usize,
}

impl Decoder {
    /// Returns an empty decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole frame, or `None` until more bytes arrive.
    ///
    /// # Errors
    /// When the next header is invalid. The decoder must not be used after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let rest = &self.buffer[self.consumed..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_PAYLOAD_BYTES {
            return Err(Error::TooLong { bytes: length });
        }
        let kind = FrameKind::from_byte(kind).ok_or(Error::UnknownKind(kind))?;
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Frame {
            stream: u32::from_le_bytes([s0, s1, s2, s3]),
            kind,
            payload: payload.to_vec(),
        };
        self.consumed += HEADER_BYTES + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let kind = prop_oneof![
            Just(FrameKind::Control),
            Just(FrameKind::Stdin),
            Just(FrameKind::Stdout),
            Just(FrameKind::Stderr),
            Just(FrameKind::Credit),
        ];
        (
            any::<u32>(),
            kind,
            proptest::collection::vec(any::<u8>(), 0..2000),
        )
            .prop_map(|(stream, kind, payload)| Frame {
                stream,
                kind,
                payload,
            })
    }

    fn decode_in_pieces(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Error> {
        let mut decoder = Decoder::new();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(piece) {
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(
            frames in proptest::collection::vec(any_frame(), 0..8),
            piece in 1usize..4000,
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                frame.encode(&mut bytes);
            }
            prop_assert_eq!(decode_in_pieces(&bytes, piece).unwrap(), frames);
        }

        #[test]
        fn hostile_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..4000),
            piece in 1usize..100,
        ) {
            if let Ok(frames) = decode_in_pieces(&bytes, piece) {
                for frame in frames {
                    let _ = frame.as_credit();
                    let _ = frame.message::<crate::HostMessage>();
                    let _ = frame.message::<crate::GuestMessage>();
                }
            }
        }
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_before_its_payload_arrives() {
        let mut header = Vec::from(u32::MAX.to_le_bytes());
        header.extend_from_slice(&[0; 5]);
        let mut decoder = Decoder::new();
        decoder.push(&header);
        assert!(matches!(decoder.next_frame(), Err(Error::TooLong { .. })));
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let mut decoder = Decoder::new();
        decoder.push(&[0, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert!(matches!(decoder.next_frame(), Err(Error::UnknownKind(9))));
    }

    #[test]
    fn credit_survives_and_control_is_no_credit_channel() {
        let credit = Credit {
            channel: FrameKind::Stdout,
            bytes: 70_000,
        };
        assert_eq!(Frame::credit(7, credit).as_credit().unwrap(), credit);
        assert!(
            Frame::data(7, FrameKind::Credit, vec![0, 1, 0, 0, 0])
                .as_credit()
                .is_err()
        );
        assert!(
            Frame::data(7, FrameKind::Credit, vec![2])
                .as_credit()
                .is_err()
        );
    }
}
