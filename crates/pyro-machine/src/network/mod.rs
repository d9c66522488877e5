//! The *network* of a machine.

use pyro_store::VmId;

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
    use super::*;

    #[test]
    fn a_cards_address_is_its_machines_own() {
        let mac = |id: &str| mac_address(&VmId::parse(id).unwrap());
        assert_eq!(mac("ff23456789ab"), "fe:23:45:67:89:ab");
        assert_eq!(mac("0023456789ab"), "02:23:45:67:89:ab");
    }
}
