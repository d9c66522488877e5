//! The *network* of a machine, if it has one, leads to the Internet and nowhere else: from its
//! card through our filter to passt, which makes ordinary connections of it.
//!
//! Every machine has the same addresses in a network of its own, where nobody else is.

mod addresses;
mod filter;
mod flows;
mod names;
mod packet;
mod passt;
mod question;
mod relay;

use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyro_store::VmId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use addresses::{AllowList, NotAnAllowList};
use addresses::{EgressPolicy, HostRoutes};
use passt::Passt;

use crate::{Error, MachineSpec, Machines};

/// The guest's address.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const PREFIX_LENGTH: u8 = 24;
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Who asks the host's name server for the guest.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

/// passt throws away what its connection to us has no room for, and is slow to send it again: a
/// guest asks for no more at a time than there is room for.
const TCP_WINDOW_BYTES: u32 = 32 * 1024;

/// How long passt may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A machine's network; cut off when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    relay: JoinHandle<()>,
    ready: oneshot::Receiver<()>,
    passt: Passt,
}

/// What networks are made with on this host.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    program: PathBuf,
    allowed: AllowList,
}

/// What a machine's network consists of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkInfo {
    /// The device on the host; none is needed.
    pub tap_name: Option<String>,
    /// The guest's address.
    pub guest_ip: Ipv4Addr,
    /// Where it sends what is not for its own network.
    pub gateway_ip: Ipv4Addr,
    /// Its network, such as `10.0.2.0/24`.
    pub subnet_cidr: String,
    /// The address of its network card.
    pub mac_address: String,
    /// Whom it asks for names.
    pub dns_servers: Vec<Ipv4Addr>,
}

impl NetworkInfo {
    /// What the network of the machine with this id consists of.
    pub fn of(id: &VmId) -> Self {
        let network = ADDRESS.to_bits() >> (32 - PREFIX_LENGTH) << (32 - PREFIX_LENGTH);
        Self {
            tap_name: None,
            guest_ip: ADDRESS,
            gateway_ip: GATEWAY,
            subnet_cidr: format!("{}/{PREFIX_LENGTH}", Ipv4Addr::from_bits(network)),
            mac_address: mac_address(id),
            dns_servers: vec![NAME_SERVER],
        }
    }
}

impl Machines {
    /// Finds the program that machines with a network need, and checks that the host has a
    /// network for them.
    ///
    /// # Errors
    /// When the program is missing, or the host has no way out itself.
    pub fn check_network(&self) -> Result<PathBuf, Error> {
        let program = passt::find(&self.search_path).ok_or(Error::PasstMissing)?;
        let routes = HostRoutes::read().map_err(Error::network)?;
        if routes.lead_out {
            Ok(program)
        } else {
            Err(Error::network("this host has no route to the outside"))
        }
    }

    /// What the machine's network is made with, if it is to have one.
    pub(crate) fn access_for(&self, spec: &MachineSpec) -> Result<Option<Access>, Error> {
        if !spec.network {
            return Ok(None);
        }
        Ok(Some(Access {
            program: self.check_network()?,
            allowed: self.network_allow.clone(),
        }))
    }
}

impl Network {
    /// Begins to connect `card`, the VMM's connection, to the world.
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
            // Nobody waits any more if the machine is gone.
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

    /// What the guest is told.
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

/// Judges a frame in both directions; panics if one that is let through may not be.
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
        // A new guest has asked for nothing.
        let mut flows = flows::Flows::default();
        assert!(!flows.lets_in(&packet) || packet.protocol != UDP);
    }
}

/// Judges a message to the name server; panics if it is handed on and no question.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_question(message: &[u8]) {
    question::fuzz(message);
}

/// The address of a machine's network card: the machine's id, marked as an address that was made
/// up for one device. So it is random, and stays what it is however often the machine is told.
pub(crate) fn mac_address(id: &VmId) -> String {
    let mut bytes = id.as_str().as_bytes().chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(text, 16).unwrap_or_default()
    });
    let first = bytes.next().unwrap_or_default() & !GROUP | LOCAL;
    bytes.fold(format!("{first:02x}"), |mac, byte| {
        format!("{mac}:{byte:02x}")
    })
}

/// The bit of an address that many devices listen to.
const GROUP: u8 = 1;
/// The bit of an address that no manufacturer gave.
const LOCAL: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_address_is_its_machines_own() {
        let mac = |id: &str| mac_address(&VmId::parse(id).unwrap());
        assert_eq!(mac("ff23456789ab"), "fe:23:45:67:89:ab");
        assert_eq!(mac("0023456789ab"), "02:23:45:67:89:ab");
    }

    #[test]
    fn the_networks_parts_fit_together() {
        let info = NetworkInfo::of(&VmId::random());
        assert_eq!(info.subnet_cidr, "10.0.2.0/24");
        let all = [info.guest_ip, info.gateway_ip, info.dns_servers[0]];
        assert!(all.iter().all(|ip| addresses::GUEST_NETWORK.contains(*ip)));
    }
}
