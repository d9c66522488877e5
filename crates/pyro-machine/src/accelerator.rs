//! The *accelerator* runs the guest's instructions: KVM where the hardware virtualises, QEMU's
//! own translator (TCG) everywhere.
//!
//! A `/dev/kvm` that opens proves nothing: some hosts have one that answers, creates virtual
//! machines and never runs a stock kernel. So KVM is used if the device reports that it is KVM, the
//! processor reports virtualisation, **and** a guest has answered under it since the host booted.
//! The first guest that answers is the proof. If none does, guests are emulated, and KVM is tried
//! again later: a host may be too busy, or its KVM taken, for a while.

use std::fmt;
use std::fs::OpenOptions;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Error, kvm};

const DEVICE: &str = "/dev/kvm";

/// What executes the guest's instructions.
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

/// The accelerator that the caller asks for.
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

/// The result of trying KVM.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A guest answered under it.
    Works,
    /// No guest answered, the last time.
    Fails {
        /// What happened instead.
        reason: String,
        /// When that was, in seconds since the Unix epoch.
        tried_at: u64,
        /// How often it has failed.
        times: u32,
    },
}

/// After how long KVM is tried again, in seconds; each time it fails, twice as long.
const RETRY_SECONDS: u64 = 600;
const RETRY_LIMIT_SECONDS: u64 = 24 * 60 * 60;

impl Verdict {
    /// The verdict after one more failure at `now`.
    pub(crate) fn failed(before: Option<&Self>, reason: String, now: u64) -> Self {
        let times = match before {
            Some(Self::Fails { times, .. }) => *times,
            _ => 0,
        };
        Self::Fails {
            reason,
            tried_at: now,
            times: times.saturating_add(1),
        }
    }

    /// Whether to try again. A clock that was set back does not delay it.
    fn is_stale(&self, now: u64) -> bool {
        match self {
            Self::Works => false,
            Self::Fails {
                tried_at, times, ..
            } => {
                let doublings = times.saturating_sub(1).min(20);
                let patience = (RETRY_SECONDS << doublings).min(RETRY_LIMIT_SECONDS);
                !(*tried_at..tried_at.saturating_add(patience)).contains(&now)
            }
        }
    }
}

/// The current time, in seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// What the device node and the processor report about KVM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KvmDevice {
    /// The device node exists.
    pub exists: bool,
    /// This user may read it.
    pub readable: bool,
    /// This user may write it.
    pub writable: bool,
    /// The processor has `vmx` or `svm`.
    pub processor_flag: bool,
    /// Why the device cannot run machines, as it reports itself, if it could be opened.
    pub fault: Option<String>,
}

impl KvmDevice {
    /// Examines this host, and queries the device.
    pub fn detect() -> Self {
        let device = OpenOptions::new().read(true).write(true).open(DEVICE);
        Self {
            fault: device.ok().and_then(|device| kvm::fault(&device)),
            ..Self::look()
        }
    }

    /// Returns why the device cannot run machines, regardless of the processor.
    pub(crate) fn unusable(&self) -> Option<String> {
        obstacle(self).filter(|_| !(self.readable && self.writable) || self.fault.is_some())
    }

    /// Examines this host, without the device's own report.
    pub(crate) fn look() -> Self {
        let open = |read, write| OpenOptions::new().read(read).write(write).open(DEVICE);
        Self {
            exists: std::path::Path::new(DEVICE).exists(),
            readable: open(true, false).is_ok(),
            writable: open(false, true).is_ok(),
            fault: None,
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
    /// Whether a guest has answered under it since the host booted.
    pub(crate) proved: bool,
    /// The reason, for people.
    pub(crate) reason: String,
}

/// Chooses an accelerator from the caller's choice, the host's KVM, and the results of trying KVM
/// since the host booted.
///
/// # Errors
/// When KVM was asked for and the device cannot be used at all.
pub(crate) fn judge(
    choice: AcceleratorChoice,
    device: &KvmDevice,
    tried: Option<&Verdict>,
    now: u64,
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
        // The user asked for KVM: try it, whatever the processor reports.
        (AcceleratorChoice::Kvm, ..) => match device.unusable() {
            Some(reason) => return Err(Error::KvmUnavailable { reason }),
            None => kvm(true, "KVM was asked for"),
        },
        (AcceleratorChoice::Auto, Some(reason), _) => tcg(reason),
        (AcceleratorChoice::Auto, None, Some(Verdict::Works)) => {
            kvm(true, "a guest has answered under KVM since the host booted")
        }
        (AcceleratorChoice::Auto, None, Some(verdict)) if verdict.is_stale(now) => {
            kvm(false, "KVM failed before; the next guest tries it again")
        }
        (AcceleratorChoice::Auto, None, Some(Verdict::Fails { reason, .. })) => tcg(format!(
            "KVM was tried and failed: {reason}; it is tried again later, or at once by `pyro \
             doctor --boot`"
        )),
        (AcceleratorChoice::Auto, None, None) => {
            kvm(false, "KVM looks usable; the first guest will prove it")
        }
    })
}

