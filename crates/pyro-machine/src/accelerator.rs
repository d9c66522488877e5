//! The *accelerator* runs the guest's instructions: KVM where the hardware virtualises, QEMU's
//! own translator (TCG) everywhere.
//!
//! A `/dev/kvm` that opens proves nothing: some hosts have one that answers, creates virtual
//! machines and never runs a stock kernel. So KVM is used when the device can be opened, the
//! processor says it virtualises, **and** a guest has booted under it since the host did.

use std::fmt;
use std::fs::OpenOptions;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

const DEVICE: &str = "/dev/kvm";

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Accelerator {
    /// The hardware.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl Accelerator {
    /// QEMU's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What the caller wants.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceleratorChoice {
    /// KVM if it is proved to work, TCG otherwise.
    #[default]
    Auto,
    /// KVM or nothing.
    Kvm,
    /// TCG.
    Tcg,
}

impl FromStr for AcceleratorChoice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "auto" => Self::Auto,
            "kvm" => Self::Kvm,
            "tcg" => Self::Tcg,
            _ => return Err(()),
        })
    }
}

/// What trying KVM showed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A guest booted under it.
    Works,
    /// None did.
    Fails {
        /// What happened instead.
        reason: String,
    },
}

/// What the device node and the processor say about KVM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KvmDevice {
    /// The device node exists.
    pub exists: bool,
    /// This user may read it.
    pub readable: bool,
    /// This user may write it.
    pub writable: bool,
    /// The processor has `vmx` or `svm`.
    pub processor_flag: bool,
}

impl KvmDevice {
    /// Looks at this host.
    pub fn detect() -> Self {
        let opens = |read, write| {
            OpenOptions::new()
                .read(read)
                .write(write)
                .open(DEVICE)
                .is_ok()
        };
        Self {
            exists: std::path::Path::new(DEVICE).exists(),
            readable: opens(true, false),
            writable: opens(false, true),
            processor_flag: std::fs::read_to_string("/proc/cpuinfo")
                .is_ok_and(|text| has_virtualisation_flag(&text)),
        }
    }
}

fn has_virtualisation_flag(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| {
            line.split_whitespace()
                .any(|flag| flag == "vmx" || flag == "svm")
        })
}

/// An accelerator and why it was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Judgement {
    /// The accelerator to try first.
    pub(crate) accelerator: Accelerator,
    /// Whether a guest has booted under it since the host did.
    pub(crate) proved: bool,
    /// Why, for people.
    pub(crate) reason: String,
}

/// Chooses an accelerator from what the caller wants, what the host shows, and what trying KVM
/// has shown since the host booted.
///
/// # Errors
/// When KVM was asked for and the device cannot be used at all.
pub(crate) fn judge(
    choice: AcceleratorChoice,
    device: KvmDevice,
    tried: Option<&Verdict>,
) -> Result<Judgement, Error> {
    let tcg = |reason: String| Judgement {
        accelerator: Accelerator::Tcg,
        proved: true,
        reason,
    };
    let kvm = |proved, reason: &str| Judgement {
        accelerator: Accelerator::Kvm,
        proved,
        reason: reason.to_owned(),
    };
    let obstacle = obstacle(device);
    Ok(match (choice, obstacle, tried) {
        (AcceleratorChoice::Tcg, ..) => tcg("software emulation was asked for".into()),
        (AcceleratorChoice::Kvm, Some(reason), _) if !(device.readable && device.writable) => {
            return Err(Error::KvmUnavailable { reason });
        }
        // Asked for by name: try it, whatever the signs say.
        (AcceleratorChoice::Kvm, ..) => kvm(true, "KVM was asked for"),
        (AcceleratorChoice::Auto, Some(reason), _) => tcg(reason),
        (AcceleratorChoice::Auto, None, Some(Verdict::Fails { reason })) => tcg(format!(
            "KVM was tried since the host booted and failed: {reason}"
        )),
        (AcceleratorChoice::Auto, None, Some(Verdict::Works)) => {
            kvm(true, "a guest has booted under KVM since the host booted")
        }
        (AcceleratorChoice::Auto, None, None) => {
            kvm(false, "KVM looks usable; the first boot will prove it")
        }
    })
}

/// What keeps KVM from being worth a try.
fn obstacle(device: KvmDevice) -> Option<String> {
    Some(if !device.exists {
        format!("{DEVICE} does not exist")
    } else if !device.readable || !device.writable {
        format!("{DEVICE} cannot be opened by this user")
    } else if !device.processor_flag {
        format!(
            "{DEVICE} opens, but the processor has neither the vmx nor the svm flag, so no stock \
             kernel would run under it"
        )
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USABLE: KvmDevice = KvmDevice {
        exists: true,
        readable: true,
        writable: true,
        processor_flag: true,
    };

    fn auto(device: KvmDevice, tried: Option<&Verdict>) -> Judgement {
        judge(AcceleratorChoice::Auto, device, tried).unwrap()
    }

    #[test]
    fn a_device_that_opens_is_not_believed_without_the_processor_flag() {
        let judgement = auto(
            KvmDevice {
                processor_flag: false,
                ..USABLE
            },
            None,
        );
        assert_eq!(judgement.accelerator, Accelerator::Tcg);
        assert!(judgement.reason.contains("vmx"));
    }

    #[test]
    fn a_usable_device_is_tried_once_and_the_result_remembered() {
        let first = auto(USABLE, None);
        assert_eq!((first.accelerator, first.proved), (Accelerator::Kvm, false));
        let works = auto(USABLE, Some(&Verdict::Works));
        assert_eq!((works.accelerator, works.proved), (Accelerator::Kvm, true));
        let failed = auto(
            USABLE,
            Some(&Verdict::Fails {
                reason: "no answer".into(),
            }),
        );
        assert_eq!(failed.accelerator, Accelerator::Tcg);
        assert!(failed.reason.contains("no answer"));
    }

    #[test]
    fn a_device_of_another_user_is_not_used() {
        let device = KvmDevice {
            readable: false,
            writable: false,
            ..USABLE
        };
        assert_eq!(auto(device, None).accelerator, Accelerator::Tcg);
        assert!(judge(AcceleratorChoice::Kvm, device, None).is_err());
    }

    #[test]
    fn the_flag_is_a_word_of_the_flags_line() {
        assert!(has_virtualisation_flag(
            "processor: 0\nflags\t\t: fpu vme svm\n"
        ));
        assert!(!has_virtualisation_flag(
            "flags\t\t: fpu svm_lock\nbugs : vmx\n"
        ));
    }
}
