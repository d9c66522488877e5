//! The *filter* judges each Ethernet frame that a guest sends. It remembers nothing: a frame is
//! let out for what it says itself, or not at all, so whatever is unclear stays in.

use std::net::Ipv4Addr;

use super::addresses::Reach;
use super::{ADDRESS, GATEWAY, NAME_SERVER};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It goes out.
    Pass,
    /// It does not.
    Drop,
    /// It does not, and its sender is told, so that a program fails instead of waiting.
    Refuse,
}

const ETHERNET_BYTES: usize = 14;
const IP_BYTES: usize = 20;
/// What is quoted of a refused packet: its header and its ports.
const QUOTED_BYTES: usize = IP_BYTES + 8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DNS: u16 = 53;

/// Judges a frame.
pub(super) fn judge(frame: &[u8], reach: &Reach) -> Verdict {
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

fn judge_ip(packet: &[u8], reach: &Reach) -> Verdict {
    let Some(packet) = Packet::read(packet) else {
        return Verdict::Drop;
    };
    let to = packet.destination;
    let allowed = match packet.protocol {
        // Only this is carried to the host's own name server.
        UDP if to == NAME_SERVER => packet.port == Some(DNS),
        TCP | UDP => packet
            .port
            .is_some_and(|port| reach.includes(to, Some(port))),
        // Errors and the like are no way to reach anything, and are not answered.
        ICMP if !packet.is_echo_request => return Verdict::Drop,
        ICMP => reach.includes(to, None),
        _ => false,
    };
    match allowed {
        true => Verdict::Pass,
        false if to.is_multicast() || to.is_broadcast() => Verdict::Drop,
        false => Verdict::Refuse,
    }
}

/// What the filter looks at in a packet.
struct Packet {
    protocol: u8,
    destination: Ipv4Addr,
    /// The destination's, where the protocol has ports.
    port: Option<u16>,
    is_echo_request: bool,
}

impl Packet {
    /// Reads a whole packet. `None` if it is none, if it is only a part of one, which may be put
    /// together in more than one way, or if it has options, one of which is a route of its own.
    fn read(bytes: &[u8]) -> Option<Self> {
        const VERSION_4_WITHOUT_OPTIONS: u8 = 0x45;
        const DO_NOT_FRAGMENT: u8 = 0x40;
        let header = bytes.get(..IP_BYTES)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let whole = matches!(header[6..8], [0 | DO_NOT_FRAGMENT, 0]);
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        if header[0] != VERSION_4_WITHOUT_OPTIONS || !whole || address(12) != ADDRESS {
            return None;
        }
        let content = bytes.get(IP_BYTES..length)?;
        let protocol = header[9];
        let least = match protocol {
            TCP => 20,
            UDP | ICMP => 8,
            _ => 0,
        };
        if content.len() < least {
            return None;
        }
        Some(Self {
            protocol,
            destination: address(16),
            port: matches!(protocol, TCP | UDP)
                .then(|| u16::from_be_bytes([content[2], content[3]])),
            is_echo_request: protocol == ICMP && content[..2] == [8, 0],
        })
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

    let length = u16::try_from(IP_BYTES + message.len()).ok()?;
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, ICMP, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header.extend(GATEWAY.octets());
    header.extend(ADDRESS.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());

    // Back to where it came from.
    let mut answer = [&frame[6..12], &frame[..6], &[8, 0]].concat();
    answer.extend(header);
    answer.extend(message);
    Some(answer)
}

/// The Internet's: the complement of the sum of all pairs of bytes, with carries added again.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).expect("what is above was added again")
}

#[cfg(test)]
mod tests;
