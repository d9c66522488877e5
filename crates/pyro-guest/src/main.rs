//! The guest agent; `/init` of the initramfs.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    if rustix::process::getpid().is_init() {
        pyro_guest::init()
    }
    // A failure cannot be reported.
    drop(writeln!(
        std::io::stderr(),
        "pyro-guest is PID 1 of a pyro machine and does nothing elsewhere"
    ));
    ExitCode::from(2)
}
