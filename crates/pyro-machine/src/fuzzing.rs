//! The parsers of data from outside, for fuzzers: from a guest, from QEMU, from a guest's network
//! card and from passt. Nothing here is for other use.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pyro_protocol::Call;
use tokio::runtime::{Builder, Runtime};

use crate::guest::{Command, Guest, Streams};
use crate::network;
use crate::vmm::qemu::Qmp;

/// Longer than any reader takes once the other end has sent everything.
const LIMIT: Duration = Duration::from_secs(20);

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a process can have a runtime");
}

/// Returns a connection whose other end has sent `bytes` and sends nothing more. Data for that end
/// is not read.
fn said(bytes: &[u8]) -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a process can have sockets");
    theirs
        .set_nonblocking(true)
        .expect("a socket can be set to that");
    // Bytes that do not fit are dropped.
    let _ = (&theirs).write(bytes);
    let _ = theirs.shutdown(std::net::Shutdown::Write);
    (ours, theirs)
}

/// A guest sends `bytes` to a host that makes a request, chosen by `turn`.
///
/// # Panics
/// When the host does not finish.
pub fn guest_says(turn: u8, bytes: &[u8]) {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (host, _guest) = said(bytes);
            let mut guest = Guest::connect(host).expect("a socket can be used");
            let talk = async {
                let id = pyro_store::VmId::random();
                match turn % 6 {
                    0 => drop(guest.adopt(&id).await),
                    1 => drop(guest.renew(&id).await),
                    2 => drop(guest.sync().await),
                    3 => drop(guest.prestart().await),
                    4 => {
                        let call = Call::Unpack {
                            destination: "/workspace".to_owned(),
                            owner: None,
                        };
                        let streams = Streams {
                            stdin: Some(&mut &b"no archive"[..]),
                            stdout: &mut tokio::io::sink(),
                            stderr: &mut tokio::io::sink(),
                            controls: None,
                            started: None,
                        };
                        drop(guest.call(&call, streams).await);
                    }
                    _ => {
                        let command = Command {
                            argv: vec!["true".into()],
                            ..Command::default()
                        };
                        let (mut stdout, mut stderr) = (tokio::io::sink(), tokio::io::sink());
                        let mut stdin = &b"input"[..];
                        let streams = Streams {
                            stdin: Some(&mut stdin),
                            stdout: &mut stdout,
                            stderr: &mut stderr,
                            controls: None,
                            started: None,
                        };
                        if let Ok(outcome) = guest.run(&command, streams).await {
                            assert!(outcome.code.is_none_or(|code| (0..=255).contains(&code)));
                            assert!(
                                outcome
                                    .signal
                                    .is_none_or(|signal| (1..=64).contains(&signal))
                            );
                        }
                    }
                }
            };
            let ended = tokio::time::timeout(LIMIT, talk).await;
            assert!(ended.is_ok(), "the host waits for a guest that is gone");
        });
    });
}

/// QEMU sends `bytes` on its control connection.
///
/// # Panics
/// When a wait does not end, or the text is not made safe to show.
pub fn qemu_says(bytes: &[u8]) {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (ours, _theirs) = said(bytes);
            let qmp = Qmp::connect(ours).expect("a socket can be used");
            let waited = tokio::time::timeout(LIMIT, qmp.resumed()).await;
            let heard = waited.expect("who waits for QEMU notices that it is gone");
            if let Err(refusal) = heard {
                let refusal = refusal.to_string();
                assert!(!refusal.chars().any(pyro_text::is_obeyed), "{refusal:?}");
                assert!(refusal.len() < 8192, "{} bytes", refusal.len());
            }
        });
    });
}

/// A frame arrives from a guest's network card, or for it.
///
/// # Panics
/// When a forbidden frame is passed on.
pub fn frame_comes(bytes: &[u8]) {
    network::fuzz_frame(bytes);
}

/// A guest sends a message to its name server.
///
/// # Panics
/// When a message that is no question is passed on.
pub fn question_comes(bytes: &[u8]) {
    network::fuzz_question(bytes);
}

/// Reads a file of host facts.
pub fn host_facts(path: &std::path::Path) {
    let _: Option<crate::HostFacts> = pyro_store::read_record(path);
}
