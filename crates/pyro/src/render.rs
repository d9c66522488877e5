//! *Rendering*: what came of an operation, for people. An operation without an entry here is
//! shown as JSON.

use std::fmt::Write;

use pyro_engine::operations::doctor::{QemuReport, Report};
use pyro_engine::operations::env::{Environment, EnvironmentList, Pruned, Pulled};
use pyro_engine::operations::vm::{self, Reaped, RunResult};
use pyro_engine::operations::workspace;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{json, talk};

macro_rules! line {
    ($text:ident, $($argument:tt)*) => {
        writeln!($text, $($argument)*).expect("a string takes whatever is written")
    };
}

// After the macro, which it uses.
mod instances;
mod parts;
mod tour;

use parts::shown;
pub(crate) use parts::{Part, Rendered};
pub(crate) use tour::step;

/// Renders the result of the operation `name`, of what was asked by `request`.
pub(crate) fn human(name: &str, request: &Value, value: &Value, verbose: bool) -> Rendered {
    let text = |stdout: String| Rendered {
        parts: vec![Part::Stdout(stdout)],
        ..Rendered::default()
    };
    let footer = |footer: String| Rendered {
        footer,
        ..Rendered::default()
    };
    match name {
        "vm_list_environments" => text(environment_list(&typed(value))),
        "env_inspect" => text(environment("Environment", &typed(value), None)),
        "env_pull" => {
            let pulled: Pulled = typed(value);
            text(environment("Pulled", &pulled.environment, Some(&pulled)))
        }
        "env_prune" => text(pruned(&typed(value))),
        "vm_run" => footer(run_footer("run", &typed(value))),
        "vm_exec" => footer(run_footer("vm-exec", &typed(value))),
        "vm_create" | "vm_start" | "vm_stop" | "vm_status" => text(instances::vm(&typed(value))),
        "vm_list" => text(instances::vms(&typed(value))),
        "vm_network_info" => text(instances::network(&typed(value))),
        "vm_delete" => text(format!(
            "Deleted VM: {}\n",
            typed::<vm::Deleted>(value).vm_id
        )),
        "vm_reap_expired" => text(reaped(&typed(value))),
        "workspace_create" | "workspace_start" | "workspace_stop" | "workspace_status" => {
            text(instances::workspace(&typed(value)))
        }
        "workspace_list" => text(instances::workspaces(&typed(value))),
        "workspace_exec" => footer(instances::exec_footer(&typed(value))),
        "workspace_sync_push" => text(instances::pushed(&typed(value))),
        "workspace_logs" if request["follow"] == true => footer(instances::followed(&typed(value))),
        "workspace_logs" => Rendered {
            parts: instances::logs(&typed(value)),
            ..Rendered::default()
        },
        "workspace_delete" => {
            let deleted: workspace::Deleted = typed(value);
            text(format!("Deleted workspace: {}\n", deleted.workspace_id))
        }
        "doctor" => text(doctor(&typed(value))),
        "demo" => text(tour::end(&typed(value))),
        "demo_ollama" => text(talk::summary(&typed(value), verbose)),
        _ => text(json::pretty(value)),
    }
    .with_status(status(name, value))
}

/// Returns the exit status that goes with the result of the operation `name`.
pub(crate) fn status(name: &str, value: &Value) -> u8 {
    match name {
        "vm_run" | "vm_exec" | "workspace_exec" => {
            let code = value["exit_code"].as_i64().unwrap_or(1);
            // Guests report what `wait` does: 0 to 255.
            u8::try_from(code & 0xff).unwrap_or(1)
        }
        "doctor" => u8::from(!typed::<Report>(value).runtime_ok),
        _ => 0,
    }
}

fn typed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("the engine made it from this very type")
}

fn environment_list(list: &EnvironmentList) -> String {
    let mut text = String::new();
    line!(text, "Catalog version: {}", list.catalog_version);
    if list.environments.is_empty() {
        line!(text, "No environments found.");
    }
    for environment in &list.environments {
        let state = if environment.installed {
            "installed"
        } else {
            "not installed"
        };
        line!(
            text,
            "{} [{state}] {}",
            environment.name,
            environment.description
        );
    }
    text
}

fn environment(action: &str, environment: &Environment, pulled: Option<&Pulled>) -> String {
    let mut text = String::new();
    line!(text, "{action}: {}", environment.name);
    line!(text, "Version: {}", environment.version);
    line!(
        text,
        "Distribution: {} {}",
        environment.distribution,
        environment.distribution_version
    );
    line!(text, "Installed: {}", yes_no(environment.installed));
    line!(text, "Cache dir: {}", shown(&environment.cache_dir));
    line!(
        text,
        "Default packages: {}",
        environment.default_packages.join(", ")
    );
    line!(text, "Description: {}", environment.description);
    if let Some(manifest) = &environment.install_manifest {
        line!(text, "Install dir: {}", shown(&environment.install_dir));
        line!(text, "Install manifest: {}", shown(manifest));
    }
    if let Some(pulled) = pulled {
        line!(text, "Kernel image: {}", shown(&pulled.kernel_image));
        line!(text, "Rootfs image: {}", shown(&pulled.rootfs_image));
    }
    match (
        &environment.oci_registry,
        &environment.oci_repository,
        &environment.oci_reference,
    ) {
        (Some(registry), Some(repository), Some(reference)) => {
            line!(text, "OCI source: {registry}/{repository}:{reference}");
        }
        _ => line!(text, "OCI source: none (built from the Debian archive)"),
    }
    text
}

