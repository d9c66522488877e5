//! The *network* of a machine: its loopback device and one card, which stays down unless the host
//! sends a network for it.

use std::io;
use std::os::fd::OwnedFd;

use pyro_protocol::Network;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink,
};

use crate::error::{Error, Step as _};
use crate::sys;

/// The card's name.
const CARD: &str = "eth0";
/// The loopback device's number, always.
const LOOPBACK: u32 = 1;

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

/// The machine's network, as the agent sets it up.
#[derive(Debug)]
pub(crate) struct Devices {
    kernel: Kernel,
    /// The card's number, if there is one.
    card: Option<u32>,
}

impl Devices {
    /// Brings `lo` up, so that 127.0.0.1 answers; without a name server in `/etc/resolv.conf` this
    /// also makes name lookups fail at once. The kernel assigns its addresses.
    pub(crate) fn prepare() -> Result<Self, Error> {
        let kernel = Kernel::connect().step("connect to the kernel's netlink")?;
        kernel
            .ask(link(LOOPBACK, true))
            .step("bring up the loopback device")?;
        let card = netdevice::name_to_index(&kernel.0, CARD).ok();
        Ok(Self { kernel, card })
    }

    /// Sets the card's address to `mac`, and connects it to `network` or leaves it down.
    pub(crate) fn connect(
        &self,
        mac: Option<&str>,
        network: Option<&Network>,
    ) -> Result<(), Error> {
        let kernel = &self.kernel;
        let Some(index) = self.card else {
            // A machine without a card has no network; it is an error only if it was to have one.
            return match network {
                None => Ok(()),
                Some(_) => Err(Error::new("find the network card", io::ErrorKind::NotFound)),
            };
        };
        let mac = mac.map(|mac| parse_mac(mac).ok_or(Errno::INVAL));
        let mac = mac.transpose().step("read the network card's address")?;
        let Some(network) = network else {
            // Faster than netlink, and every clone of a template does it.
            let set = |mac| sys::set_hardware_address(&kernel.0, CARD, mac);
            return mac
                .map_or(Ok(()), set)
                .step("set the network card's address");
        };
        let mut card = link(index, true);
        if let Some(mac) = mac {
            card = card.with(1, &mac);
        }
        if let Some(mtu) = network.mtu {
            card = card.with(4, &mtu.to_ne_bytes());
        }
        kernel.ask(card).step("set up the network card")?;
        let address = network.address.octets();
        // An IPv4 address with global scope.
        let mut header = vec![2, network.prefix_length, 0, 0];
        header.extend(index.to_ne_bytes());
        let own = Request::new(NEW_ADDRESS, &header)
            .with(1, &address)
            .with(2, &address);
        kernel.ask(own).step("set the machine's address")?;
        // To any destination, in the main table, set at boot, with global scope, through a gateway.
        let mut route = Request::new(NEW_ROUTE, &[2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0])
            .with(5, &network.gateway.octets())
            .with(4, &index.to_ne_bytes());
        if let Some(window) = network.tcp_window_bytes {
            // A nested attribute, with the route's metrics.
            let header = [8_u16.to_ne_bytes(), 3_u16.to_ne_bytes()].concat();
            route = route.with(8, &[&header[..], &window.to_ne_bytes()].concat());
        }
        kernel.ask(route).step("set the default route")
    }
}

/// The content of `/etc/resolv.conf` for such a network.
pub(crate) fn resolver(network: &Network) -> String {
    let servers = network.name_servers.iter();
    servers.fold(String::new(), |text, server| {
        text + &format!("nameserver {server}\n")
    })
}

/// A request that sets a device up or down.
fn link(index: u32, up: bool) -> Request {
    let mut header = vec![0; 4];
    header.extend(index.to_ne_bytes());
    // IFF_UP: its value, and the mask that says it changes.
    header.extend(u32::from(up).to_ne_bytes());
    header.extend(1_u32.to_ne_bytes());
    Request::new(NEW_LINK, &header)
}

/// A message to the kernel, without its length.
struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, header: &[u8]) -> Self {
        // NLM_F_REQUEST, NLM_F_ACK; and for everything but devices, which exist, NLM_F_REPLACE and
        // NLM_F_CREATE.
        let flags: u16 = match kind {
            NEW_LINK => 0x1 | 0x4,
            _ => 0x1 | 0x4 | 0x100 | 0x400,
        };
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(header);
        Self(bytes)
    }

    /// Adds an attribute of a few bytes.
    fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("attributes are short");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// A netlink socket for routing.
#[derive(Debug)]
struct Kernel(OwnedFd);

impl Kernel {
    fn connect() -> Result<Self, Errno> {
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        rustix::net::socket_with(family, SocketType::RAW, flags, None).map(Self)
    }

    /// Sends a request and returns the kernel's answer.
    fn ask(&self, request: Request) -> Result<(), Errno> {
        let Request(mut bytes) = request;
        let length = u32::try_from(bytes.len()).expect("requests are short");
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let everyone = netlink::SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.0, &bytes, SendFlags::empty(), &everyone)?;
        let mut answer = [0; 256];
        // The kernel answers before `sendto` returns.
        rustix::net::recv(&self.0, &mut answer[..], RecvFlags::DONTWAIT)?;
        match answer[16..20].try_into().map(i32::from_ne_bytes) {
            Ok(0) | Err(_) => Ok(()),
            Ok(error) => Err(Errno::from_raw_os_error(-error)),
        }
    }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_address_is_read() {
        assert_eq!(
            parse_mac("02:00:5e:10:00:fF"),
            Some([2, 0, 0x5e, 16, 0, 255])
        );
        for wrong in [
            "",
            "02:00:5e:10:00",
            "02:00:5e:10:00:01:02",
            "2:0:5e:10:0:1",
            "zz:00:5e:10:00:01",
        ] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn attributes_are_padded_and_say_how_long_they_are() {
        let Request(bytes) = link(7, true).with(1, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(
            &bytes[16..32],
            [0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
        );
        assert_eq!(&bytes[32..], [10, 0, 1, 0, 1, 2, 3, 4, 5, 6, 0, 0]);
    }

    #[test]
    fn the_resolver_asks_in_order() {
        let network = Network {
            address: [10, 0, 2, 15].into(),
            prefix_length: 24,
            gateway: [10, 0, 2, 2].into(),
            name_servers: vec![[10, 0, 2, 3].into(), [10, 0, 2, 4].into()],
            mtu: None,
            tcp_window_bytes: None,
        };
        assert_eq!(
            resolver(&network),
            "nameserver 10.0.2.3\nnameserver 10.0.2.4\n"
        );
    }
}
