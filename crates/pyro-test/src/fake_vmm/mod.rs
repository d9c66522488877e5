//! The *fake VMM*: QEMU's arguments, QEMU's control protocol, and the real agent behind the port of
//! a guest's.
//!
//! Its guest is a process tree in namespaces of its own, whose root is a directory beside the private
//! disk, `disk.files`, so that files stay as they would on the disk. `disk.files/ended-in-order` is
//! there if the guest was shut down in order when it ended last.

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

/// What QEMU says to `--version`. From 10.0 on nothing has to be preloaded into it.
const VERSION: &str = "QEMU emulator version 10.0.2 (fake)";

/// Lives a VMM's life, as the arguments of this process say.
pub fn main() -> ! {
    let words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "--version") {
        println!("{VERSION}");
        std::process::exit(0);
    }
    let arguments = Arguments::parse(&words);
    // Before there are other threads, which a process cannot take along.
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
