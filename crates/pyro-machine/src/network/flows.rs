//! *Flows* are the conversations without connections that a guest has begun: datagrams and pings.
//! What comes in must belong to one; there may be so many at a time, because passt takes a port of
//! the host for each.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::packet::{ICMP, Packet, TCP, UDP};

/// How long a flow lives without a packet, which is how long passt keeps its port (RFC 4787 asks
/// for two minutes or more).
const IDLE: Duration = Duration::from_secs(180);
/// How many there may be.
const FLOWS: usize = 1024;
/// How many ports of the guest's own they may have. Less than passt may have open files.
const OWN_PORTS: usize = 512;

/// TCP's flags, in the fourteenth byte of its header.
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// Types of ICMP messages.
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const TIME_EXCEEDED: u8 = 11;

/// The guest's port, its peer, and the peer's port.
type Flow = (u16, Ipv4Addr, u16);

/// The flows of one guest.
#[derive(Debug, Default)]
pub(super) struct Flows {
    last_packets: HashMap<Flow, Instant>,
    own_ports: HashMap<u16, usize>,
}

impl Flows {
    /// Notes that a packet goes out. Returns whether it may: those of new flows may not while there
    /// are too many.
    pub(super) fn goes_out(&mut self, packet: &Packet<'_>) -> bool {
        let Some(flow) = flow(packet) else {
            return true;
        };
        let now = Instant::now();
        if let Some(last) = self.last_packets.get_mut(&flow) {
            *last = now;
            return true;
        }
        if self.is_full(flow.0) {
            self.forget_idle(now);
            if self.is_full(flow.0) {
                return false;
            }
        }
        self.last_packets.insert(flow, now);
        *self.own_ports.entry(flow.0).or_default() += 1;
        true
    }

    /// Whether a packet that comes in was asked for.
    pub(super) fn lets_in(&mut self, packet: &Packet<'_>) -> bool {
        match packet.protocol {
            // Nothing in the guest is there for others to connect to.
            TCP => packet.content[13] & (SYN | ACK) != SYN,
            // News of what went wrong on the way.
            ICMP if [UNREACHABLE, TIME_EXCEEDED].contains(&packet.content[0]) => true,
            ICMP if packet.content[0] != ECHO_REPLY => false,
            UDP | ICMP => {
                let known = flow(packet).and_then(|flow| self.last_packets.get_mut(&flow));
                let now = Instant::now();
                known.is_some_and(|last| {
                    let lives = now.duration_since(*last) < IDLE;
                    if lives {
                        *last = now;
                    }
                    lives
                })
            }
            _ => false,
        }
    }

    fn is_full(&self, own_port: u16) -> bool {
        let is_new_port = !self.own_ports.contains_key(&own_port);
        self.last_packets.len() >= FLOWS || (is_new_port && self.own_ports.len() >= OWN_PORTS)
    }

    fn forget_idle(&mut self, now: Instant) {
        self.last_packets
            .retain(|_, last| now.duration_since(*last) < IDLE);
        let left: HashSet<u16> = self.last_packets.keys().map(|flow| flow.0).collect();
        self.own_ports.retain(|port, _| left.contains(port));
    }
}

/// The flow of a packet, for protocols that have no connections.
fn flow(packet: &Packet<'_>) -> Option<Flow> {
    match packet.protocol {
        UDP => Some((packet.own_port?, packet.peer, packet.port?)),
        // One for each peer.
        ICMP => Some((0, packet.peer, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
    const STRANGER: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);

    fn datagram(own_port: u16, peer: Ipv4Addr, port: u16) -> Packet<'static> {
        Packet {
            protocol: UDP,
            peer,
            port: Some(port),
            own_port: Some(own_port),
            content: &[0; 8],
        }
    }

    fn message(protocol: u8, peer: Ipv4Addr, content: &[u8]) -> Packet<'_> {
        Packet {
            protocol,
            peer,
            port: None,
            own_port: None,
            content,
        }
    }

    #[test]
    fn only_who_was_spoken_to_may_answer() {
        let mut flows = Flows::default();
        assert!(!flows.lets_in(&datagram(40_000, PEER, 53)));
        assert!(flows.goes_out(&datagram(40_000, PEER, 53)));
        assert!(flows.lets_in(&datagram(40_000, PEER, 53)));
        for other in [
            datagram(40_000, STRANGER, 53),
            datagram(40_000, PEER, 54),
            datagram(40_001, PEER, 53),
        ] {
            assert!(!flows.lets_in(&other));
        }
        let ping = [8, 0, 0, 0, 0, 0, 0, 0];
        let reply = [0; 8];
        assert!(!flows.lets_in(&message(ICMP, PEER, &reply)));
        assert!(flows.goes_out(&message(ICMP, PEER, &ping)));
        assert!(flows.lets_in(&message(ICMP, PEER, &reply)));
        assert!(!flows.lets_in(&message(ICMP, STRANGER, &reply)));
        assert!(!flows.lets_in(&message(ICMP, PEER, &ping)));
        assert!(flows.lets_in(&message(ICMP, PEER, &[UNREACHABLE, 0, 0, 0, 0, 0, 0, 0])));
    }

    #[test]
    fn nobody_connects_to_a_guest() {
        let mut flows = Flows::default();
        let mut header = [0; 20];
        for (flags, may) in [(SYN, false), (SYN | ACK, true), (ACK, true), (0x04, true)] {
            header[13] = flags;
            assert_eq!(
                flows.lets_in(&message(TCP, PEER, &header)),
                may,
                "{flags:x}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_at_a_time() {
        let mut flows = Flows::default();
        let port = |number: usize| 32_768 + u16::try_from(number).unwrap();
        let taken = (0..5000).filter(|n| flows.goes_out(&datagram(port(*n), PEER, 53)));
        assert_eq!(taken.count(), OWN_PORTS);
        // Those there are go on, to new peers, too, as far as all together are not too many.
        assert!(flows.goes_out(&datagram(port(0), PEER, 53)));
        assert!(flows.goes_out(&datagram(port(0), PEER, 54)));
        let more = (0..5000).filter(|n| flows.goes_out(&datagram(port(0), PEER, 1000 + *n)));
        assert_eq!(more.count(), FLOWS - OWN_PORTS - 1);
        assert!(!flows.goes_out(&datagram(port(4000), PEER, 53)));
        // What is idle makes room.
        tokio::time::advance(IDLE).await;
        assert!(!flows.lets_in(&datagram(port(1), PEER, 53)));
        assert!(flows.goes_out(&datagram(port(4000), PEER, 53)));
        assert!(!flows.lets_in(&datagram(port(0), PEER, 53)));
    }
}
