//! The *network policy* of a workspace: its outgoing and incoming connections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// All names, for options.
pub(crate) const NAMES: [&str; 3] = ["off", "egress", "egress+published-ports"];

/// The allowed values of the property.
pub(crate) const CHOICES: [Option<&str>; 4] =
    [Some(NAMES[0]), Some(NAMES[1]), Some(NAMES[2]), None];

/// The network policy of a guest. Published ports need no network, so every policy allows them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(crate) enum NetworkPolicy {
    /// No network.
    #[serde(rename = "off")]
    Off,
    /// The guest reaches the Internet.
    #[serde(rename = "egress")]
    Egress,
    /// The guest reaches the Internet, and ports are published.
    #[serde(rename = "egress+published-ports")]
    EgressAndPublishedPorts,
}

impl NetworkPolicy {
    /// Parses the policy of a request, which must not contradict `network`.
    pub(crate) fn of(name: Option<&str>, network: bool) -> Result<Option<Self>, Error> {
        let policy = match name {
            None => return Ok(None),
            Some("off") => Self::Off,
            Some("egress") => Self::Egress,
            Some("egress+published-ports") => Self::EgressAndPublishedPorts,
            Some(other) => {
                let message = format!("network_policy must be one of {NAMES:?}, not {other:?}");
                return Err(Error::invalid(message));
            }
        };
        if network && policy == Self::Off {
            let message = "network asks for a network, and network_policy for none";
            return Err(Error::invalid(message).remedy("leave one of them out"));
        }
        Ok(Some(policy))
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Egress => "egress",
            Self::EgressAndPublishedPorts => "egress+published-ports",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_must_not_contradict_itself() {
        for name in NAMES {
            let policy = NetworkPolicy::of(Some(name), false).unwrap().unwrap();
            assert_eq!(policy.name(), name);
            assert_eq!(serde_json::to_value(policy).unwrap(), name);
        }
        assert_eq!(NetworkPolicy::of(None, true), Ok(None));
        for name in &NAMES[1..] {
            assert!(NetworkPolicy::of(Some(name), true).is_ok(), "{name}");
        }
        let error = NetworkPolicy::of(Some("off"), true).unwrap_err();
        assert_eq!(error.code, "invalid_input");
        assert!(NetworkPolicy::of(Some("ingress"), false).is_err());
    }
}
