//! The *fake VMM*: QEMU's arguments and control protocol, and the real agent behind the guest's
//! port.
//!
//! Its guest is a process tree in its own namespaces. Its root is the directory `disk.files` beside
//! the private disk, so that files persist as on a disk. `disk.files/ended-in-order` exists if the
//! guest's last shutdown was orderly.

mod arguments;
mod asking;
mod guest;
mod monitor;
mod port;
mod processes;
mod state;

use std::sync::Arc;

use arguments::Arguments;
use asking::Asking;
use monitor::Monitor;
use port::Port;

/// The output of `qemu --version`. From 10.0 on no library has to be preloaded.
const VERSION: &str = "QEMU emulator version 10.0.2 (fake)";

/// Runs the VMM that the arguments of this process describe.
pub fn main() -> ! {
    let words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "--version") {
        println!("{VERSION}");
        std::process::exit(0);
    }
    let arguments = Arguments::parse(&words);
    // Done before other threads exist, because a fork does not copy them.
    let (guest, port) = guest::start(&arguments);
    let guest = Arc::new(guest);
    let director = Arc::new(Asking::new(&words[0], arguments.disk.clone()));
    let port = Port::new(arguments.agent, port, Arc::clone(&director));
    let monitor = Monitor::new(&arguments, &guest, &port, director);
    port.start();
    if !arguments.incoming {
        port.let_run();
    }
    monitor.start();
    let status = guest.wait();
    port.finish();
    std::process::exit(status);
}
