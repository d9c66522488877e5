//! The *filter* judges each Ethernet frame that a guest sends. It remembers nothing: a frame is
//! let out for what it says itself, or not at all, so whatever is unclear stays in.

use std::net::Ipv4Addr;

use super::addresses::EgressPolicy;
use super::packet::{ETHERNET_BYTES, ICMP, IP_BYTES, Packet, TCP, UDP, answer, checksum};
use super::subnet::{GATEWAY, NAME_SERVER};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It goes out.
    Pass,
    /// It is a question for the name server.
    Ask,
    /// It does not.
    Drop,
    /// It does not, and its sender is told, so that a program fails instead of waiting.
    Refuse,
}

/// What is quoted of a refused packet: its header and its ports.
const QUOTED_BYTES: usize = IP_BYTES + 8;

const DNS: u16 = 53;
/// passt takes a datagram's own port on the host too. Those below are for services.
const FIRST_OWN_PORT: u16 = 32_768;

/// Judges a frame.
pub(super) fn judge(frame: &[u8], reach: &EgressPolicy) -> Verdict {
    let Some((header, payload)) = frame.split_at_checked(ETHERNET_BYTES) else {
        return Verdict::Drop;
    };
    match header[12..14] {
        [0x08, 0x06] => judge_arp(payload),
        [0x08, 0x00] => judge_ip(payload, reach),
        // Other protocols, the Internet's sixth version and tagged frames among them.
        _ => Verdict::Drop,
    }
}

/// Lets a guest ask for whom it needs: its gateway and its name server.
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
        // Errors and the like are no way to reach anything, and are not answered.
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

/// Whether a frame for the guest comes from where it may send. passt takes UDP from everybody for
/// a port that the guest has sent from, the host's own programs included.
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

/// Answers a refused frame: the gateway says that its destination is forbidden.
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
