//! *Addresses* that guests may reach: those of the Internet, without reserved blocks, the host, and
//! the networks of the host; and those that the user has opened.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Block {
    first: u32,
    mask: u32,
}

impl Block {
    pub(crate) const fn new(address: Ipv4Addr, prefix_length: u8) -> Self {
        let mask = match prefix_length {
            0 => 0,
            1..=32 => u32::MAX << (32 - prefix_length),
            _ => u32::MAX,
        };
        Self {
            first: address.to_bits() & mask,
            mask,
        }
    }

    pub(crate) const fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask == self.first
    }
}

const fn block(a: u8, b: u8, c: u8, d: u8, prefix_length: u8) -> Block {
    Block::new(Ipv4Addr::new(a, b, c, d), prefix_length)
}

/// The network between a guest and its gateway.
pub(crate) const GUEST_NETWORK: Block = block(10, 0, 2, 0, 24);

/// Never reached, even if the user opens them: they mean the sender, or every host.
const NEVER: &[Block] = &[
    block(0, 0, 0, 0, 8),
    block(127, 0, 0, 0, 8),
    block(224, 0, 0, 0, 3),
    GUEST_NETWORK,
];

/// Reached only if the user opens them. The blocks for documentation are not among them: they
/// belong to no one, so a host that answers there is meant to represent the Internet.
const CLOSED: &[Block] = &[
    // Private networks, and those of providers.
    block(10, 0, 0, 0, 8),
    block(172, 16, 0, 0, 12),
    block(192, 168, 0, 0, 16),
    block(100, 64, 0, 0, 10),
    // Link-local addresses, where clouds offer credentials; protocol assignments; benchmarking.
    block(169, 254, 0, 0, 16),
    block(192, 0, 0, 0, 24),
    block(198, 18, 0, 0, 15),
    // The agent of Azure on the host.
    block(168, 63, 129, 16, 32),
];

/// The addresses or blocks that the user has opened, each with all its ports or one.
///
/// As text: `192.0.2.7`, `10.1.0.0/16`, `192.0.2.7:443`, separated by commas.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct AllowList(Vec<(Block, Option<u16>)>);

/// The text is no [`AllowList`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAnAllowList;

impl fmt::Display for NotAnAllowList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a list of IPv4 addresses, such as 10.1.0.0/16,192.0.2.7:443")
    }
}

impl std::error::Error for NotAnAllowList {}

impl FromStr for AllowList {
    type Err = NotAnAllowList;

    fn from_str(text: &str) -> Result<Self, NotAnAllowList> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| parse_entry(entry).ok_or(NotAnAllowList))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn parse_entry(entry: &str) -> Option<(Block, Option<u16>)> {
    let (block, port) = match entry.split_once(':') {
        Some((block, port)) => (block, Some(port.parse().ok().filter(|port| *port != 0)?)),
        None => (entry, None),
    };
    let (address, length) = block.split_once('/').unwrap_or((block, "32"));
    let length = length.parse().ok().filter(|length| *length <= 32)?;
    Some((Block::new(address.parse().ok()?, length), port))
}

/// The addresses and networks of the host, from its routes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct HostRoutes {
    own: Vec<Block>,
    /// Whether there is a route beyond these networks.
    pub(crate) lead_out: bool,
}

/// A network on the link with a shorter prefix is not local but a tunnel to everywhere.
const SHORTEST_LOCAL_PREFIX: u8 = 8;

impl HostRoutes {
    pub(crate) fn read() -> io::Result<Self> {
        std::fs::read_to_string("/proc/net/fib_trie").map(|text| Self::parse(&text))
    }

