//! Services of workspaces, for people.

use pyro_engine::operations::workspace::service::{Service, ServiceLogs, Services};

use super::parts::{Part, Rendered, View, footer, shown, table, text};

/// Returns the renderer for the results of an operation on services.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "service_start" => |view| footer(summary("start", &view.typed())),
        "service_status" => |view| text(summary("status", &view.typed())),
        "service_stop" => |view| footer(summary("stop", &view.typed())),
        "service_list" => |view| text(list(&view.typed())),
        "service_logs" => |view| {
            let logs: ServiceLogs = view.typed();
            Rendered {
                parts: vec![Part::Stdout(logs.stdout), Part::Stderr(logs.stderr)],
                ..footer(summary("logs", &logs.service))
            }
        },
        _ => return None,
    })
}

fn summary(verb: &str, service: &Service) -> String {
    let end = service.exit_code.map(|code| format!(" exit_code={code}"));
    let why = service
        .stop_reason
        .as_ref()
        .map(|why| format!(" stop_reason={why}"));
    let again =
        (service.restart_count > 0).then(|| format!(" restart_count={}", service.restart_count));
    format!(
        "[workspace-service-{verb}] workspace_id={} service_name={} state={} cwd={} execution_mode={}{}\n",
        service.workspace_id,
        service.service_name,
        service.state,
        shown(&service.cwd),
        service.execution_mode,
        [end, why, again].into_iter().flatten().collect::<String>()
    )
}

fn list(list: &Services) -> String {
    let row = |service: &Service| {
        [
            service.service_name.clone(),
            service.state.clone(),
            service
                .exit_code
                .map_or_else(String::new, |code| code.to_string()),
            service.stop_reason.clone().unwrap_or_default(),
            shown(&service.command),
        ]
    };
    let rows = list.services.iter().map(row).collect();
    table(["SERVICE", "STATE", "EXIT", "REASON", "COMMAND"], rows)
}
