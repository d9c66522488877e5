//! The *handshake*: opens the connection and gives the machine its identity.

use std::time::Instant;

use pyro_protocol::{Clocks, Disk, GENERATION, GuestMessage, HostMessage};
use pyro_store::{VmId, random_hex};

use super::clock::{TOLERANCE, unix_time_ns};
use super::failure::Failure;
use super::{Guest, unexpected};
use crate::network::mac_address;

/// What a root file system is assembled from, besides its environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers {
    pub(crate) disk: Disk,
    pub(crate) seed: bool,
}

impl Guest {
    /// Opens the connection.
    pub(crate) async fn send_hello(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Hello {
            generation: GENERATION,
        })
        .await
    }

    /// Returns the clocks that the guest's kernel has chosen.
    pub(crate) async fn expect_hello(&mut self) -> Result<Option<Clocks>, Failure> {
        match self.receive().await? {
            GuestMessage::Hello {
                generation: GENERATION,
                clocks,
                ..
            } => Ok(clocks),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes the agent assemble the root file system.
    pub(crate) async fn send_prepare(&self, layers: Layers) -> Result<(), Failure> {
        let Layers { disk, seed } = layers;
        self.send(&HostMessage::Prepare { disk, seed }).await
    }

    /// Waits until it is assembled.
    pub(crate) async fn expect_prepared(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Prepared { unfinished } => {
                self.unfinished = unfinished;
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Sends what makes the machine distinct: entropy, time, name.
    pub(crate) async fn send_identity(&self, id: &VmId) -> Result<(), Failure> {
        let adopt = HostMessage::Adopt {
            entropy_hex: random_hex(64),
            unix_time_ns: unix_time_ns(),
            hostname: format!("pyro-{id}"),
            machine_id: random_hex(16),
            mac: Some(mac_address(id)),
            network: self.network.clone(),
        };
        self.send(&adopt).await
    }

    /// Waits until the machine has adopted its identity. Without this answer it must not be used.
    pub(crate) async fn expect_identity(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Adopted => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives a machine whose agent has answered its identity, with the right time.
    pub(crate) async fn adopt(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.send_identity(id).await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }

    /// Sends the time again if the guest may have set its clock late. The agent has handled such a
    /// message before, so that this takes much less time than at first, and it comes before every
    /// command; a remaining lag is corrected while commands run.
    pub(crate) async fn correct_clock(&self, told: Instant) -> Result<(), Failure> {
        if told.elapsed() < TOLERANCE {
            return Ok(());
        }
        self.set_clock().await
    }

    /// Makes the guest write everything to its disk and power off.
    pub(crate) async fn shut_down(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Shutdown).await
    }

    /// Opens the connection to a clone and gives it its identity.
    pub(crate) async fn renew(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.send_hello().await?;
        self.send_identity(id).await?;
        self.expect_hello().await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }
}
