//! *Flows* are the conversations without connections that a guest has begun: datagrams and pings.
//! Incoming packets must belong to one. Their number is limited, because passt takes a port of the
//! host for each.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::packet::{ICMP, IP_BYTES, Packet, TCP, UDP};
use super::subnet::ADDRESS;

/// How long a flow lives without a packet. passt checks every second for ports that were unused for
/// 180 seconds, so it has released them before a flow expires here.
const IDLE: Duration = Duration::from_secs(200);
/// The limit. For each flow, passt takes a port of the host, a descriptor, or both, depending on
/// its version. This is half of passt's descriptors; the others are for connections.
const FLOWS: usize = 512;
/// The interval between searches for expired flows: a guest that begins too many must not cause a
/// search each time.
const TIDIED_EVERY: Duration = Duration::from_secs(1);

/// TCP's flags, in the fourteenth byte of its header.
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// Types of ICMP messages.
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const TIME_EXCEEDED: u8 = 11;

/// A conversation without a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Flow {
    protocol: u8,
    /// The guest's port, or the identifier of its pings.
    own_port: u16,
    peer: Ipv4Addr,
    /// The peer's port; pings have none.
    port: u16,
}

/// The flows of one guest.
#[derive(Debug, Default)]
pub(super) struct Flows {
    last_packets: HashMap<Flow, Instant>,
    tidied: Option<Instant>,
}

impl Flows {
    /// Notes an outgoing packet. Returns whether it may pass: packets of new flows may not while
    /// there are too many.
    pub(super) fn goes_out(&mut self, packet: &Packet<'_>) -> bool {
        let Some(flow) = Flow::of(packet) else {
            return true;
        };
        let now = Instant::now();
        if self.lives(&flow, now) {
            return true;
        }
        if self.last_packets.len() >= FLOWS {
            self.remove_idle(now);
        }
        if self.last_packets.len() >= FLOWS {
            return false;
        }
        self.last_packets.insert(flow, now);
        true
    }

    /// Whether an incoming packet is expected.
    pub(super) fn lets_in(&mut self, packet: &Packet<'_>) -> bool {
        let flow = match packet.protocol {
            // No service in the guest can be reached from outside.
            TCP => return packet.content[13] & (SYN | ACK) != SYN,
            // Errors about packets that the guest has sent.
            ICMP if [UNREACHABLE, TIME_EXCEEDED].contains(&packet.content[0]) => {
                Flow::quoted_in(packet)
            }
            ICMP if packet.content[0] != ECHO_REPLY => return false,
            _ => Flow::of(packet),
        };
        flow.is_some_and(|flow| self.lives(&flow, Instant::now()))
    }

    /// Whether the flow exists; if so, it is kept alive, as passt does for answers.
    fn lives(&mut self, flow: &Flow, now: Instant) -> bool {
        match self.last_packets.get_mut(flow) {
            Some(last) if now.duration_since(*last) < IDLE => {
                *last = now;
                true
            }
            _ => false,
        }
    }

    fn remove_idle(&mut self, now: Instant) {
        let since = self.tidied.map(|then| now.duration_since(then));
        if since.is_none_or(|since| since >= TIDIED_EVERY) {
            self.tidied = Some(now);
            self.last_packets
                .retain(|_, last| now.duration_since(*last) < IDLE);
        }
    }
}

impl Flow {
    /// The flow that a packet belongs to, unless its protocol has connections.
    fn of(packet: &Packet<'_>) -> Option<Self> {
        let (own_port, port) = match packet.protocol {
            UDP => (packet.own_port?, packet.port?),
            ICMP => (
                u16::from_be_bytes([packet.content[4], packet.content[5]]),
                0,
            ),
            _ => return None,
        };
        Some(Self {
            protocol: packet.protocol,
            own_port,
            peer: packet.peer,
            port,
        })
    }

