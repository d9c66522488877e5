//! VMs and workspaces, for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use pyro_engine::operations::vm::{Deleted as DeletedVm, Vm, VmNetwork, Vms};
use pyro_engine::operations::workspace::{
    Deleted, ExecResult, Exported, Killed, LogEntry, Pushed, ResetWorkspace, Workspace,
    WorkspaceLogs, Workspaces,
};

use super::parts::{Part, Rendered, View, footer, shown, table, text};
use super::ports::port;

/// Returns the renderer for the results of an operation on VMs and workspaces.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "vm_create" | "vm_start" | "vm_stop" | "vm_status" => |view| text(vm(&view.typed())),
        "vm_list" => |view| text(vms(&view.typed())),
        "vm_network_info" => |view| text(network(&view.typed())),
        "vm_delete" => |view| {
            let deleted: DeletedVm = view.typed();
            text(format!("Deleted VM: {}\n", deleted.vm_id))
        },
        "workspace_create" | "workspace_update" | "workspace_start" | "workspace_stop"
        | "workspace_status" => |view| text(workspace(&view.typed())),
        "workspace_reset" => |view| {
            let reset: ResetWorkspace = view.typed();
            let name = &reset.workspace_reset.snapshot_name;
            text(format!("Reset to: {name}\n{}", workspace(&reset.workspace)))
        },
        "workspace_list" => |view| text(workspaces(&view.typed())),
        "workspace_exec" => |view| {
            let result: ExecResult = view.typed();
            let number = format!("{}\n", result.sequence);
            let begun = result.detached.then_some(number);
            Rendered {
                parts: begun.into_iter().map(Part::Stdout).collect(),
                ..footer(exec_footer("exec", &result))
            }
        },
        "workspace_wait" => |view| footer(exec_footer("wait", &view.typed())),
        "workspace_kill" => |view| {
            let killed: Killed = view.typed();
            let (signal, sequence) = (killed.signal, killed.sequence);
            text(if killed.sent {
                format!("Sent {signal} to command {sequence}\n")
            } else {
                format!("Command {sequence} has ended already\n")
            })
        },
        "workspace_sync_push" => |view| text(pushed(&view.typed())),
        "workspace_export" => |view| {
            let line = exported(&view.typed());
            // The archive was written to standard output.
            if view.value["output_path"] == "-" {
                return footer(line);
            }
            text(line)
        },
        "workspace_logs" => |view| {
            if view.request["follow"] == true {
                return footer(followed(&view.typed()));
            }
            Rendered {
                parts: logs(&view.typed()),
                ..Rendered::default()
            }
        },
        "workspace_delete" => |view| {
            let deleted: Deleted = view.typed();
            text(format!("Deleted workspace: {}\n", deleted.workspace_id))
        },
        _ => return None,
    })
}

fn workspace(workspace: &Workspace) -> String {
    let mut text = String::new();
    line!(text, "Workspace ID: {}", workspace.workspace_id);
    if let Some(name) = &workspace.name {
        line!(text, "Name: {}", pyro_text::line(name));
    }
    if !workspace.labels.is_empty() {
        line!(text, "Labels: {}", labels(&workspace.labels));
    }
    line!(text, "Environment: {}", workspace.machine.environment);
    line!(text, "State: {}", workspace.machine.state);
    if let Some(reason) = &workspace.machine.state_reason {
        line!(text, "Reason: {reason}");
    }
    line!(text, "Workspace: {}", workspace.workspace_path);
    line!(text, "Last activity at: {}", workspace.last_activity_at);
    let seed = &workspace.workspace_seed;
    match &seed.seed_path {
        Some(path) => line!(text, "Workspace seed: {} from {}", seed.mode, shown(path)),
        None => line!(text, "Workspace seed: {}", seed.mode),
    }
    line!(text, "Execution mode: {}", workspace.machine.execution_mode);
    line!(
        text,
        "Resources: {} vCPU / {} MiB",
        workspace.machine.vcpu_count,
        workspace.machine.mem_mib
    );
    if workspace.network_policy != "off" {
        line!(text, "Network policy: {}", workspace.network_policy);
    }
    for published in &workspace.published_ports {
        line!(text, "Published port: {}", port(published));
    }
    line!(text, "Command count: {}", workspace.command_count);
    if let Some(last) = &workspace.last_command {
        let exit_code = code(last.exit_code);
        line!(
            text,
            "Last command: {} (exit_code={exit_code})",
            shown(&last.command)
        );
    }
    text
}

