//! Shells of workspaces, for people.

use pyro_engine::operations::workspace::shell::{
    ClosedShell, Shell, ShellOutput, ShellSignalled, ShellWritten, Shells,
};

use super::parts::{Part, Rendered, View, footer, shown, table, text};

/// Returns the renderer for the results of an operation on shells.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "shell_open" => |view| {
            let shell: Shell = view.typed();
            let id = Part::Stdout(format!("{}\n", shell.shell_id));
            with(vec![id], summary("open", &shell, ""))
        },
        "shell_list" => |view| text(list(&view.typed())),
        "shell_read" => |view| {
            let read: ShellOutput = view.typed();
            let dropped = read
                .dropped_chars
                .map(|count| format!(" dropped_chars={count}"));
            let more = format!(
                " cursor={} next_cursor={} truncated={}{}",
                read.cursor,
                read.next_cursor,
                read.truncated,
                dropped.unwrap_or_default()
            );
            let output = Part::Stdout(read.output);
            with(vec![output], summary("read", &read.shell, &more))
        },
        "shell_write" => |view| {
            let written: ShellWritten = view.typed();
            let more = format!(" input_length={}", written.input_length);
            footer(summary("write", &written.shell, &more))
        },
        "shell_signal" => |view| {
            let signalled: ShellSignalled = view.typed();
            let more = format!(" signal={}", signalled.signal);
            footer(summary("signal", &signalled.shell, &more))
        },
        "shell_resize" => |view| footer(summary("resize", &view.typed(), "")),
        "shell_close" => |view| {
            let closed: ClosedShell = view.typed();
            footer(summary("close", &closed.shell, ""))
        },
        "shell_attach" => |view| footer(summary("attach", &view.typed(), "")),
        _ => return None,
    })
}

fn with(parts: Vec<Part>, footer: String) -> Rendered {
    Rendered {
        parts,
        footer,
        ..Rendered::default()
    }
}

fn summary(verb: &str, shell: &Shell, more: &str) -> String {
    let end = shell.exit_code.map(|code| format!(" exit_code={code}"));
    format!(
        "[workspace-shell-{verb}] workspace_id={} shell_id={} state={} cols={} rows={} \
         execution_mode={}{more}{}\n",
        shell.workspace_id,
        shell.shell_id,
        shell.state,
        shell.cols,
        shell.rows,
        shell.execution_mode,
        end.unwrap_or_default()
    )
}

fn list(list: &Shells) -> String {
    let row = |shell: &Shell| {
        let end = shell
            .exit_code
            .map_or_else(String::new, |code| code.to_string());
        [
            shell.shell_id.clone(),
            shell.state.clone(),
            end,
            format!("{}x{}", shell.cols, shell.rows),
            shown(&shell.cwd),
        ]
    };
    let rows = list.shells.iter().map(row).collect();
    table(["SHELL", "STATE", "EXIT", "SIZE", "DIRECTORY"], rows)
}
