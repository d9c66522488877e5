//! Frames from a guest's network card, and for it: nothing gets where it may not.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| pyro_machine::fuzzing::frame_comes(frame));
