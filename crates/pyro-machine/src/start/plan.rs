//! A *plan* contains the facts about the host that one start needs, each determined once.

use std::time::Instant;

use pyro_store::MachineDirectory;

use crate::Error;
use crate::cell::Piece;
use crate::image::{DiskPaths, Files};
use crate::instance::OwnedMachine;
use crate::machines::{Machines, Start};
use crate::network::Access;
use crate::phases::PhaseClock;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::template::TemplateKey;
use crate::vmm::Memory;

/// The facts for one start.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) spec: &'a MachineSpec,
    pub(super) files: Files<'a>,
    pub(super) platform: Platform,
    /// Whether guests are proved to run on this platform.
    pub(super) proved: bool,
    /// The key of its template; `None` if it is to be booted.
    pub(super) template: Option<TemplateKey>,
    /// What its network needs, if it is to have one.
    pub(super) access: Option<Access>,
    /// The beginning of the start.
    pub(super) begun: Instant,
}

impl Machines {
    /// Determines the facts for a start.
    pub(super) async fn plan<'a>(
        &self,
        spec: &'a MachineSpec,
        start: Start,
        files: Files<'a>,
        access: Option<Access>,
    ) -> Result<Plan<'a>, Error> {
        let begun = Instant::now();
        let (platform, proved) = self.platform().await?;
        let template = match start {
            Start::Restore => Some(TemplateKey::new(&platform, spec, files.template_kind())?),
            Start::Boot => None,
        };
        Ok(Plan {
            spec,
            files,
            platform,
            proved,
            template,
            access,
            begun,
        })
    }
}

impl Plan<'_> {
    /// The same plan without hardware: the guest is emulated.
    pub(super) fn emulated(self) -> Result<Self, Error> {
        let platform = self.platform.emulated();
        // The private disk may have been made meanwhile.
        let kind = self.files.template_kind();
        let key = |_| TemplateKey::new(&platform, self.spec, kind);
        Ok(Self {
            template: self.template.map(key).transpose()?,
            platform,
            ..self
        })
    }

    /// The kind of parked machine that fits: its template, and the pieces of isolation that its
    /// user requires.
    pub(super) fn parked_kind(&self) -> Option<String> {
        // One digit for each piece, in a fixed order, because a socket's address must be short.
        let required = Piece::ALL
            .into_iter()
            .filter(|piece| self.platform.required.contains(piece))
            .map(|piece| (piece as u8).to_string());
        let template = self.template.as_ref()?;
        Some(
            std::iter::once(template.as_str().to_owned())
                .chain(required)
                .collect(),
        )
    }

    /// Starts the VMM.
    pub(super) fn spawn(
        &self,
        memory: Memory<'_>,
        disks: &DiskPaths,
        directory: MachineDirectory,
        clock: PhaseClock,
    ) -> Result<OwnedMachine, Error> {
        let mut machine = OwnedMachine::spawn(
            &self.platform,
            self.spec,
            memory,
            disks.as_disks(),
            self.access.as_ref(),
            directory,
            clock,
        )?;
        machine.set_name(self.files.name());
        Ok(machine)
    }
}
