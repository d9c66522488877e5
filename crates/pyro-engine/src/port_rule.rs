//! A *port rule* says which port of a guest is published, and where on the host.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, IntoDeserializer as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The ports of the host that may be published. Lower ports belong to system services.
const HOST_PORTS: std::ops::RangeInclusive<u16> = 1025..=u16::MAX;

/// Which port of a guest is published, and where: `[[ADDRESS:]HOST_PORT:]GUEST_PORT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PortRule {
    /// The address on which the host listens.
    pub(crate) host: IpAddr,
    /// The host's port; `None` for a free one.
    pub(crate) host_port: Option<u16>,
    /// The port in the guest.
    pub(crate) guest_port: u16,
}

/// The default address.
const NOBODY_ELSE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl PortRule {
    /// A free port on the host's loopback address.
    fn of(guest_port: u16) -> Self {
        Self {
            host: NOBODY_ELSE,
            host_port: None,
            guest_port,
        }
    }

    /// Whether other machines may reach it.
    pub(crate) fn is_public(&self) -> bool {
        !self.host.is_loopback()
    }
}

impl FromStr for PortRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, ports) = address(text.trim())?;
        let mut ports = ports.split(':');
        let (host_port, guest_port) = match (ports.next(), ports.next(), ports.next()) {
            (Some(guest), None, None) => (None, guest),
            // `ADDRESS::GUEST_PORT` is the form in other programs.
            (Some(""), Some(guest), None) if host.is_some() => (None, guest),
            (Some(port), Some(guest), None) => (Some(host_port(port)?), guest),
            _ => return Err(unreadable(text)),
        };
        Ok(Self {
            host: host.unwrap_or(NOBODY_ELSE),
            host_port,
            guest_port: guest_port_of(guest_port)?,
        })
    }
}

/// Splits an address off the beginning, if there is one.
fn address(text: &str) -> Result<(Option<IpAddr>, &str), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, ports)) = rest.split_once("]:") else {
            return Err(unreadable(text));
        };
        let address = address.parse().map_err(|_| unreadable(text))?;
        return Ok((Some(IpAddr::V6(address)), ports));
    }
    let Some((first, ports)) = text.split_once(':') else {
        return Ok((None, text));
    };
    if first == "localhost" {
        return Ok((Some(NOBODY_ELSE), ports));
    }
    match first.parse() {
        Ok(address) => Ok((Some(IpAddr::V4(address)), ports)),
        Err(_) => Ok((None, text)),
    }
}

fn host_port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| HOST_PORTS.contains(port));
    port.ok_or_else(|| {
        let (least, most) = (HOST_PORTS.start(), HOST_PORTS.end());
        let text = pyro_text::line(text);
        format!("the host's port must be between {least} and {most}, not '{text}'")
    })
}

fn guest_port_of(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        let text = pyro_text::line(text);
        format!("the guest's port must be between 1 and 65535, not '{text}'")
    })
}

fn unreadable(text: &str) -> String {
    let text = pyro_text::line(text);
    format!(
        "'{text}' is no port to publish: it must be GUEST_PORT, HOST_PORT:GUEST_PORT or \
         ADDRESS:HOST_PORT:GUEST_PORT, with an IPv6 address in brackets"
    )
}

impl fmt::Display for PortRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guest_port = self.guest_port;
        match (self.host, self.host_port) {
            (host, Some(port)) => write!(formatter, "{}:{guest_port}", SocketAddr::new(host, port)),
            (IpAddr::V6(host), None) => write!(formatter, "[{host}]:{guest_port}"),
            (IpAddr::V4(host), None) => write!(formatter, "{host}:{guest_port}"),
        }
    }
}

impl Serialize for PortRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A rule as an object, as in results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    #[serde(default)]
    host: Option<IpAddr>,
    #[serde(default)]
    host_port: Option<Value>,
    guest_port: Value,
    #[serde(default)]
    protocol: Option<String>,
}

impl<'de> Deserialize<'de> for PortRule {
    /// A string, the number of the guest's port, or an object as in results.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if !value.is_object() {
            return plain(&value).parse().map_err(D::Error::custom);
        }
        let parts = Parts::deserialize(value.into_deserializer()).map_err(D::Error::custom)?;
        if let Some(other) = parts.protocol.filter(|protocol| protocol != "tcp") {
            let other = pyro_text::line(&other);
            return Err(D::Error::custom(format!(
                "protocol must be tcp, not '{other}'"
            )));
        }
        let guest_port = guest_port_of(&plain(&parts.guest_port)).map_err(D::Error::custom)?;
        let port = parts.host_port.filter(|port| !port.is_null());
        let port = port.map(|port| host_port(&plain(&port))).transpose();
        Ok(Self {
            host: parts.host.unwrap_or(NOBODY_ELSE),
            host_port: port.map_err(D::Error::custom)?,
            ..Self::of(guest_port)
        })
    }
}

