//! The name of a method, and its positional parameters. Only this module derives names of methods
//! from names of operations.

use pyro_engine::operation::Entry;
use pyro_engine::operations::HINTS;

/// Exceptions from the rule of [`of`].
const NAMES: &[(&str, &str)] = &[
    ("demo_ollama", "demo_ollama"),
    ("vm_list_environments", "list_environments"),
    ("vm_network_info", "network_info_vm"),
    ("vm_reap_expired", "reap_expired"),
    ("vm_run", "run_in_vm"),
    ("workspace_kill", "kill_command"),
    ("workspace_wait", "wait_command"),
];

/// Operations whose environment is not positional in Python, although it is on the command line.
const ENVIRONMENT_BY_NAME: &[&str] = &["vm_create", "vm_run", "workspace_create"];

/// Methods that have fewer parameters than their operation, and the name of a second method that
/// has all of them.
pub(super) const EXACT: &[(&str, &[&str], &str)] =
    &[("workspace_logs", &["workspace_id"], "read_workspace_logs")];

/// Methods that return one key of the response.
pub(super) const UNWRAPPED: &[(&str, &str)] = &[("vm_list_environments", "environments")];

/// The method of an operation. Names of operations begin with the noun, those of methods with the
/// verb; operations on all objects of a kind have the plural.
pub(super) fn of(operation: &str) -> String {
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == operation) {
        return (*name).to_owned();
    }
    let Some((noun, verb)) = operation.rsplit_once('_') else {
        return operation.to_owned();
    };
    let noun = noun
        .strip_prefix("env")
        .map_or_else(|| noun.to_owned(), |rest| format!("environment{rest}"));
    let plural = if matches!(verb, "list" | "prune") && !noun.ends_with("disk") {
        "s"
    } else {
        ""
    };
    format!("{verb}_{noun}{plural}")
}

/// The method that has all parameters of an operation.
pub(super) fn full(operation: &str) -> String {
    let exact = EXACT.iter().find(|(known, ..)| *known == operation);
    exact.map_or_else(|| of(operation), |(_, _, full)| (*full).to_owned())
}

/// Rewrites a text about commands for methods.
pub(super) fn in_methods(text: &str) -> String {
    HINTS.for_operations(text, |operation| Some(full(operation)))
}

/// Whether a parameter is positional: the same ones as the required positional arguments of the
/// command line.
pub(super) fn is_positional(entry: &Entry, argument: &clap::Arg) -> bool {
    argument.is_positional()
        && argument.is_required_set()
        && !(argument.get_id() == "environment" && ENVIRONMENT_BY_NAME.contains(&entry.name))
}

/// The method of a workspace that carries out an operation on it.
pub(super) fn of_workspace(operation: &str) -> String {
    match operation.strip_prefix("workspace_") {
        Some(verb) => of(verb),
        None => of(operation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_the_promised_names() {
        for (operation, method) in [
            ("doctor", "doctor"),
            ("env_inspect", "inspect_environment"),
            ("env_prune", "prune_environments"),
            ("env_pull", "pull_environment"),
            ("snapshot_list", "list_snapshots"),
            ("vm_create", "create_vm"),
            ("vm_list", "list_vms"),
            ("vm_run", "run_in_vm"),
            ("workspace_disk_list", "list_workspace_disk"),
            ("workspace_exec", "exec_workspace"),
            ("workspace_file_list", "list_workspace_files"),
            ("workspace_patch_apply", "apply_workspace_patch"),
            ("workspace_sync_push", "push_workspace_sync"),
            ("workspace_patch_apply", "apply_workspace_patch"),
        ] {
            assert_eq!(of(operation), method);
        }
    }
}
