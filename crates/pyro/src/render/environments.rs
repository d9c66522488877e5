//! Environments, for people.

use std::fmt::Write as _;

use pyro_engine::operations::env::{
    BuildResult, Environment, EnvironmentList, ImageExport, Pruned, Pulled, Removed, Saved,
};

use super::parts::{Rendered, View, shown, text, yes_no};

/// Returns the renderer for the results of an operation on environments.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "vm_list_environments" => |view| text(environment_list(&view.typed())),
        "env_inspect" => |view| text(environment("Environment", &view.typed(), None)),
        "env_pull" => |view| {
            let pulled: Pulled = view.typed();
            text(environment("Pulled", &pulled.environment, Some(&pulled)))
        },
        "env_build" => |view| {
            let built: BuildResult = view.typed();
            let mut shown = environment("Built", &built.environment, None);
            let (steps, run) = (built.step_count, built.run_count);
            line!(
                shown,
                "Steps: {steps}, {run} run, {} from the cache",
                built.cached_count
            );
            text(shown)
        },
        "env_save" => |view| {
            let saved: Saved = view.typed();
            let mut shown = environment("Saved", &saved.environment, None);
            line!(shown, "Workspace: {}", saved.workspace_id);
            line!(shown, "Entries: {}", saved.entry_count);
            text(shown)
        },
        "env_export" => |view| text(exported(&view.typed())),
        "env_remove" => |view| text(removed(&view.typed())),
        "env_prune" => |view| text(pruned(&view.typed())),
        _ => return None,
    })
}

fn exported(export: &ImageExport) -> String {
    let mut text = String::new();
    line!(text, "Exported: {}", export.environment);
    line!(
        text,
        "{}: {} ({} bytes)",
        export.format,
        shown(&export.output_path),
        export.bytes_written
    );
    text
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
            "{} [{state}] {}{}",
            environment.name,
            environment.description,
            in_brackets(environment.size_bytes)
        );
    }
    text
}

fn environment(action: &str, environment: &Environment, pulled: Option<&Pulled>) -> String {
    let mut text = String::new();
    line!(text, "{action}: {}", environment.name);
    line!(text, "Version: {}", environment.version);
    let (distribution, release) = (&environment.distribution, &environment.distribution_version);
    line!(
        text,
        "Distribution: {}",
        or_unknown(format!("{distribution} {release}").trim())
    );
    line!(text, "Installed: {}", yes_no(environment.installed));
    line!(text, "Cache dir: {}", shown(&environment.cache_dir));
    let is_image = environment.default_packages.is_empty();
    if !is_image {
        line!(
            text,
            "Default packages: {}",
            environment.default_packages.join(", ")
        );
    }
    line!(text, "Description: {}", environment.description);
    if let Some(bytes) = environment.size_bytes {
        line!(text, "Size: {}", size(bytes));
    }
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
            let separator = if reference.contains(':') { '@' } else { ':' };
            line!(
                text,
                "OCI source: {registry}/{repository}{separator}{reference}"
            );
        }
        _ if is_image => line!(text, "OCI source: {}", environment.name),
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
    freed(&mut text, pruned.freed_bytes);
    text
}

fn removed(removed: &Removed) -> String {
    let mut text = String::new();
    line!(text, "Removed: {}", removed.environment);
    for name in &removed.deleted_environment_dirs {
        line!(text, "- {name}");
    }
    freed(&mut text, removed.freed_bytes);
    text
}

fn freed(text: &mut String, bytes: u64) {
    if bytes > 0 {
        line!(text, "Freed: {}", size(bytes));
    }
}

fn in_brackets(bytes: Option<u64>) -> String {
    bytes.map_or(String::new(), |bytes| format!(" ({})", size(bytes)))
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
