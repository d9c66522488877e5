//! *Rendering*: the results of operations, for people.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyro_engine::operation::Entry;
use pyro_engine::operations::doctor::{QemuReport, Report};
use pyro_engine::operations::vm::{Reaped, RunResult};
use serde_json::Value;

use crate::{json, talk};

macro_rules! line {
    ($text:ident, $($argument:tt)*) => {
        writeln!($text, $($argument)*).expect("a string takes whatever is written")
    };
}

// Declared after the macro, which they use.
mod diff;
mod environments;
mod files;
mod instances;
mod parts;
mod ports;
mod pull;
mod services;
mod shells;
mod snapshots;
mod tour;

pub(crate) use diff::{coloured, stat};
pub(crate) use parts::{Part, Rendered};
use parts::{View, footer, text, yes_no};
pub(crate) use tour::step;

/// Renders the result of an operation for this `request`.
pub(crate) fn human(entry: &Entry, request: &Value, value: &Value, verbose: bool) -> Rendered {
    let view = View {
        request,
        value,
        verbose,
    };
    let rendered = match renderer(entry.name) {
        Some(render) => render(&view),
        None => text(json::pretty(value)),
    };
    rendered.with_status((entry.exit_status)(value))
}

/// Returns the content that `workspace file read` or `workspace disk read` has read, byte for byte.
pub(crate) fn content(value: &Value) -> Vec<u8> {
    let base64 = value["content_base64"].as_str().unwrap_or_default();
    STANDARD.decode(base64).expect("the engine encoded it")
}

/// Returns the id of the new shell or workspace, as a line.
pub(crate) fn id(value: &Value) -> String {
    let id = value["shell_id"].as_str();
    let id = id.or_else(|| value["workspace_id"].as_str());
    let id = id.unwrap_or_default();
    format!("{id}\n")
}

/// Returns the renderer for the results of an operation. A test checks that each operation has one.
fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "vm_run" => |view| footer(run_footer("run", &view.typed())),
        "vm_exec" => |view| footer(run_footer("vm-exec", &view.typed())),
        "vm_reap_expired" => |view| text(reaped(&view.typed())),
        "doctor" => |view| text(doctor(&view.typed())),
        "demo" => |view| text(tour::end(&view.typed())),
        "demo_ollama" => |view| text(talk::summary(&view.typed(), view.verbose)),
        name => {
            let further = [
                environments::renderer,
                instances::renderer,
                files::renderer,
                snapshots::renderer,
                ports::renderer,
                diff::renderer,
                pull::renderer,
                services::renderer,
                shells::renderer,
            ];
            return further.iter().find_map(|renderer| renderer(name));
        }
    })
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

/// The installed version of QEMU, and the versions with which pyro was tested.
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

/// The result of the boot of `doctor --boot`.
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

#[cfg(test)]
mod tests {
    use pyro_engine::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_has_a_form_for_people() {
        for entry in OPERATIONS {
            assert!(renderer(entry.name).is_some(), "{}", entry.name);
        }
    }
}
