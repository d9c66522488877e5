//! The *filter* judges each Ethernet frame that a guest sends. It is stateless: a frame is passed
//! on only for its own content, and any unclear frame is dropped.

use std::net::Ipv4Addr;

use super::addresses::EgressPolicy;
use super::packet::{ETHERNET_BYTES, ICMP, IP_BYTES, Packet, TCP, UDP, answer, checksum};
use super::subnet::{GATEWAY, NAME_SERVER};

/// What the filter does with a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Pass it on.
    Pass,
    /// Answer it as a question to the name server.
    Ask,
    /// Drop it.
    Drop,
    /// Drop it and answer, so that a program fails instead of waiting.
    Refuse,
}

/// The part of a refused packet that is quoted: its header and its ports.
const QUOTED_BYTES: usize = IP_BYTES + 8;

const DNS: u16 = 53;
/// On the host, passt uses the same source port as the datagram. Lower ports are for services.
const FIRST_OWN_PORT: u16 = 32_768;

/// Judges a frame.
pub(super) fn judge(frame: &[u8], reach: &EgressPolicy) -> Verdict {
    let Some((header, payload)) = frame.split_at_checked(ETHERNET_BYTES) else {
        return Verdict::Drop;
    };
    match header[12..14] {
        [0x08, 0x06] => judge_arp(payload),
        [0x08, 0x00] => judge_ip(payload, reach),
        // Other protocols, among them IPv6 and tagged frames.
        _ => Verdict::Drop,
    }
}

/// Permits ARP requests for the gateway and the name server.
fn judge_arp(packet: &[u8]) -> Verdict {
    const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
    let asks_for = |host: Ipv4Addr| packet.get(24..28) == Some(&host.octets()[..]);
    let request = packet.starts_with(&REQUEST);
    if request && (asks_for(GATEWAY) || asks_for(NAME_SERVER)) {
        Verdict::Pass
    } else {
        Verdict::Drop
    }
}

fn judge_ip(packet: &[u8], reach: &EgressPolicy) -> Verdict {
    let Some(packet) = Packet::outgoing(packet) else {
        return Verdict::Drop;
    };
    let (to, port) = (packet.peer, packet.port);
    let allowed = match packet.protocol {
        UDP if to == NAME_SERVER && port == Some(DNS) => return Verdict::Ask,
        UDP if packet.own_port < Some(FIRST_OWN_PORT) => false,
        TCP | UDP => reach.includes(to, port),
        // ICMP errors and other messages reach nothing, and are not answered.
        ICMP if !packet.is_echo_request() => return Verdict::Drop,
        ICMP => reach.includes(to, None),
        _ => false,
    };
    if allowed {
        Verdict::Pass
    } else if to.is_multicast() || to.is_broadcast() {
        Verdict::Drop
    } else {
        Verdict::Refuse
    }
}

/// Whether a frame for the guest comes from an address to which the guest may send. passt accepts
/// UDP from any sender for a port that the guest has sent from, also from programs of the host.
pub(super) fn may_come_in(frame: &[u8], reach: &EgressPolicy) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x06]) => true,
        Some([0x08, 0x00]) => {
            let packet = Packet::incoming(&frame[ETHERNET_BYTES..]);
            packet.is_some_and(|packet| reach.includes(packet.peer, packet.port))
        }
        _ => false,
    }
}

/// Returns the answer to a refused frame: the gateway reports a forbidden destination.
pub(super) fn refusal(frame: &[u8]) -> Option<Vec<u8>> {
    const UNREACHABLE_FILTERED: [u8; 8] = [3, 13, 0, 0, 0, 0, 0, 0];
    let packet = frame.get(ETHERNET_BYTES..)?;
    let quoted = &packet[..packet.len().min(QUOTED_BYTES)];
    let mut message = UNREACHABLE_FILTERED.to_vec();
    message.extend(quoted);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    answer(frame, GATEWAY, ICMP, &message)
}

#[cfg(test)]
mod tests;
