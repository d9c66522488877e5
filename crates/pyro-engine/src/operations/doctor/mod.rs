//! `doctor`

mod report;

pub use report::{
    AcceleratorReport, Boot, BuildRequirement, Capabilities, DiskReport, IsolationReport, Kvm,
    Networking, QemuReport, Report, Runtime,
};

use std::path::{Path, PathBuf};

use pyro_environment::{PLATFORM, Requirement, check_user, requirements};
use pyro_machine::{Accelerator, KvmDevice, MINIMUM_QEMU, PieceReport, TRIED_QEMU};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Effect, Operation, ToolSet};
use crate::operations::env::Environment;
use crate::operations::vm;
use crate::request::path_text;
use crate::{Context, Engine, Error, Listener};

/// The environment that `doctor --boot` boots.
const BOOTED_ENVIRONMENT: &str = "debian:12";
/// The free space that installing an environment needs, in MiB.
const WANTED_MIB: u64 = 2048;

/// Check whether this machine can run guests, and report what is missing
///
/// The exit status is 0 only if a guest can run. `--boot` proves it by booting one.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro doctor\n  pyro doctor --boot\n  pyro doctor --json")]
pub struct Doctor {
    /// Platform to check
    #[arg(long, default_value = PLATFORM)]
    #[serde(default = "platform")]
    pub platform: String,
    /// Boot a guest, after building its environment if necessary
    #[arg(long)]
    #[serde(default)]
    pub boot: bool,
}

fn platform() -> String {
    PLATFORM.into()
}