/// Returns why KVM is not worth a try.
fn obstacle(device: &KvmDevice) -> Option<String> {
    Some(if !device.exists {
        format!("{DEVICE} does not exist")
    } else if !device.readable && !device.writable {
        format!("{DEVICE} cannot be opened by this user")
    } else if !device.writable {
        format!("{DEVICE} cannot be written by this user")
    } else if !device.readable {
        format!("{DEVICE} cannot be read by this user")
    } else if let Some(fault) = &device.fault {
        format!("{DEVICE} {fault}")
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

    fn usable() -> KvmDevice {
        KvmDevice {
            exists: true,
            readable: true,
            writable: true,
            processor_flag: true,
            fault: None,
        }
    }

    fn auto_at(device: &KvmDevice, tried: Option<&Verdict>, now: u64) -> Judgement {
        judge(AcceleratorChoice::Auto, device, tried, now).unwrap()
    }

    #[test]
    fn a_device_that_opens_is_not_believed_without_the_processor_flag() {
        let device = KvmDevice {
            processor_flag: false,
            ..usable()
        };
        let judgement = auto_at(&device, None, 0);
        assert_eq!(judgement.accelerator, Accelerator::Tcg);
        assert!(judgement.reason.contains("vmx"));
    }

    #[test]
    fn a_success_is_remembered_and_a_failure_for_a_while() {
        let first = auto_at(&usable(), None, 0);
        assert_eq!((first.accelerator, first.proved), (Accelerator::Kvm, false));
        let works = auto_at(&usable(), Some(&Verdict::Works), 0);
        assert_eq!((works.accelerator, works.proved), (Accelerator::Kvm, true));

        let once = Verdict::failed(None, "no answer".into(), 1000);
        let failed = auto_at(&usable(), Some(&once), 1599);
        assert_eq!(failed.accelerator, Accelerator::Tcg);
        assert!(failed.reason.contains("no answer") && failed.reason.contains("doctor --boot"));
        let again = auto_at(&usable(), Some(&once), 1600);
        assert_eq!((again.accelerator, again.proved), (Accelerator::Kvm, false));
        let twice = Verdict::failed(Some(&once), "no answer".into(), 1600);
        let accelerator = |now| auto_at(&usable(), Some(&twice), now).accelerator;
        assert_eq!(accelerator(2799), Accelerator::Tcg);
        assert_eq!(accelerator(2800), Accelerator::Kvm);
        // The clock was set back.
        assert_eq!(accelerator(10), Accelerator::Kvm);
        let often = (0..100).fold(twice, |verdict, _| {
            Verdict::failed(Some(&verdict), String::new(), 0)
        });
        assert!(!often.is_stale(RETRY_LIMIT_SECONDS - 1) && often.is_stale(RETRY_LIMIT_SECONDS));
        // KVM works again, so earlier failures do not count.
        let fresh = Verdict::failed(Some(&Verdict::Works), String::new(), 0);
        assert!(matches!(fresh, Verdict::Fails { times: 1, .. }));
    }

    #[test]
    fn a_device_that_cannot_be_used_is_told_with_the_reason() {
        for (device, word) in [
            (
                KvmDevice {
                    readable: false,
                    writable: false,
                    ..usable()
                },
                "opened",
            ),
            (
                KvmDevice {
                    writable: false,
                    ..usable()
                },
                "written",
            ),
            (
                KvmDevice {
                    fault: Some("is no KVM: x".into()),
                    ..usable()
                },
                "is no KVM",
            ),
        ] {
            let judgement = auto_at(&device, None, 0);
            assert_eq!(judgement.accelerator, Accelerator::Tcg);
            assert!(judgement.reason.contains(word), "{}", judgement.reason);
            assert!(judge(AcceleratorChoice::Kvm, &device, None, 0).is_err());
        }
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