fn workspaces(list: &Workspaces) -> String {
    if list.workspaces.is_empty() {
        return "No workspaces found.\n".into();
    }
    let heads = [
        "WORKSPACE ID",
        "NAME",
        "STATE",
        "ENVIRONMENT",
        "COMMANDS",
        "LAST ACTIVITY",
        "LABELS",
    ];
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs_f64();
    let rows = list.workspaces.iter().map(|workspace| {
        [
            workspace.workspace_id.clone(),
            pyro_text::line(workspace.name.as_deref().unwrap_or("-")),
            workspace.state.clone(),
            workspace.environment.clone(),
            workspace.command_count.to_string(),
            ago(now - workspace.last_activity_at),
            labels(&workspace.labels),
        ]
    });
    table(heads, rows.collect())
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    let labels = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", pyro_text::line(value)));
    labels.collect::<Vec<_>>().join(", ")
}

/// Formats how long ago something happened.
fn ago(seconds: f64) -> String {
    let (unit, name) = match seconds {
        ..120.0 => (1.0, "s"),
        ..7200.0 => (60.0, "min"),
        ..172_800.0 => (3600.0, "h"),
        _ => (86_400.0, "days"),
    };
    format!("{:.0} {name} ago", (seconds / unit).max(0.0).floor())
}

fn exec_footer(verb: &str, result: &ExecResult) -> String {
    let timed_out = if result.timed_out {
        format!("[workspace-{verb}] command timed out and was ended\n")
    } else {
        String::new()
    };
    let end = match result.exit_code {
        Some(code) => format!("exit_code={code} duration_ms={}", result.duration_ms),
        None => "state=running".to_owned(),
    };
    format!(
        "{timed_out}[workspace-{verb}] workspace_id={} sequence={} cwd={} execution_mode={} {end}\n",
        result.workspace_id, result.sequence, result.cwd, result.execution_mode,
    )
}

fn pushed(pushed: &Pushed) -> String {
    let sync = &pushed.workspace_sync;
    format!(
        "[workspace-sync] workspace_id={} mode={} source={} destination={} entry_count={} \
         bytes_written={} execution_mode={}\n",
        pushed.workspace_id,
        sync.mode,
        shown(&sync.source_path),
        shown(&sync.destination),
        sync.entry_count,
        sync.bytes_written,
        pushed.execution_mode
    )
}

fn exported(exported: &Exported) -> String {
    format!(
        "[workspace-export] workspace_id={} workspace_path={} output_path={} artifact_type={} \
         entry_count={} bytes_written={} left_out={} changed={} execution_mode={}\n",
        exported.workspace_id,
        shown(&exported.workspace_path),
        shown(&exported.output_path),
        exported.artifact_type,
        exported.entry_count,
        exported.bytes_written,
        exported.left_out_count,
        exported.changed_count,
        exported.execution_mode
    )
}

/// Prints the logs, with each command's standard output and standard error to the corresponding
/// stream.
fn logs(logs: &WorkspaceLogs) -> Vec<Part> {
    if logs.entries.is_empty() {
        return vec![Part::Stdout("No workspace logs found.\n".into())];
    }
    logs.entries.iter().flat_map(log_entry).collect()
}

