//! Bytes of a stream, in pieces of any size: frames come out, or an error, and what comes out is
//! what was put in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pyro_protocol::{Decoder, Frame, GuestMessage, HostMessage};

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    let mut taken = 0;
    'stream: for piece in bytes.chunks(usize::from(piece).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    let whole = frame.to_bytes();
                    assert_eq!(bytes[taken..taken + whole.len()], whole);
                    taken += whole.len();
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    for frame in frames {
        if let Ok(message) = frame.message::<GuestMessage>() {
            let again = Frame::control(frame.stream, &message).expect("it was in one");
            assert_eq!(again.message::<GuestMessage>().expect("it is one"), message);
        }
        if let Ok(message) = frame.message::<HostMessage>() {
            let again = Frame::control(frame.stream, &message).expect("it was in one");
            assert_eq!(again.message::<HostMessage>().expect("it is one"), message);
        }
        let _ = frame.as_credit();
    }
});
