//! The *placeholder* is what a shell that waits was started for.

use core::ffi::CStr;

/// How a shell is prestarted: it fails if the library does not wait in it, or not for long enough.
/// Its standard input is a pipe, from which the message comes and, after that, what the command
/// reads.
pub const PLACEHOLDER: [&CStr; 3] = [c"/bin/sh", c"-c", c"exit 126 # waits for a command of pyro"];

/// What the shell prints when it begins to wait.
pub const READY: u8 = b'+';