    /// The flow of the guest's own datagram whose beginning an error quotes.
    fn quoted_in(error: &Packet<'_>) -> Option<Self> {
        let (header, ports) = error.content.get(8..8 + IP_BYTES + 8)?.split_at(IP_BYTES);
        let is_datagram = header[0] == 0x45 && header[9] == UDP;
        if !is_datagram || header[12..16] != ADDRESS.octets() {
            return None;
        }
        Some(Self {
            protocol: UDP,
            own_port: u16::from_be_bytes([ports[0], ports[1]]),
            peer: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
            port: u16::from_be_bytes([ports[2], ports[3]]),
        })
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
    }

    #[test]
    fn only_pings_are_answered_and_only_by_whom_they_were_for() {
        let mut flows = Flows::default();
        let ping = |kind: u8, id: u8| [kind, 0, 0, 0, 0, id, 0, 0];
        let reply = ping(ECHO_REPLY, 7);
        assert!(!flows.lets_in(&message(ICMP, PEER, &reply)));
        assert!(flows.goes_out(&message(ICMP, PEER, &ping(8, 7))));
        assert!(flows.lets_in(&message(ICMP, PEER, &reply)));
        assert!(!flows.lets_in(&message(ICMP, PEER, &ping(ECHO_REPLY, 8))));
        assert!(!flows.lets_in(&message(ICMP, STRANGER, &reply)));
        for kind in [4, 5, 8, 9, 13, 17] {
            assert!(
                !flows.lets_in(&message(ICMP, PEER, &ping(kind, 7))),
                "{kind}"
            );
        }
    }

    #[test]
    fn errors_are_about_what_was_sent() {
        let mut flows = Flows::default();
        let mut quoted = vec![UNREACHABLE, 3, 0, 0, 0, 0, 0, 0];
        quoted.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, UDP, 0, 0]);
        quoted.extend(ADDRESS.octets());
        quoted.extend(PEER.octets());
        quoted.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
        assert!(!flows.lets_in(&message(ICMP, PEER, &quoted)));
        assert!(flows.goes_out(&datagram(40_000, PEER, 53)));
        assert!(flows.lets_in(&message(ICMP, PEER, &quoted)));
        assert!(
            flows.lets_in(&message(ICMP, STRANGER, &quoted)),
            "on the way"
        );
        // About a connection, another guest's packet, another datagram; no error; cut off.
        for (at, byte) in [(17, TCP), (23, 16), (31, 54), (29, 41), (0, 5), (0, 12)] {
            let mut bent = quoted.clone();
            bent[at] = byte;
            assert!(!flows.lets_in(&message(ICMP, PEER, &bent)), "{at}");
        }
        for length in 8..quoted.len() {
            assert!(!flows.lets_in(&message(ICMP, PEER, &quoted[..length])));
        }
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
        let count = |flows: &mut Flows, own_ports: bool| {
            let new = (0..5000).map(|number| {
                if own_ports {
                    datagram(port(number), PEER, 53)
                } else {
                    datagram(port(0), PEER, 1000 + u16::try_from(number).unwrap())
                }
            });
            new.filter(|packet| flows.goes_out(packet)).count()
        };
        assert_eq!(count(&mut flows, true), FLOWS);
        // Existing flows continue; no new one begins, whichever part of it is new.
        assert!(flows.goes_out(&datagram(port(0), PEER, 53)));
        assert!(flows.lets_in(&datagram(port(1), PEER, 53)));
        assert_eq!(count(&mut flows, false), 0);
        assert!(!flows.goes_out(&message(ICMP, PEER, &[8, 0, 0, 0, 0, 7, 0, 0])));
        assert!(flows.goes_out(&message(TCP, PEER, &[0; 20])));
        // Idle flows make room.
        tokio::time::advance(IDLE).await;
        assert!(!flows.lets_in(&datagram(port(1), PEER, 53)));
        assert_eq!(count(&mut flows, false), FLOWS);
        assert!(!flows.lets_in(&datagram(port(0), PEER, 53)));
    }
}
