//! Messages to a guest's name server: only questions are handed on.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| pyro_machine::fuzzing::question_comes(message));
