//! The *subnet* between a guest and its gateway: every machine has one like it, of its own.

use std::net::Ipv4Addr;

use pyro_store::VmId;

/// The guest's address.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
pub(super) const PREFIX_LENGTH: u8 = 24;
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Who asks the host's name server for the guest.
pub(super) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

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
