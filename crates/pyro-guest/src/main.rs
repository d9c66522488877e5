//! The guest agent; `/init` of the initramfs. The agent starts it again to unpack archives.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    if rustix::process::getpid().is_init() {
        pyro_guest::init()
    }
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|verb| verb == pyro_guest::UNPACK)
        && let Some(destination) = arguments.next()
    {
        return pyro_guest::unpack(&destination.to_string_lossy());
    }
    // Nobody can be told if this fails.
    drop(writeln!(
        std::io::stderr(),
        "pyro-guest is PID 1 of a pyro machine and does nothing elsewhere"
    ));
    ExitCode::from(2)
}
