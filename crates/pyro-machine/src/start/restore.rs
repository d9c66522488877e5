//! *Restoring* a machine from its template.

use std::time::Instant;

use super::plan::Plan;
use super::slot::LOOK_AGAIN;
use crate::Error;
use crate::instance::OwnedMachine;
use crate::machines::{LaunchEvent, Listener, Machines};
use crate::phases::PhaseClock;
use crate::platform::Platform;
use crate::template::{Template, TemplateKey, TemplateKind, TemplateLookup};
use crate::vmm::Memory;

impl Machines {
    /// Restores a machine from its template. `None` if it is to be booted: on request, or because
    /// there is no template and none can be made now.
    pub(super) async fn restore(
        &self,
        plan: &Plan<'_>,
        listener: Listener<'_>,
    ) -> Result<Option<OwnedMachine>, Error> {
        let Some(key) = &plan.template else {
            return Ok(None);
        };
        let platform = &plan.platform;
        let mut clock = PhaseClock::start();
        let template = match self.find_or_wait(platform, key, listener).await {
            TemplateLookup::Template(template) => template,
            TemplateLookup::Missing(builder) => {
                listener(LaunchEvent::Notice(
                    "the first machine of its kind since the host booted: a template of it is \
                     made, from which the others are restored"
                        .into(),
                ));
                let made = self.make_template(builder, platform, plan.spec, key, listener);
                match made.await {
                    Ok(template) => {
                        clock.end("template");
                        template
                    }
                    // Slowness, or a fault in the guest, occurs without a template too. A VMM that
                    // died may have died because its memory did not fit on the disk.
                    Err(
                        error @ (Error::BootTimedOut { .. }
                        | Error::GuestSetup { .. }
                        | Error::GuestClocks { .. }),
                    ) => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(%error, tails = ?error.tails(), "no template could be made");
                        return Ok(None);
                    }
                }
            }
            TemplateLookup::Busy | TemplateLookup::Unavailable => return Ok(None),
        };
        let restored = self
            .restore_from(&template, key.kind(), plan, clock, listener)
            .await;
        match restored.map_err(|error| platform.blame(error)) {
            Ok(machine) => {
                template.was_restored();
                Ok(Some(machine))
            }
            // A first timeout may be due to a busy host. A template that hangs does so again.
            Err(error @ Error::BootTimedOut { .. }) if !template.timed_out_before() => {
                tracing::warn!(%error, tails = ?error.tails(), "a clone did not answer in time");
                Ok(None)
            }
            // Here the machine mounts an existing disk: if that fails, other machines can still be
            // restored.
            Err(error @ Error::GuestSetup { .. }) if key.kind() == TemplateKind::Bare => Err(error),
            // A template that fails for one clone fails for the next one too.
            Err(error) if error.is_of_the_start() || matches!(error, Error::Template { .. }) => {
                tracing::warn!(%error, tails = ?error.tails(), "a template does not restore");
                template.discard();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Finds a template, or waits while another process makes it: a guest that boots at the same
    /// time would compete with it for the processor.
    async fn find_or_wait(
        &self,
        platform: &Platform,
        key: &TemplateKey,
        listener: Listener<'_>,
    ) -> TemplateLookup {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let found = self.templates(platform).find(key.as_str());
            // The process that makes it may have been stopped.
            if !matches!(found, TemplateLookup::Busy) || begun.elapsed() > self.boot_limit {
                return found;
            }
            if !told {
                told = true;
                listener(LaunchEvent::Notice(
                    "waiting for the template that another run makes".into(),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Restores a machine from a template of this kind.
    pub(super) async fn restore_from(
        &self,
        template: &Template,
        kind: TemplateKind,
        plan: &Plan<'_>,
        mut clock: PhaseClock,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let device_state = template.state()?;
        let directory = self.new_directory(listener)?;
        let files = plan.files;
        // An assembled root file system continues on a copy of its disk.
        let assembled = (kind == TemplateKind::Assembled).then(|| template.disk());
        let disks = files
            .lay_out(kind, assembled.as_deref(), &directory, &self.base_dir)
            .await?;
        clock.end("disk");
        let memory = template.memory();
        let mut machine = plan.spawn(Memory::Copied(&memory), &disks, directory, clock)?;
        let layers = (kind == TemplateKind::Bare).then_some(files.layers());
        machine
            .restore(&device_state, layers, self.boot_limit)
            .await?;
        Ok(machine)
    }
}
