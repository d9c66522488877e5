//! Machines that are *parked*: started ahead of their use, each kept by a process of its own.

use std::process::Stdio;

use pyro_machine::{MachineSpec, Start};
use serde::{Deserialize, Serialize};

use crate::config::PARK_COMMAND;
use crate::detached::{reap, run_detached};
use crate::{Config, Engine, Error};

/// The input of a keeper.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Parked {
    pub(crate) spec: MachineSpec,
    pub(crate) config: Config,
}

impl Parked {
    /// Parses the input of a keeper.
    pub(crate) fn read(description: &str) -> Result<Self, Error> {
        serde_json::from_str(description).map_err(|error| Error::malformed(PARK_COMMAND, &error))
    }
}

impl Engine {
    /// Keeps a machine until it was used or its time is over.
    pub(crate) async fn park(&self, spec: &MachineSpec) -> Result<(), Error> {
        // Must be done before other threads exist. A parked machine has no network.
        pyro_machine::confine_keeper(false)
            .map_err(|error| Error::no_supervisor(&format!("it cannot be confined: {error}")))?;
        if self.check_disk_limit().await.is_err() {
            // A later start that needs a machine reports the error itself.
            return Ok(());
        }
        self.machines.park(spec, self.config.parked_idle).await?;
        Ok(())
    }

    /// Starts a keeper that prepares the next machine of this kind. A failure is not an error: the
    /// next run starts without a parked machine.
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
