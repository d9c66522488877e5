//! QEMU, into which a guest may have broken out, says whatever it likes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pyro_machine::fuzzing::qemu_says(bytes));
