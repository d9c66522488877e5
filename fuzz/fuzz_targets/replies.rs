//! Replies of a language model's server, in one piece and as events: whatever comes is read, or is an
//! error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pyro_chat::read_reply(bytes));