impl Operation for Doctor {
    const NAME: &'static str = "doctor";
    const COMMAND: &'static [&'static str] = &["doctor"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Report;

    fn exit_status(output: &Self::Output) -> u8 {
        u8::from(!output.runtime_ok)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Report, Error> {
        if self.platform != PLATFORM {
            return Err(Error::invalid(format!(
                "unknown platform '{}'; expected {PLATFORM}",
                self.platform
            )));
        }
        let mut report = examine(engine)?;
        if self.boot && report.runtime_ok {
            // Ignores the remembered verdict: this boot is the proof.
            engine.machines.test_kvm_again();
            let boot = boot(engine, &context.listener).await;
            if let Some(error) = &boot.error {
                report.runtime_ok = false;
                report
                    .issues
                    .push(format!("a guest was booted and did not answer: {error}"));
            }
            // By now the boot has tested KVM.
            report.accelerator = accelerator(engine).1;
            report.boot = Some(boot);
        }
        Ok(report)
    }
}

/// Makes all checks that need no guest.
fn examine(engine: &Engine) -> Result<Report, Error> {
    let mut findings = Findings::default();
    let device = kvm(&mut findings);
    let qemu = qemu(engine, &mut findings);
    let (accelerated, accelerator) = accelerator(engine);
    if accelerated.is_none() {
        findings.fail(&accelerator.reason);
    }
    let isolation = isolation(engine, &mut findings);
    let environments: Vec<Environment> = engine
        .environments
        .statuses()?
        .into_iter()
        .map(Into::into)
        .collect();
    let build_requirements = requirements();
    check_environments(&environments, &build_requirements, &mut findings);
    let disk = vec![
        disk(
            "environments",
            engine.environments.cache_dir(),
            // Installed environments run without write access to the cache.
            !environments.iter().any(|environment| environment.installed),
            &mut findings,
        ),
        disk("machines", &engine.machines.base_dir, true, &mut findings),
    ];
    let kernels = engine.environments.kernels()?;
    let cache_dir = path_text(engine.environments.cache_dir());
    let component_versions = [
        ("pyro", Some(crate::VERSION.to_owned())),
        ("qemu", qemu.version.clone()),
        (
            "kernel",
            kernels.last().map(|kernel| kernel.version.clone()),
        ),
    ];
    let passt = network(engine, &mut findings);
    let can_run = !findings.fatal;
    Ok(Report {
        platform: PLATFORM.into(),
        runtime_ok: can_run,
        kvm: Kvm {
            exists: device.exists,
            readable: device.readable,
            writable: device.writable,
        },
        accelerator,
        qemu,
        isolation,
        networking: networking(&engine.machines.search_path, passt.as_deref().ok()),
        runtime: Runtime {
            bundle_root: None,
            manifest_path: None,
            firecracker_bin: None,
            jailer_bin: None,
            guest_agent_path: None,
            artifacts_present: engine.environments.cache_dir().is_dir(),
            artifacts_dir: cache_dir.clone(),
            notice_path: None,
            bundle_version: crate::VERSION.into(),
            component_versions: component_versions
                .into_iter()
                .filter_map(|(name, version)| Some((name.to_owned(), version?)))
                .collect(),
            capabilities: Capabilities {
                supports_vm_boot: can_run,
                supports_guest_exec: can_run,
                supports_guest_network: can_run && passt.is_ok(),
                reason: if can_run {
                    passt.err()
                } else {
                    Some(findings.issues.join("; "))
                },
            },
            catalog_version: pyro_environment::CATALOG_VERSION.into(),
            cache_dir,
            environments,
        },
        build_requirements: build_requirements
            .into_iter()
            .map(|requirement| BuildRequirement {
                tool: requirement.tool.into(),
                path: requirement.path.as_deref().map(path_text),
                package: requirement.package.into(),
                purpose: requirement.purpose.into(),
            })
            .collect(),
        parked_machines: engine.machines.parked(),
        kernels: kernels.into_iter().map(|kernel| kernel.version).collect(),
        disk,
        issues: findings.issues,
        remedies: findings.remedies,
        boot: None,
    })
}

/// The problems, and whether they prevent guests from running.
#[derive(Default)]
struct Findings {
    issues: Vec<String>,
    remedies: Vec<String>,
    fatal: bool,
}

impl Findings {
    fn note(&mut self, issue: &str) {
        self.issues.push(issue.to_owned());
    }

    fn fail(&mut self, issue: &str) {
        self.note(issue);
        self.fatal = true;
    }

    fn advise(&mut self, remedy: &str) {
        self.remedies.push(remedy.to_owned());
    }
}

/// Whether KVM exists and is usable.
fn kvm(findings: &mut Findings) -> KvmDevice {
    let device = KvmDevice::detect();
    if !device.exists {
        findings.note("/dev/kvm is not available on this host; guests run in software emulation");
    } else if let Some(fault) = &device.fault {
        findings.note(&format!(
            "/dev/kvm {fault}; guests run in software emulation"
        ));
    } else if !(device.readable && device.writable) {
        let what = if device.readable { "written" } else { "opened" };
        findings.note(&format!(
            "/dev/kvm cannot be {what} by this user; guests run in software emulation"
        ));
        findings.advise(
            "sudo usermod -aG kvm \"$USER\"   (then log in again), if the hardware has KVM",
        );
    }
    device
}

fn qemu(engine: &Engine, findings: &mut Findings) -> QemuReport {
    let minimum_version = MINIMUM_QEMU.to_string();
    let tried_versions: Vec<String> = TRIED_QEMU.iter().map(ToString::to_string).collect();
    match engine.machines.qemu() {
        Ok(program) => {
            if !program.is_tried() {
                findings.note(&format!(
                    "QEMU {} is used although pyro was not tested with it; it was tested with {}",
                    program.version,
                    tried_versions.join(" and ")
                ));
            }
            QemuReport {
                path: Some(path_text(&program.path)),
                version: Some(program.version_text),
                minimum_version,
                tried_versions,
            }
        }
        Err(error) => {
            findings.fail(&error.to_string());
            findings.advise(&error.remedy());
            QemuReport {
                path: None,
                version: None,
                minimum_version,
                tried_versions,
            }
        }
    }
}

/// Which isolation mechanisms are in force for a process that is started like the VMM.
fn isolation(engine: &Engine, findings: &mut Findings) -> Vec<IsolationReport> {
    let examined = match pyro_machine::examine_isolation(&engine.machines.search_path) {
        Ok(examined) => examined,
        Err(error) => {
            findings.fail(&error);
            return Vec::new();
        }
    };
    let report = |report: PieceReport| {
        if !report.in_force {
            let lacking = format!("isolation lacks {}: {}", report.piece, report.detail);
            if engine.machines.required_isolation.contains(&report.piece) {
                findings.fail(&lacking);
            } else {
                findings.note(&lacking);
            }
        }
        IsolationReport {
            piece: report.piece.to_string(),
            in_force: report.in_force,
            detail: report.detail,
        }
    };
    examined.pieces().into_iter().map(report).collect()
}

/// The path of the program that guests with a network need, or why guests cannot have a network.
/// Guests without a network run in any case.
fn network(engine: &Engine, findings: &mut Findings) -> Result<PathBuf, String> {
    engine.machines.check_network().map_err(|error| {
        findings.note(&error.to_string());
        findings.advise(&error.remedy());
        error.to_string()
    })
}

fn accelerator(engine: &Engine) -> (Option<Accelerator>, AcceleratorReport) {
    match engine.machines.judge_accelerator() {
        Ok((accelerator, reason)) => {
            let selected = Some(accelerator.name().to_owned());
            (Some(accelerator), AcceleratorReport { selected, reason })
        }
        Err(error) => (
            None,
            AcceleratorReport {
                selected: None,
                reason: error.to_string(),
            },
        ),
    }
}

/// Environments must be installed, or it must be possible to build them.
fn check_environments(
    environments: &[Environment],
    requirements: &[Requirement],
    findings: &mut Findings,
) {
    let missing: Vec<&Requirement> = requirements
        .iter()
        .filter(|requirement| requirement.path.is_none())
        .collect();
    let any_installed = environments.iter().any(|environment| environment.installed);
    if !missing.is_empty() {
        let tools: Vec<&str> = missing.iter().map(|requirement| requirement.tool).collect();
        let issue = format!("environments cannot be built without {}", tools.join(", "));
        if any_installed {
            findings.note(&issue);
        } else {
            findings.fail(&format!("{issue}, and none is installed"));
        }
        let mut packages: Vec<&str> = missing
            .iter()
            .map(|requirement| requirement.package)
            .collect();
        packages.sort_unstable();
        packages.dedup();
        findings.advise(&format!("sudo apt-get install {}", packages.join(" ")));
    } else if !any_installed && let Err(error) = check_user() {
        findings.fail(&format!("{error}, and no environment is installed"));
        findings.advise(error.remedy().trim_start_matches("Run: "));
    } else if !any_installed {
        findings.note("no environment is installed yet; the first run builds the one it needs");
        findings.advise("pyro env pull debian:12");
    }
}

fn disk(purpose: &str, path: &Path, needed: bool, findings: &mut Findings) -> DiskReport {
    let existing = path
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(
        existing,
        rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
    )
    .is_ok();
    if !writable {
        let issue = format!("{} cannot be written by this user", existing.display());
        if needed {
            findings.fail(&issue);
        } else {
            findings.note(&format!(
                "{issue}, so that no environment can be installed there"
            ));
        }
    }
    let free_mib = rustix::fs::statvfs(existing)
        .ok()
        .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024));
    if let Some(free) = free_mib.filter(|free| *free < WANTED_MIB) {
        findings.note(&format!(
            "only {free} MiB are free at {}; an environment needs up to {WANTED_MIB} MiB to build",
            existing.display()
        ));
    }
    DiskReport {
        purpose: purpose.into(),
        path: path_text(path),
        writable,
        free_mib,
    }
}