fn pruned(pruned: &Pruned) -> String {
    let mut text = String::new();
    let noun = if pruned.count == 1 {
        "entry"
    } else {
        "entries"
    };
    line!(text, "Deleted {} cached environment {noun}.", pruned.count);
    for name in &pruned.deleted_environment_dirs {
        line!(text, "- {name}");
    }
    text
}

fn run_footer(word: &str, result: &RunResult) -> String {
    let mut text = String::new();
    if result.timed_out {
        line!(text, "[{word}] command timed out and was ended");
    }
    line!(
        text,
        "[{word}] environment={} execution_mode={} exit_code={} duration_ms={}",
        result.environment,
        result.execution_mode,
        result.exit_code,
        result.duration_ms
    );
    text
}

fn reaped(reaped: &Reaped) -> String {
    let mut text = String::new();
    line!(text, "Deleted {} expired VMs.", reaped.count);
    for id in &reaped.deleted_vm_ids {
        line!(text, "- {id}");
    }
    text
}

/// Which QEMU there is, and with which ones pyro was tested.
fn qemu(report: &QemuReport) -> String {
    match (&report.path, &report.version) {
        (Some(path), Some(version)) => {
            let tried = report.tried_versions.join(", ");
            format!("{version} at {path} (tried: {tried})")
        }
        _ => format!("none (needed: {} or newer)", report.minimum_version),
    }
}

fn doctor(report: &Report) -> String {
    let mut text = String::new();
    let kvm = &report.kvm;
    line!(text, "Platform: {}", report.platform);
    line!(
        text,
        "Runtime: {}",
        if report.runtime_ok { "PASS" } else { "FAIL" }
    );
    line!(
        text,
        "KVM: exists={} readable={} writable={}",
        yes_no(kvm.exists),
        yes_no(kvm.readable),
        yes_no(kvm.writable)
    );
    let capabilities = &report.runtime.capabilities;
    line!(text, "Environment cache: {}", report.runtime.cache_dir);
    line!(
        text,
        "Capabilities: vm_boot={} guest_exec={} guest_network={}",
        yes_no(capabilities.supports_vm_boot),
        yes_no(capabilities.supports_guest_exec),
        yes_no(capabilities.supports_guest_network)
    );
    line!(
        text,
        "Networking: tun={} ip_forward={}",
        yes_no(report.networking.tun_available),
        yes_no(report.networking.ip_forward_enabled)
    );
    let selected = report.accelerator.selected.as_deref().unwrap_or("none");
    line!(
        text,
        "Accelerator: {selected} ({})",
        report.accelerator.reason
    );
    line!(text, "QEMU: {}", qemu(&report.qemu));
    let installed: Vec<&str> = report
        .runtime
        .environments
        .iter()
        .filter(|environment| environment.installed)
        .map(|environment| environment.name.as_str())
        .collect();
    line!(text, "Environments: {}", list_or_none(&installed));
    line!(text, "Kernels: {}", list_or_none(&report.kernels));
    for disk in &report.disk {
        let free = disk
            .free_mib
            .map_or("unknown".into(), |mib| format!("{mib} MiB"));
        let writable = yes_no(disk.writable);
        line!(
            text,
            "Disk: {} writable={writable} free={free} ({})",
            disk.path,
            disk.purpose
        );
    }
    for piece in &report.isolation {
        let state = if piece.in_force {
            "in force"
        } else {
            "MISSING"
        };
        line!(
            text,
            "Isolation: {} {state} ({})",
            piece.piece,
            piece.detail
        );
    }
    line!(text, "Parked machines: {}", report.parked_machines);
    text.push_str(&booted(report));
    for (title, entries) in [("Issues", &report.issues), ("To do", &report.remedies)] {
        if !entries.is_empty() {
            line!(text, "{title}:");
        }
        for entry in entries {
            line!(text, "- {entry}");
        }
    }
    text
}

/// What came of the boot that `doctor --boot` has tried.
fn booted(report: &Report) -> String {
    let mut text = String::new();
    if let Some(boot) = &report.boot {
        match &boot.kernel {
            Some(kernel) => line!(
                text,
                "Boot: {} answered with kernel {kernel} after {} ms",
                boot.environment,
                boot.total_ms
            ),
            None => line!(text, "Boot: {} did not answer", boot.environment),
        }
    }
    text
}

fn list_or_none(items: &[impl AsRef<str>]) -> String {
    if items.is_empty() {
        return "none".into();
    }
    items
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ")
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
