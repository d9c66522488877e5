//! A guest says whatever it likes to a host that wants something of it: the host comes to an end,
//! and believes nothing that cannot be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pyro_machine::fuzzing::guest_says;

fuzz_target!(|input: &[u8]| {
    if let Some((turn, bytes)) = input.split_first() {
        guest_says(*turn, bytes);
    }
});
