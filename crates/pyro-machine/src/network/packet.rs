//! A *packet* of IPv4, in the Ethernet frame that carries it.

use std::net::Ipv4Addr;

use super::subnet::ADDRESS;

pub(super) const ETHERNET_BYTES: usize = 14;
pub(super) const IP_BYTES: usize = 20;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// A whole packet without options, and the address of the peer.
pub(super) struct Packet<'a> {
    pub(super) protocol: u8,
    pub(super) peer: Ipv4Addr,
    /// The peer's port, for protocols that have ports.
    pub(super) port: Option<u16>,
    /// The guest's port, likewise.
    pub(super) own_port: Option<u16>,
    /// The content after the header. For known protocols it begins with their header.
    pub(super) content: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses a packet from a guest. `None` if it does not have the guest's address, if it is a
    /// fragment, because fragments may be reassembled in more than one way, or if it has options,
    /// because one of them is a source route.
    pub(super) fn outgoing(bytes: &'a [u8]) -> Option<Self> {
        Self::read(bytes, 12, 16, 2)
    }

    /// Parses a packet for a guest, as strictly.
    pub(super) fn incoming(bytes: &'a [u8]) -> Option<Self> {
        Self::read(bytes, 16, 12, 0)
    }

    /// Reads a packet with the guest's address at `own` and the peer's at `peer`, whose port is at
    /// `port` in the content.
    fn read(bytes: &'a [u8], own: usize, peer: usize, port: usize) -> Option<Self> {
        const VERSION_4_WITHOUT_OPTIONS: u8 = 0x45;
        const DO_NOT_FRAGMENT: u8 = 0x40;
        let header = bytes.get(..IP_BYTES)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let whole = matches!(header[6..8], [0 | DO_NOT_FRAGMENT, 0]);
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        if header[0] != VERSION_4_WITHOUT_OPTIONS || !whole || address(own) != ADDRESS {
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
        let port_at = |at: usize| u16::from_be_bytes([content[at], content[at + 1]]);
        let has_ports = matches!(protocol, TCP | UDP);
        Some(Self {
            protocol,
            peer: address(peer),
            port: has_ports.then(|| port_at(port)),
            own_port: has_ports.then(|| port_at(2 - port)),
            content,
        })
    }

    pub(super) fn is_echo_request(&self) -> bool {
        self.protocol == ICMP && self.content.starts_with(&[8, 0])
    }
}

/// Returns a frame that answers `frame`: a packet from `sender` to the guest.
pub(super) fn answer(
    frame: &[u8],
    sender: Ipv4Addr,
    protocol: u8,
    content: &[u8],
) -> Option<Vec<u8>> {
    let (to, from) = (frame.get(6..12)?, frame.get(..6)?);
    let length = u16::try_from(IP_BYTES + content.len()).ok()?;
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header.extend(sender.octets());
    header.extend(ADDRESS.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    Some([to, from, &[8, 0], &header, content].concat())
}

/// The Internet checksum: the complement of the sum of all pairs of bytes, with carries added.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).expect("what is above was added again")
}
