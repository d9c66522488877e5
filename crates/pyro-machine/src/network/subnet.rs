//! The *subnet* between a guest and its gateway: every machine has one like it, of its own.

use std::net::Ipv4Addr;

use pyro_store::VmId;

/// The guest's address.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
pub(super) const PREFIX_LENGTH: u8 = 24;
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The guest's name server, which forwards to the host's.
pub(super) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

/// The addresses of a machine's network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkInfo {
    /// The device on the host; there is none.
    pub tap_name: Option<String>,
    /// The guest's address.
    pub guest_ip: Ipv4Addr,
    /// Its gateway.
    pub gateway_ip: Ipv4Addr,
    /// Its network, such as `10.0.2.0/24`.
    pub subnet_cidr: String,
    /// The address of its network card.
    pub mac_address: String,
    /// Its name servers.
    pub dns_servers: Vec<Ipv4Addr>,
}

impl NetworkInfo {
    /// Returns the addresses for the machine with this id.
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

/// The address of a machine's network card: derived from the machine's id, with the bit for locally
/// administered addresses. So it is random, and stays the same however often it is sent.
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

/// The bit that marks a multicast address.
const GROUP: u8 = 1;
/// The bit that marks an address which no manufacturer assigned.
const LOCAL: u8 = 2;

#[cfg(test)]
mod tests {
    use super::super::addresses;
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
