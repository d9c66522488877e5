//! The *key* of a template is a digest of everything that it depends on.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::kind::TemplateKind;
use super::record::FORMAT;
use super::stamp::Stamp;
use crate::Error;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::vmm::qemu::{Channels, command_line};
use crate::vmm::{Disks, Memory};

/// Identifies the template for machines of one kind.
#[derive(Clone, Debug)]
pub(crate) struct TemplateKey {
    kind: TemplateKind,
    digest: String,
}

impl TemplateKey {
    /// The key of the template for these machines on this host.
    pub(crate) fn new(
        platform: &Platform,
        spec: &MachineSpec,
        kind: TemplateKind,
    ) -> Result<Self, Error> {
        let channels = Channels {
            agent: 0,
            console: 0,
            control: 0,
            // The template does not depend on a network.
            network: None,
        };
        // Each measurement of the rate differs a little; the rate is constant until a reboot.
        let timeless = Platform {
            tsc_khz: 0,
            ..platform.clone()
        };
        let nowhere = Path::new("");
        let disks = Disks {
            private: nowhere,
            seed: (kind == TemplateKind::Bare).then_some(nowhere),
            output: None,
            snapshot: None,
        };
        let line = command_line(&timeless, spec, Memory::Anonymous, disks, channels);
        let mut digest = Sha256::new();
        digest.update(format!("{FORMAT}\0{}\0{line:?}", platform.boot_id));
        digest.update(&platform.program.version_text);
        digest.update(&platform.processor);
        for file in [
            &platform.program.path,
            &spec.kernel,
            &spec.initramfs,
            &spec.rootfs,
        ] {
            let stamp = Stamp::of(file).map_err(|error| Error::template(file, &error))?;
            digest.update(format!("\0{}\0{stamp:?}", file.display()));
        }
        // Half of the digest is more than enough to distinguish a user's templates.
        let digest = digest.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        Ok(Self { kind, digest })
    }

    pub(crate) fn kind(&self) -> TemplateKind {
        self.kind
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.digest
    }
}