    /// Parses the kernel's list, in which a line with an address is followed by lines with a prefix
    /// length, a scope, and a type.
    fn parse(text: &str) -> Self {
        let mut routes = Self::default();
        let mut address = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words[..] {
                ["|--", text] => address = text.parse().ok(),
                [length, reach, kind, ..] if length.starts_with('/') => {
                    let (Some(address), Ok(length)) = (address, length[1..].parse()) else {
                        continue;
                    };
                    match (reach, kind) {
                        (_, "LOCAL" | "BROADCAST") => routes.own.push(Block::new(address, length)),
                        ("link", "UNICAST") if length >= SHORTEST_LOCAL_PREFIX => {
                            routes.own.push(Block::new(address, length));
                        }
                        (_, "UNICAST") => routes.lead_out = true,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        routes.own.dedup();
        routes
    }
}

/// Decides which addresses a guest may reach.
#[derive(Clone, Debug)]
pub(crate) struct EgressPolicy {
    allowed: AllowList,
    routes: HostRoutes,
    read_at: Instant,
}

/// The maximum age of the host's routes: its addresses change while a guest runs.
const ROUTES_AGE_LIMIT: Duration = Duration::from_secs(1);

impl EgressPolicy {
    pub(crate) fn new(allowed: AllowList, routes: HostRoutes) -> Self {
        let read_at = Instant::now();
        Self {
            allowed,
            routes,
            read_at,
        }
    }

    /// Reads the host's routes again if they are too old.
    pub(crate) fn refresh(&mut self) {
        if self.read_at.elapsed() < ROUTES_AGE_LIMIT {
            return;
        }
        self.read_at = Instant::now();
        match HostRoutes::read() {
            Ok(routes) => self.routes = routes,
            Err(error) => tracing::warn!(%error, "the host's routes cannot be read any more"),
        }
    }

    /// Whether a guest may send to this address, to a port or without one.
    pub(crate) fn includes(&self, address: Ipv4Addr, port: Option<u16>) -> bool {
        let holds = |blocks: &[Block]| blocks.iter().any(|block| block.contains(address));
        if holds(NEVER) {
            return false;
        }
        let opened = |(block, opened): &(Block, Option<u16>)| {
            block.contains(address) && (opened.is_none() || *opened == port)
        };
        self.allowed.0.iter().any(opened) || !(holds(CLOSED) || holds(&self.routes.own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 198.51.100.0/24 2 0 2
        |-- 198.51.100.0
           /24 link UNICAST
        |-- 198.51.100.7
           /32 host LOCAL
        |-- 198.51.100.255
           /32 link BROADCAST
Id 52:
     |-- 203.0.113.9
        /32 link UNICAST
";

    fn reach(allowed: &str) -> EgressPolicy {
        EgressPolicy::new(allowed.parse().unwrap(), HostRoutes::parse(FIB))
    }

    fn includes(reach: &EgressPolicy, address: &str) -> bool {
        reach.includes(address.parse().unwrap(), Some(80))
    }

    #[test]
    fn only_the_internet_is_reached() {
        let reach = reach("");
        let inside = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.0.2.2",
            "10.0.2.15",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.0.0.53",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            // The host's own address, its neighbour, and the other end of a tunnel.
            "198.51.100.7",
            "198.51.100.1",
            "203.0.113.9",
        ];
        for address in inside {
            assert!(!includes(&reach, address), "{address}");
        }
        let outside = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "151.101.2.132",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.113.80",
            "223.255.255.255",
        ];
        for address in outside {
            assert!(includes(&reach, address), "{address}");
        }
    }

    #[test]
    fn what_the_user_opens_is_reached_and_no_more() {
        let reach = reach("10.1.0.0/16, 192.168.1.7:443,198.51.100.7");
        let to = |address: &str, port| reach.includes(address.parse().unwrap(), port);
        assert!(to("10.1.255.255", Some(1)) && to("10.1.0.1", None));
        assert!(!to("10.2.0.0", Some(1)));
        assert!(to("192.168.1.7", Some(443)));
        assert!(!to("192.168.1.7", Some(80)) && !to("192.168.1.7", None));
        assert!(to("198.51.100.7", Some(22)) && !to("198.51.100.8", Some(22)));
        let everything = self::reach("0.0.0.0/0");
        assert!(includes(&everything, "192.168.1.1"));
        for never in [
            "127.0.0.1",
            "0.0.0.0",
            "10.0.2.2",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!includes(&everything, never), "{never}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_meant_is_refused() {
        assert_eq!("".parse(), Ok(AllowList::default()));
        for text in [
            "example.com",
            "10.0.0.0/33",
            "10.0.0",
            "::1",
            "10.0.0.1:0",
            "10.0.0.1:x",
            "1.1.1.1;2.2.2.2",
        ] {
            assert_eq!(text.parse::<AllowList>(), Err(NotAnAllowList), "{text}");
        }
    }

    #[test]
    fn routes_are_read_and_nonsense_is_passed_over() {
        assert!(HostRoutes::parse(FIB).lead_out);
        assert!(!HostRoutes::parse("|-- 10.0.0.0\n /8 link UNICAST\n").lead_out);
        // A default route through a tunnel without a gateway closes nothing.
        let tunnel = HostRoutes::parse("|-- 0.0.0.0\n /0 link UNICAST\n");
        assert!(tunnel.lead_out && tunnel.own.is_empty());
        assert_eq!(HostRoutes::parse("|-- x\n/y z LOCAL\n /\n\n").own, []);
        assert!(
            HostRoutes::read()
                .unwrap()
                .own
                .contains(&block(127, 0, 0, 1, 32))
        );
    }
}
