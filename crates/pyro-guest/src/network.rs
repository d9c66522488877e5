//! The *network* of a machine is its loopback device, unless the host gave it more.

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::error::{Error, Step as _};

/// `RTM_NEWLINK` with an acknowledgement for interface 1, which is always `lo`: set `IFF_UP`.
/// The kernel gives it its addresses by itself.
const LOOPBACK_UP: [u8; 32] = {
    let mut request = [0; 32];
    request[0] = 32; // nlmsghdr: length
    request[4] = 16; // type RTM_NEWLINK
    request[6] = 1 | 4; // flags NLM_F_REQUEST | NLM_F_ACK
    request[20] = 1; // ifinfomsg: index
    request[24] = 1; // flags IFF_UP
    request[28] = 1; // which of the flags to change
    request
};

/// Brings `lo` up, so that 127.0.0.1 answers; without a name server in `/etc/resolv.conf` that is
/// also what makes looking up a name fail at once.
pub(crate) fn raise_loopback() -> Result<(), Error> {
    let step = "bring up the loopback device";
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .step(step)?;
    rustix::net::sendto(
        &socket,
        &LOOPBACK_UP,
        SendFlags::empty(),
        &netlink::SocketAddrNetlink::new(0, 0),
    )
    .step(step)?;
    let mut answer = [0; 256];
    // The kernel answers before `sendto` returns.
    rustix::net::recv(&socket, &mut answer[..], RecvFlags::DONTWAIT).step(step)?;
    match &answer[16..20] {
        &[a, b, c, d] => match i32::from_le_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(Error::new(step, Errno::from_raw_os_error(-error))),
        },
        _ => Ok(()),
    }
}