fn networking(search_path: &std::ffi::OsStr, passt: Option<&Path>) -> Networking {
    let find = |name: &str| {
        std::env::split_paths(search_path)
            .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
            .map(|path| path_text(&path))
    };
    Networking {
        enabled_by_default: false,
        passt_binary: passt.map(path_text),
        tun_available: Path::new("/dev/net/tun").exists(),
        ip_binary: find("ip"),
        nft_binary: find("nft"),
        iptables_binary: find("iptables"),
        ip_forward_enabled: std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward")
            .is_ok_and(|text| text.trim() == "1"),
    }
}

/// Boots a guest as `run` does.
async fn boot(engine: &Engine, listener: &Listener) -> Boot {
    let begun = std::time::Instant::now();
    let request = vm::Run::new(BOOTED_ENVIRONMENT, "uname -r");
    let mut context = Context {
        listener: listener.clone(),
        ..Context::default()
    };
    let result = request.run(engine, &mut context).await;
    let total_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (kernel, error) = match result {
        Ok(result) if result.exit_code == 0 => {
            (Some(result.printed.stdout.trim().to_owned()), None)
        }
        Ok(result) => (
            None,
            Some(format!("uname exited with {}", result.exit_code)),
        ),
        Err(error) => (None, Some(error.message)),
    };
    Boot {
        ok: error.is_none(),
        environment: BOOTED_ENVIRONMENT.into(),
        kernel,
        total_ms,
        error,
    }
}
