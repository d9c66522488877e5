//! The *record* of an instance.

use std::collections::BTreeMap;

use pyro_machine::MachineSpec;
use pyro_store::Record;
use serde::{Deserialize, Serialize};

use super::published::Published;
use crate::command_options::CommandOptions;
use crate::left_out::{LeftOut, TransferWarning};
use crate::network_policy::NetworkPolicy;
use crate::output::is_false;
use crate::secrets::SecretKind;

/// The record of an instance.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct VmRecord {
    pub(crate) format: u64,
    pub(crate) environment: String,
    pub(crate) environment_version: String,
    /// The digest of the environment's image when the VM was made: its disk fits no other image.
    pub(crate) environment_digest: String,
    pub(crate) environment_source: String,
    pub(crate) spec: MachineSpec,
    /// The lifetime; 0 if it is unlimited.
    pub(crate) ttl_seconds: u64,
    /// Seconds since the Unix epoch.
    pub(crate) created_at: f64,
    /// Seconds since the Unix epoch.
    pub(crate) expires_at: Option<f64>,
    pub(crate) allow_host_compat: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// The secrets that it was made with; their values are not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<SecretKind>,
    pub(crate) state: State,
    /// Whether its supervisor is ending the machine, or has ended it and is about to exit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_ending: bool,
    /// The reason of the state, if the VM did not end normally.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<SeedRecord>,
    /// Whether its disk has been made.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) has_disk: bool,
    /// The snapshot to which the next start resets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reset_to: Option<String>,
    /// What its image says of how its commands run.
    #[serde(default, skip_serializing_if = "CommandOptions::are_none")]
    pub(crate) defaults: CommandOptions,
    /// The requested network policy, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network_policy: Option<NetworkPolicy>,
    /// The ports that are published whenever it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ports: Vec<Published>,
    /// The version of the wire protocol of its supervisor, or of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wire: Option<u32>,
}

/// The seed of a workspace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SeedRecord {
    pub(crate) mode: String,
    pub(crate) path: String,
    pub(crate) entry_count: u64,
    pub(crate) bytes_written: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<LeftOut>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<TransferWarning>,
}

/// The contents of a directory in the guest.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Content {
    pub(crate) entries: u64,
    /// In its regular files.
    pub(crate) bytes: u64,
}

/// Recorded as the end of commands that were running when their VM died.
pub(crate) const INTERRUPTED: &str = "the workspace ended while it ran";

/// The state of an instance.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It was never started.
    Created,
    /// Its supervisor is starting it.
    Starting,
    /// It runs.
    Started,
    /// It is stopped; its disk exists.
    Stopped,
    /// Its start failed.
    Failed,
    /// Its lifetime is over; its disk was removed.
    Expired,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl Record for VmRecord {
    const FORMAT: u64 = 1;
}

impl VmRecord {
    /// The actual state, given whether there is a supervisor.
    pub(crate) fn state_now(&self, supervised: bool, now: f64) -> (State, Option<String>) {
        let reason = self.reason.clone();
        if supervised {
            return match self.state {
                State::Started => (State::Started, None),
                state if self.is_ending => (state, reason),
                // A supervisor that has not updated the record yet is starting.
                _ => (State::Starting, None),
            };
        }
        if self.is_over(now) {
            return (State::Expired, reason);
        }
        match self.state {
            State::Started => (
                State::Stopped,
                Some("its supervisor was killed, or the host restarted".into()),
            ),
            State::Starting => (
                State::Failed,
                Some("its supervisor died while it was starting".into()),
            ),
            state => (state, reason),
        }
    }

    /// Its network policy.
    pub(crate) fn network_policy(&self) -> NetworkPolicy {
        self.network_policy.unwrap_or(if self.spec.network {
            NetworkPolicy::Egress
        } else {
            NetworkPolicy::Off
        })
    }

    /// Whether its lifetime is over.
    pub(crate) fn is_over(&self, now: f64) -> bool {
        self.state == State::Expired || self.expires_at.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
impl VmRecord {
    /// A record for tests.
    pub(crate) fn of_test() -> Self {
        let spec = MachineSpec {
            vcpu_count: 1,
            mem_mib: 256,
            kernel: "/k".into(),
            initramfs: "/i".into(),
            rootfs: "/r".into(),
            network: false,
        };
        Self {
            format: Self::FORMAT,
            environment: "debian:12".into(),
            environment_version: "1.0.0".into(),
            environment_digest: String::new(),
            environment_source: String::new(),
            spec,
            ttl_seconds: 60,
            created_at: 100.0,
            expires_at: Some(160.0),
            allow_host_compat: false,
            name: None,
            labels: BTreeMap::new(),
            secrets: Vec::new(),
            state: State::Created,
            is_ending: false,
            reason: None,
            seed: None,
            has_disk: false,
            reset_to: None,
            defaults: CommandOptions::default(),
            network_policy: None,
            ports: Vec::new(),
            wire: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: State) -> VmRecord {
        VmRecord {
            state,
            ..VmRecord::of_test()
        }
    }

    #[test]
    fn the_state_is_what_the_locks_say() {
        let table = [
            (State::Created, false, 101.0, State::Created),
            (State::Created, true, 101.0, State::Starting),
            (State::Starting, true, 101.0, State::Starting),
            (State::Starting, false, 101.0, State::Failed),
            (State::Started, true, 101.0, State::Started),
            (State::Started, false, 101.0, State::Stopped),
            (State::Stopped, false, 101.0, State::Stopped),
            (State::Stopped, true, 101.0, State::Starting),
            (State::Failed, false, 101.0, State::Failed),
            (State::Stopped, false, 160.0, State::Expired),
            (State::Started, false, 200.0, State::Expired),
            (State::Expired, false, 101.0, State::Expired),
        ];
        for (written, supervised, now, expected) in table {
            let (state, _) = record(written).state_now(supervised, now);
            assert_eq!(state, expected, "{written:?} {supervised} {now}");
        }
        // Its supervisor is about to exit.
        let ended = VmRecord {
            is_ending: true,
            ..record(State::Stopped)
        };
        assert_eq!(ended.state_now(true, 101.0).0, State::Stopped);
    }
}