fn log_entry(entry: &LogEntry) -> [Part; 3] {
    [
        Part::Stdout(format!(
            "{}{}",
            log_header(entry),
            command_lines(&entry.command)
        )),
        Part::Stdout(whole_lines(&entry.printed.stdout)),
        Part::Stderr(whole_lines(&entry.printed.stderr)),
    ]
}

/// Formats a command so that its lines cannot be confused with other lines of the log.
fn command_lines(command: &str) -> String {
    let shown = shown(command);
    let prompts = std::iter::once("$ ").chain(std::iter::repeat("> "));
    let lines = shown.split('\n').zip(prompts);
    lines
        .flat_map(|(line, prompt)| [prompt, line, "\n"])
        .collect()
}

/// The summary of a command whose output was already printed.
fn followed(logs: &WorkspaceLogs) -> String {
    logs.entries.iter().map(log_header).collect()
}

fn log_header(entry: &LogEntry) -> String {
    let mut text = format!(
        "#{} exit_code={} duration_ms={} cwd={}",
        entry.sequence,
        code(entry.exit_code),
        entry.duration_ms,
        entry.cwd
    );
    if let Some(interrupted) = &entry.interrupted {
        write!(text, " ({})", pyro_text::line(interrupted))
            .expect("a string takes whatever is written");
    }
    if let Some(bytes) = entry.dropped_bytes {
        write!(text, " ({bytes} bytes of its output were dropped)")
            .expect("a string takes whatever is written");
    }
    text.push('\n');
    text
}

fn whole_lines(output: &str) -> String {
    let end = if output.is_empty() || output.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{output}{end}")
}

fn code(exit_code: Option<i32>) -> String {
    exit_code.map_or("none".into(), |code| code.to_string())
}

fn vm(vm: &Vm) -> String {
    let mut text = String::new();
    line!(text, "VM ID: {}", vm.vm_id);
    line!(text, "Environment: {}", vm.machine.environment);
    line!(text, "State: {}", vm.machine.state);
    if let Some(reason) = &vm.machine.state_reason {
        line!(text, "Reason: {reason}");
    }
    line!(text, "Execution mode: {}", vm.machine.execution_mode);
    line!(
        text,
        "Resources: {} vCPU / {} MiB",
        vm.machine.vcpu_count,
        vm.machine.mem_mib
    );
    text
}

fn vms(list: &Vms) -> String {
    if list.vms.is_empty() {
        return "No VMs found.\n".into();
    }
    let mut text = String::new();
    for vm in &list.vms {
        line!(
            text,
            "{} [{}] {}",
            vm.vm_id,
            vm.machine.state,
            vm.machine.environment
        );
    }
    text
}

fn network(network: &VmNetwork) -> String {
    let mut text = String::new();
    line!(text, "VM ID: {}", network.vm_id);
    match (&network.addresses, &network.reason) {
        (Some(addresses), _) => {
            line!(text, "Guest IP: {}", addresses.guest_ip);
            line!(text, "Gateway: {}", addresses.gateway_ip);
            line!(text, "Subnet: {}", addresses.subnet_cidr);
            line!(text, "MAC address: {}", addresses.mac_address);
            line!(text, "DNS servers: {}", addresses.dns_servers.join(", "));
        }
        (None, reason) => {
            let reason = reason.as_deref().unwrap_or("unknown");
            line!(text, "Network: none ({reason})");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        for (seconds, told) in [
            (-3.0, "0 s ago"),
            (0.4, "0 s ago"),
            (119.9, "119 s ago"),
            (120.0, "2 min ago"),
            (7199.0, "119 min ago"),
            (7200.0, "2 h ago"),
            (172_800.0, "2 days ago"),
        ] {
            assert_eq!(ago(seconds), told);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = vec![["\u{e4}\u{e4}\u{e4}", "b"], ["a", ""]];
        let rows = rows.into_iter().map(|row| row.map(str::to_owned)).collect();
        assert_eq!(
            table(["A", "BB"], rows),
            "A    BB\n\u{e4}\u{e4}\u{e4}  b\na\n"
        );
    }
}
