//! *Making* templates, from machines that are booted for it.

use std::time::Duration;

use super::boot::{CLOCK_ATTEMPTS, booted_again};
use super::warm_up::warm_up;
use crate::Error;
use crate::image::{self, Files};
use crate::instance::OwnedMachine;
use crate::machines::{Listener, Machines};
use crate::phases::PhaseClock;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::template::{Template, TemplateBuilder, TemplateKey, TemplateKind, TemplateLookup};
use crate::vmm::{Disks, Memory};

/// How long the guest idles before it is saved: otherwise every clone would first do the work that
/// the kernel delays, such as freeing what belonged to commands.
const SETTLE: Duration = Duration::from_secs(1);

impl Machines {
    /// Makes the templates for machines of this kind, for those with a new disk and for those with
    /// an existing one, unless they exist or another process makes them.
    ///
    /// # Errors
    /// When it cannot be made; machines are then booted.
    pub async fn prepare(&self, spec: &MachineSpec) -> Result<(), Error> {
        let (platform, proved) = self.platform().await?;
        let prepared = self.prepare_on(&platform, spec).await;
        self.learn(&platform, &prepared);
        match prepared {
            Err(error) if !proved && error.is_of_the_accelerator() => {
                self.prepare_on(&platform.emulated(), spec).await
            }
            prepared => prepared,
        }
    }

    async fn prepare_on(&self, platform: &Platform, spec: &MachineSpec) -> Result<(), Error> {
        for kind in [TemplateKind::Assembled, TemplateKind::Bare] {
            let key = TemplateKey::new(platform, spec, kind)?;
            if let TemplateLookup::Missing(builder) = self.templates(platform).find(key.as_str()) {
                let made = self
                    .make_template(builder, platform, spec, &key, &|_| {})
                    .await;
                made.map_err(|error| platform.blame(error))?;
            }
        }
        Ok(())
    }

    /// Makes a template, from a guest whose clocks are right.
    pub(super) async fn make_template(
        &self,
        mut builder: TemplateBuilder,
        platform: &Platform,
        spec: &MachineSpec,
        key: &TemplateKey,
        listener: Listener<'_>,
    ) -> Result<Template, Error> {
        let mut attempt = 1;
        loop {
            let wrong = match self.make_once(builder, platform, spec, key.kind()).await {
                Err(error @ Error::GuestClocks { .. }) if attempt < CLOCK_ATTEMPTS => error,
                made => return made,
            };
            attempt += 1;
            listener(booted_again(&wrong, attempt));
            builder = match self.templates(platform).find(key.as_str()) {
                TemplateLookup::Missing(builder) => builder,
                TemplateLookup::Template(template) => return Ok(template),
                TemplateLookup::Busy | TemplateLookup::Unavailable => return Err(wrong),
            };
        }
    }

    /// Boots a machine as far as its kind of template requires, and saves its memory and devices.
    async fn make_once(
        &self,
        builder: TemplateBuilder,
        platform: &Platform,
        spec: &MachineSpec,
        kind: TemplateKind,
    ) -> Result<Template, Error> {
        let turn = self.turn().await?;
        let directory = self.new_directory(&|_| {})?;
        let disk = builder.disk();
        image::create(&disk, &self.base_dir, directory.path()).await?;
        let seed = match kind {
            TemplateKind::Assembled => None,
            TemplateKind::Bare => Some(image::no_seed(directory.path())?),
        };
        let disks = Disks {
            private: &disk,
            seed: seed.as_deref(),
            output: None,
            snapshot: None,
        };
        let memory = builder.memory()?;
        let kept = Memory::Kept(&memory);
        let clock = PhaseClock::start();
        let mut machine = OwnedMachine::spawn(platform, spec, kept, disks, None, directory, clock)?;
        match kind {
            TemplateKind::Assembled => {
                machine.set_up(Files::Own.layers(), self.boot_limit).await?;
                warm_up(&mut machine)
                    .await
                    .map_err(|error| Error::Template {
                        path: self.template_dir.clone(),
                        detail: error.to_string(),
                    })?;
                machine.warm_up().await;
                machine.prestart(self.boot_limit).await?;
            }
            TemplateKind::Bare => machine.await_agent(self.boot_limit).await?,
        }
        drop(turn);
        tokio::time::sleep(SETTLE).await;
        if kind == TemplateKind::Assembled {
            // The first work of a clone is thus done shortly before: its files are in memory, and
            // already queued for writing. And the kernel does not reseed in the clone, which would
            // hide it if the agent did not.
            machine.renew(self.boot_limit).await?;
        }
        let state = machine.save(self.boot_limit).await;
        let state = state.map_err(|detail| builder.unusable(detail))?;
        drop(machine);
        builder.finish(&state)
    }
}
