//! Errors about published ports.

use std::net::SocketAddr;

use super::{Error, ErrorKind};
use crate::code::ErrorCode;

impl Error {
    /// The host cannot listen on an address.
    pub(crate) fn no_listener(address: SocketAddr, error: &std::io::Error) -> Self {
        let port = address.port();
        if error.kind() == std::io::ErrorKind::AddrInUse {
            let message = format!("port {port} of this host is taken: {address} is in use");
            return Self::new(ErrorKind::Failed, ErrorCode::PortTaken, message).remedy(format!(
                "choose another port, or omit it to get a free one; {}",
                who_has(port)
            ));
        }
        let message = format!("this host cannot listen on {address}");
        let refused = Self::new(ErrorKind::Failed, ErrorCode::PortUnavailable, message).remedy(
            "use an address of this host, or omit it for the loopback address; `ip address` shows the addresses",
        );
        Self {
            cause: Some(error.to_string()),
            ..refused
        }
    }

    /// Changes the error into that of a workspace that cannot start, because it publishes this
    /// port.
    pub(crate) fn keeps_from_starting(self, id: &str, address: SocketAddr) -> Self {
        let port = address.port();
        let message = format!("workspace {id} was not started: {}", self.message);
        Self { message, ..self }.remedy(format!(
            "free the port and start it again, or stop publishing it: `pyro workspace port remove {id} {port}`; \
             {}",
            who_has(port)
        ))
    }

    /// The workspace already publishes this port of the host.
    pub(crate) fn port_published(host_port: u16) -> Self {
        let message = format!("port {host_port} of this host is published more than once");
        Self::new(ErrorKind::InvalidInput, ErrorCode::InvalidInput, message)
            .remedy("choose another port of the host, or omit it to get a free one")
    }

    /// The limit on published ports is reached.
    pub(crate) fn too_many_ports(limit: usize) -> Self {
        Self::invalid(format!("a workspace publishes {limit} ports at most"))
    }

    /// The workspace does not publish this port of the host.
    pub(crate) fn no_such_port(id: &str, host_port: u16) -> Self {
        let message = format!("workspace {id} does not publish port {host_port} of this host");
        Self::new(ErrorKind::Failed, ErrorCode::NoSuchPort, message).remedy(format!(
            "`pyro workspace port list {id}` shows its published ports"
        ))
    }

    /// The caller may not publish ports to other machines.
    pub(crate) fn public_port() -> Self {
        Self::not_allowed(
            "publishing a port on an address other than the loopback is not allowed by the operator \
             of this server",
        )
        .remedy("omit the address, or ask the user to publish the port")
    }
}

fn who_has(port: u16) -> String {
    format!("`ss -ltnp 'sport = :{port}'` shows which program uses it")
}
