//! The host, or what says it is, says whatever it likes to the agent of a machine that is not its
//! own yet: the agent answers or hangs up, and runs nothing.

#![no_main]

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pyro_guest::{Adoption, Age, Error, Machine, serve};
use pyro_protocol::{Clocks, Decoder, Disk, GuestMessage};

/// A machine with which nothing can be done.
struct Nothing;

impl Machine for Nothing {
    fn age(&self) -> Age {
        Age::default()
    }

    fn clocks(&self) -> Option<Clocks> {
        None
    }

    fn prepare(&mut self, _: Disk, _: bool) -> Result<Option<String>, Error> {
        Ok(None)
    }

    fn adopt(&mut self, _: &Adoption) -> Result<(), Error> {
        Err(Error::refused("adopt it", "it is nobody's"))
    }

    fn set_clock(&mut self, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn clock(&self) -> u64 {
        0
    }

    fn disk(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn root(&self) -> &Path {
        Path::new("/no/such/place")
    }

    fn prestart_library(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn control_groups(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn kernel_log(&self) -> Option<OwnedFd> {
        None
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (mut host, port) = UnixStream::pair().expect("a process can have sockets");
    host.set_nonblocking(true)
        .expect("a socket can be set to that");
    let _ = host.write(bytes);
    let _ = host.shutdown(std::net::Shutdown::Write);
    host.set_nonblocking(false)
        .expect("a socket can be set to that");
    let limit = Some(Duration::from_secs(20));
    host.set_read_timeout(limit)
        .expect("a socket can have a limit");
    serve(port.into(), &mut Nothing);
    let mut answers = Vec::new();
    host.read_to_end(&mut answers).expect("the agent is done");
    let mut decoder = Decoder::new();
    decoder.push(&answers);
    while let Some(frame) = decoder.next_frame().expect("the agent speaks the protocol") {
        if let Ok(message) = frame.message::<GuestMessage>() {
            let ran = matches!(
                message,
                GuestMessage::Started { .. } | GuestMessage::Adopted
            );
            assert!(!ran, "{message:?}");
        }
    }
});
