//! Machines that are *parked*: started ahead of their use, each kept by a process of its own.

use std::process::Stdio;

use pyro_machine::{MachineSpec, Start};
use serde::{Deserialize, Serialize};

use crate::config::PARK_COMMAND;
use crate::detached::{reap, run_detached};
use crate::{Config, Engine, Error};

/// What the keeper of a parked machine is told.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Parked {
    pub(crate) spec: MachineSpec,
    pub(crate) config: Config,
}

impl Parked {
    /// Reads the description that a keeper is given.
    pub(crate) fn read(description: &str) -> Result<Self, Error> {
        serde_json::from_str(description).map_err(|error| Error::malformed(PARK_COMMAND, &error))
    }
}

impl Engine {
    /// Keeps a machine until it was used or nobody has come for it.
    pub(crate) async fn park(&self, spec: &MachineSpec) -> Result<(), Error> {
        // While this process has one thread. What is parked has no network.
        pyro_machine::confine_keeper(false)
            .map_err(|error| Error::no_supervisor(&format!("it cannot be confined: {error}")))?;
        if self.check_disk_limit().is_err() {
            // Who wants a machine is told.
            return Ok(());
        }
        self.machines.park(spec, self.config.parked_idle).await?;
        Ok(())
    }

    /// Has the next machine of this kind prepared by a process of its own. That it cannot be is
    /// no reason to fail: the next one starts without.
    pub(crate) fn park_successor(&self, spec: &MachineSpec) {
        let Some(program) = &self.config.program else {
            return;
        };
        if self.config.start != Start::Restore || self.config.parked_idle.is_zero() {
            return;
        }
        let parked = Parked {
            spec: MachineSpec {
                network: false,
                ..spec.clone()
            },
            config: self.config.clone(),
        };
        let Ok(description) = serde_json::to_string(&parked) else {
            return;
        };
        match run_detached(
            &self.config,
            program,
            &[PARK_COMMAND],
            &description,
            Stdio::null(),
            Stdio::null(),
        ) {
            Ok(keeper) => reap(keeper),
            Err(error) => tracing::debug!(%error, "no successor is parked"),
        }
    }
}
