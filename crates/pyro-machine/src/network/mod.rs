//! The *network* of a machine, if it has one, leads only to the Internet: from its card through a
//! filter in this process to passt, which turns the packets into ordinary connections.
//!
//! Every machine has the same addresses, in a network of its own without other hosts.

mod addresses;
mod filter;
mod flows;
mod names;
mod packet;
mod passt;
mod question;
mod relay;
mod subnet;

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use addresses::{AllowList, NotAnAllowList};
use addresses::{EgressPolicy, HostRoutes};
use passt::Passt;
pub use subnet::NetworkInfo;
pub(crate) use subnet::mac_address;
use subnet::{ADDRESS, GATEWAY, NAME_SERVER, PREFIX_LENGTH};

use crate::Error;

/// passt drops packets if its connection to this process is full, and is slow to send them again:
/// so the guest's TCP window is no larger than the room for them.
const TCP_WINDOW_BYTES: u32 = 32 * 1024;

/// How long passt may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A machine's network; disconnected on drop.
#[derive(Debug)]
pub(crate) struct Network {
    relay: JoinHandle<()>,
    ready: oneshot::Receiver<()>,
    passt: Passt,
}

/// What a machine's network needs on this host.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    program: PathBuf,
    allowed: AllowList,
}

impl Access {
    /// Determines what a machine's network needs.
    ///
    /// # Errors
    /// When the program is missing, or the host has no route to the Internet.
    pub(crate) fn new(search_path: &OsStr, allowed: AllowList) -> Result<Self, Error> {
        let program = check(search_path)?;
        Ok(Self { program, allowed })
    }
}

/// Finds the program that machines with a network need, and checks that the host has a network for
/// them.
///
/// # Errors
/// When the program is missing, or the host has no route to the Internet.
pub(crate) fn check(search_path: &OsStr) -> Result<PathBuf, Error> {
    let program = passt::find(search_path).ok_or(Error::PasstMissing)?;
    let routes = HostRoutes::read().map_err(Error::network)?;
    if routes.lead_out {
        Ok(program)
    } else {
        Err(Error::network("this host has no route to the outside"))
    }
}

impl Network {
    /// Begins to connect `card`, the VMM's connection, to the Internet.
    pub(crate) fn start(
        access: &Access,
        card: UnixStream,
        directory: &Path,
    ) -> Result<Self, Error> {
        let routes = HostRoutes::read().map_err(Error::network)?;
        let reach = EgressPolicy::new(access.allowed.clone(), routes);
        let (passt, connection) =
            Passt::start(&access.program, directory).map_err(Error::network)?;
        let asynchronous = |stream: UnixStream| {
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        };
        let card = asynchronous(card).map_err(Error::network)?;
        let mut connection = asynchronous(connection).map_err(Error::network)?;
        let (greeted, ready) = oneshot::channel();
        let relay = tokio::spawn(async move {
            if let Err(error) = passt::greet(&mut connection).await {
                tracing::debug!(%error, "passt did not answer");
                return;
            }
            // It fails if the machine is gone.
            let _ = greeted.send(());
            let ended = relay::carry(card, connection, reach).await;
            tracing::debug!(?ended, "the network ended");
        });
        Ok(Self {
            relay,
            ready,
            passt,
        })
    }

    /// Waits until it works.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        match tokio::time::timeout(START_LIMIT, &mut self.ready).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::network(self.passt.last_words())),
        }
    }

    /// Returns the network's configuration for the guest.
    pub(crate) fn for_guest() -> pyro_protocol::Network {
        pyro_protocol::Network {
            address: ADDRESS,
            prefix_length: PREFIX_LENGTH,
            gateway: GATEWAY,
            name_servers: vec![NAME_SERVER],
            mtu: None,
            tcp_window_bytes: Some(TCP_WINDOW_BYTES),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

/// Judges a frame in both directions; panics if a forbidden one is passed on.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_frame(frame: &[u8]) {
    use filter::{Verdict, judge, may_come_in, refusal};
    use packet::{ETHERNET_BYTES, Packet, TCP, UDP};

    let reach = EgressPolicy::new(AllowList::default(), HostRoutes::default());
    let mut flows = flows::Flows::default();
    let verdict = judge(frame, &reach);
    let outgoing = frame.get(ETHERNET_BYTES..).and_then(Packet::outgoing);
    if let Some(packet) = &outgoing {
        let goes_out = flows.goes_out(packet);
        if verdict == Verdict::Pass && goes_out {
            assert!(reach.includes(packet.peer, packet.port));
            assert!(!packet.peer.is_private() && !packet.peer.is_loopback());
            assert!(!packet.peer.is_link_local() && !packet.peer.is_multicast());
            assert!([TCP, UDP, packet::ICMP].contains(&packet.protocol));
        }
    }
    let _ = refusal(frame);
    let incoming = frame.get(ETHERNET_BYTES..).and_then(Packet::incoming);
    if let Some(packet) = incoming
        && may_come_in(frame, &reach)
    {
        // A new guest has sent no packet yet.
        let mut flows = flows::Flows::default();
        assert!(!flows.lets_in(&packet) || packet.protocol != UDP);
    }
}

/// Judges a message to the name server; panics if one that is no question is passed on.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_question(message: &[u8]) {
    question::fuzz(message);
}