/// A value in the form of the command line.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

impl JsonSchema for PortRule {
    fn schema_name() -> Cow<'static, str> {
        "PortRule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "minimum": 1, "maximum": u16::MAX})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(host: &str, host_port: Option<u16>, guest_port: u16) -> PortRule {
        PortRule {
            host: host.parse().unwrap(),
            host_port,
            guest_port,
        }
    }

    #[test]
    fn address_and_port_of_the_host_may_be_left_out() {
        for (text, meant, written) in [
            ("80", rule("127.0.0.1", None, 80), "127.0.0.1:80"),
            (" 80 ", rule("127.0.0.1", None, 80), "127.0.0.1:80"),
            (
                "8080:80",
                rule("127.0.0.1", Some(8080), 80),
                "127.0.0.1:8080:80",
            ),
            (
                "1025:1",
                rule("127.0.0.1", Some(1025), 1),
                "127.0.0.1:1025:1",
            ),
            (
                "65535:65535",
                rule("127.0.0.1", Some(65535), 65535),
                "127.0.0.1:65535:65535",
            ),
            (
                "localhost:8080:80",
                rule("127.0.0.1", Some(8080), 80),
                "127.0.0.1:8080:80",
            ),
            (
                "0.0.0.0:8080:80",
                rule("0.0.0.0", Some(8080), 80),
                "0.0.0.0:8080:80",
            ),
            ("192.0.2.1:80", rule("192.0.2.1", None, 80), "192.0.2.1:80"),
            ("192.0.2.1::80", rule("192.0.2.1", None, 80), "192.0.2.1:80"),
            (
                "[::1]:8080:80",
                rule("::1", Some(8080), 80),
                "[::1]:8080:80",
            ),
            ("[::]:80", rule("::", None, 80), "[::]:80"),
        ] {
            assert_eq!(text.parse(), Ok(meant), "{text}");
            assert_eq!(meant.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_it_must_be() {
        for (text, part) in [
            ("", "the guest's port must be between 1 and 65535, not ''"),
            ("0", "the guest's port"),
            ("65536", "the guest's port"),
            ("-1", "the guest's port"),
            ("8080:", "the guest's port"),
            ("80/udp", "the guest's port"),
            (
                ":80",
                "the host's port must be between 1025 and 65535, not ''",
            ),
            (
                "80:80",
                "the host's port must be between 1025 and 65535, not '80'",
            ),
            ("1024:80", "the host's port"),
            ("0:80", "the host's port"),
            ("example.org:8080:80", "is no port to publish"),
            ("::1:8080:80", "is no port to publish"),
            ("[::1]", "is no port to publish"),
            ("[127.0.0.1]:80", "is no port to publish"),
            ("1:2:3:4", "is no port to publish"),
            ("\x1b[2J:80", "not '\\u{1b}[2J'"),
        ] {
            let error = PortRule::from_str(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn json_has_a_text_a_number_or_an_object() {
        let read = serde_json::from_value::<PortRule>;
        let whole = rule("127.0.0.1", Some(8080), 80);
        for (value, meant) in [
            (json!("8080:80"), whole),
            (json!(80), rule("127.0.0.1", None, 80)),
            (json!({"guest_port": 80}), rule("127.0.0.1", None, 80)),
            (
                json!({"guest_port": 80, "host_port": null}),
                rule("127.0.0.1", None, 80),
            ),
            (json!({"guest_port": "80", "host_port": 8080}), whole),
            (
                json!({"host": "::", "host_port": 8080, "guest_port": 80, "protocol": "tcp"}),
                rule("::", Some(8080), 80),
            ),
        ] {
            assert_eq!(read(value.clone()).unwrap(), meant, "{value}");
        }
        assert_eq!(serde_json::to_value(whole).unwrap(), "127.0.0.1:8080:80");
        for value in [
            json!(null),
            json!(0),
            json!(-1),
            json!(80.5),
            json!(true),
            json!([80]),
            json!({"host_port": 8080}),
            json!({"guest_port": 80, "host_port": 80}),
            json!({"guest_port": 80, "protocol": "udp"}),
            json!({"guest_port": 80, "other": 1}),
        ] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn only_the_loopback_is_for_nobody_else() {
        for (text, public) in [
            ("80", false),
            ("127.9.9.9:80", false),
            ("[::1]:80", false),
            ("0.0.0.0:80", true),
            ("[::]:80", true),
            ("192.0.2.1:80", true),
            ("[::ffff:127.0.0.1]:80", true),
        ] {
            let rule: PortRule = text.parse().unwrap();
            assert_eq!(rule.is_public(), public, "{text}");
        }
    }
}
