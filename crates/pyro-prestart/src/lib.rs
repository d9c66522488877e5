//! A *prestarted* shell was started before its command was known: it waits in a template, so that
//! no clone has to start one. Under software emulation that is half of what a short command
//! costs.
//!
//! This crate is a shared library that the dynamic linker loads into the shell ([`wait`] is its
//! constructor), so the shell waits where all its libraries are there and nothing of its own has
//! run. What it then finds as its arguments, environment, working directory and standard input is
//! what it would have been started with. The agent has the other half: it starts the shell, and
//! sends it a [`Message`].
//!
//! The library must work in whatever shell an environment has, and must not break any: where
//! something is not as expected the constructor returns, and the shell fails with what it was
//! started for, the [`PLACEHOLDER`].
//!
//! The words are in `docs/glossary.md`.

#![cfg_attr(pyro_prestart_library, no_std)]
// It exchanges the arguments of the process in which it runs.
#![allow(unsafe_code)]

mod message;
mod placeholder;
mod process;

pub use message::{MAX_MESSAGE_BYTES, Message};
pub use placeholder::{PLACEHOLDER, READY};

use core::ffi::CStr;

use crate::process::Arguments;

/// What it runs instead of its command if it cannot enter the working directory, which the agent
/// could a moment ago.
const NO_DIRECTORY: &CStr = c"echo 'pyro: the working directory is gone' >&2; exit 126";

/// Waits for the message and makes the process the one it asks for.
pub extern "C" fn wait() {
    // In every case the shell goes on: with its command, or with the placeholder.
    let _done = try_to_wait();
}

fn try_to_wait() -> Option<()> {
    let mut arguments = Arguments::of_this_process()?;
    let (memory, variables) = process::make_room()?;
    let no_input = process::open_null()?;
    process::report_ready()?;

    let message = Message::parse(memory.receive()?)?;
    if !message.stdin {
        rustix::stdio::dup2_stdin(&no_input).ok()?;
    }
    drop(no_input);
    arguments.replace(&message, &variables);
    let stays = message.directory.is_empty();
    if !stays && rustix::process::chdir(message.directory).is_err() {
        arguments.replace_line(NO_DIRECTORY);
    }
    Some(())
}

#[cfg(pyro_prestart_library)]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = wait;

/// Nothing here panics; if something did, the shell would hang, and be killed by its time limit.
#[cfg(pyro_prestart_library)]
#[panic_handler]
fn panic(_panic: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
