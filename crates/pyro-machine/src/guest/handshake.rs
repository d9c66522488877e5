//! The *handshake*: the connection is opened, and the machine becomes one of its own.

use std::time::Instant;

use pyro_protocol::{Clocks, Disk, GENERATION, GuestMessage, HostMessage};
use pyro_store::{VmId, random_hex};

use super::clock::{TOLERANCE, unix_time_ns};
use super::failure::Failure;
use super::{Guest, unexpected};
use crate::network::mac_address;

impl Guest {
    /// Opens the connection.
    pub(crate) async fn say_hello(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Hello {
            generation: GENERATION,
        })
        .await
    }

    /// Returns the clocks that the guest's kernel has settled on.
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

    /// Has the agent assemble the root file system, with a seed or without.
    pub(crate) async fn send_prepare(&self, seed: bool) -> Result<(), Failure> {
        let disk = Disk::Private;
        self.send(&HostMessage::Prepare { disk, seed }).await
    }

    pub(crate) async fn expect_prepared(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Prepared => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends what makes a machine its own: entropy, clock, name.
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

    /// Waits until the machine is its own. Without this answer it must not be used.
    pub(crate) async fn expect_identity(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Adopted => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a machine whose agent has answered its own, with the right time.
    pub(crate) async fn adopt(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.send_identity(id).await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }

    /// Tells the time again if the guest may have set its clock late. It has done so before then,
    /// so that it takes much less time than at first, and comes before every command; what is still
    /// late after that is told while they run.
    pub(crate) async fn correct_clock(&self, told: Instant) -> Result<(), Failure> {
        if told.elapsed() < TOLERANCE {
            return Ok(());
        }
        self.set_clock().await
    }

    /// Has the guest write everything to its disk and power off.
    pub(crate) async fn shut_down(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Shutdown).await
    }

    /// Opens the connection to a clone and makes it its own.
    pub(crate) async fn renew(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.say_hello().await?;
        self.send_identity(id).await?;
        self.expect_hello().await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }
}
