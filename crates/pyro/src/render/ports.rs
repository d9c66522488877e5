//! Published ports of workspaces, for people.

use std::net::{IpAddr, SocketAddr};

use pyro_engine::operations::workspace::port::{
    AddedPort, PublishedPort, PublishedPorts, RemovedPort,
};

use super::parts::{Rendered, View, text};

/// Returns the renderer for the results of an operation on ports.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "workspace_port_add" => |view| {
            let added: AddedPort = view.typed();
            text(format!("Published port: {}\n", port(&added.published_port)))
        },
        "workspace_port_list" => |view| {
            let list: PublishedPorts = view.typed();
            if list.published_ports.is_empty() {
                return text("No published ports found.\n".into());
            }
            let lines = list.published_ports.iter().map(port);
            text(lines.map(|line| line + "\n").collect())
        },
        "workspace_port_remove" => |view| {
            let removed: RemovedPort = view.typed();
            text(format!("Removed port: {}\n", removed.host_port))
        },
        _ => return None,
    })
}

/// Formats a port and its address on the host.
pub(super) fn port(port: &PublishedPort) -> String {
    let host = match port.host.parse::<IpAddr>() {
        Ok(host) => SocketAddr::new(host, port.host_port).to_string(),
        Err(_) => format!("{}:{}", port.host, port.host_port),
    };
    format!("{host} -> {}/{}", port.guest_port, port.protocol)
}
