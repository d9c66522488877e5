//! The *published* ports of an instance, as its record has them.

use std::net::{IpAddr, SocketAddr, TcpListener};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::output::is_false;
use crate::port_rule::PortRule;

/// The most of one workspace: each takes a descriptor of its supervisor.
const LIMIT: usize = 64;

/// A port of the guest that is published, whenever the instance runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Published {
    /// The address on which the host listens.
    pub(crate) host: IpAddr,
    /// 0 until one was chosen.
    pub(crate) host_port: u16,
    pub(crate) guest_port: u16,
    /// Whether the kernel chose the host's port, so that any other one does as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_any: bool,
    /// The service that it was published with, and ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
}

impl From<PortRule> for Published {
    fn from(rule: PortRule) -> Self {
        Self {
            host: rule.host,
            host_port: rule.host_port.unwrap_or(0),
            guest_port: rule.guest_port,
            is_any: rule.host_port.is_none(),
            service: None,
        }
    }
}

impl Published {
    /// The same, for as long as a service runs.
    pub(crate) fn with(self, service: &str) -> Self {
        Self {
            service: Some(service.to_owned()),
            ..self
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.host_port)
    }

    /// Listens there. Returns what is published then, with the port.
    pub(crate) fn listen(self) -> Result<(TcpListener, Self), Error> {
        let failed = |error: &_| Error::no_listener(self.address(), error);
        let listener = TcpListener::bind(self.address()).map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let host_port = address.port();
        Ok((listener, Self { host_port, ..self }))
    }
}

/// Adds a port to those of an instance.
pub(super) fn add(ports: &mut Vec<Published>, new: Published) -> Result<(), Error> {
    if new.host_port != 0 && ports.iter().any(|port| port.host_port == new.host_port) {
        return Err(Error::port_published(new.host_port));
    }
    if ports.len() >= LIMIT {
        return Err(Error::too_many_ports(LIMIT));
    }
    ports.push(new);
    Ok(())
}

/// Checks the ports of a new instance.
pub(crate) fn checked(rules: Option<&[PortRule]>) -> Result<Vec<Published>, Error> {
    let mut ports = Vec::new();
    for rule in rules.into_iter().flatten() {
        add(&mut ports, Published::from(*rule))?;
    }
    Ok(ports)
}

/// Takes a port away from those of an instance.
pub(super) fn remove(ports: &mut Vec<Published>, id: &str, host_port: u16) -> Result<(), Error> {
    let had = ports.len();
    ports.retain(|port| port.host_port != host_port);
    if ports.len() == had {
        return Err(Error::no_such_port(id, host_port));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Result<Vec<Published>, Error> {
        let rules: Vec<PortRule> = texts.iter().map(|text| text.parse().unwrap()).collect();
        checked(Some(&rules))
    }

    #[test]
    fn a_port_of_the_host_names_one_rule() {
        assert_eq!(checked(None), Ok(Vec::new()));
        assert_eq!(of(&["80", "80", "8080:80", "8081:80"]).unwrap().len(), 4);
        let error = of(&["8080:80", "0.0.0.0:8080:81"]).unwrap_err();
        assert_eq!(error.code, "invalid_input");
        assert!(error.message.contains("8080"), "{}", error.message);
        let mut ports = of(&["8080:80", "8081:80"]).unwrap();
        assert_eq!(
            remove(&mut ports, "x", 80).unwrap_err().code,
            "no_such_port"
        );
        assert_eq!(remove(&mut ports, "x", 8080), Ok(()));
        assert_eq!(ports, of(&["8081:80"]).unwrap());
    }

    #[test]
    fn there_are_64_at_most() {
        let many = vec!["80"; LIMIT];
        assert_eq!(of(&many).unwrap().len(), LIMIT);
        let more = vec!["80"; LIMIT + 1];
        let message = of(&more).unwrap_err().message;
        assert_eq!(message, "a workspace publishes 64 ports at most");
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let (_taken, port) = of(&["80"]).unwrap().remove(0).listen().unwrap();
        assert!(port.is_any && port.host_port > 1024, "{port:?}");
        let error = port.clone().listen().unwrap_err();
        assert_eq!(error.code, "port_taken");
        let number = port.host_port.to_string();
        assert!(error.message.contains(&number), "{}", error.message);
        let error = error.keeps_from_starting("0123456789ab", port.address());
        assert_eq!(error.code, "port_taken");
        assert!(error.message.contains(&number), "{}", error.message);
        let remedy = error.remedy.unwrap();
        assert!(
            remedy.contains(&format!("port remove 0123456789ab {number}")),
            "{remedy}"
        );
        // An address for documentation, which no host has.
        let error = of(&["192.0.2.1:80"])
            .unwrap()
            .remove(0)
            .listen()
            .unwrap_err();
        assert_eq!(error.code, "port_unavailable");
    }
}
