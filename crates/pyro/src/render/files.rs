//! Files of workspaces, for people.

use std::fmt::Write;

use pyro_engine::operations::workspace::disk::DiskExport;
use pyro_engine::operations::workspace::file::{FileContent, FileListing, WrittenFile};

use super::parts::{Part, Rendered, View, shown, text};

/// Returns the renderer for the results of an operation on files.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "workspace_file_list" | "workspace_disk_list" => |view| text(listing(&view.typed())),
        "workspace_file_read" => |view| content("workspace-file-read", view.typed()),
        "workspace_disk_read" => |view| content("workspace-disk-read", view.typed()),
        "workspace_disk_export" => |view| text(exported(&view.typed())),
        "workspace_file_write" => |view| text(written(&view.typed())),
        _ => return None,
    })
}

fn listing(listing: &FileListing) -> String {
    let width = listing.entries.iter().map(|entry| entry.size_bytes);
    let width = width.max().unwrap_or_default().to_string().len();
    let mut text = String::new();
    for entry in &listing.entries {
        let kind = match &*entry.artifact_type {
            "directory" => 'd',
            "symlink" => 'l',
            "file" => '-',
            _ => '?',
        };
        let target = match &entry.link_target {
            Some(target) => format!(" -> {}", shown(target)),
            None => String::new(),
        };
        line!(
            text,
            "{kind}{} {:>width$} {}{target}",
            entry.mode,
            entry.size_bytes,
            shown(&entry.path)
        );
    }
    if listing.truncated {
        line!(text, "... and more");
    }
    text
}

/// Prints the content to standard output, and the rest to standard error.
fn content(word: &str, file: FileContent) -> Rendered {
    let lossy = if file.content_lossy {
        " content_lossy=true"
    } else {
        ""
    };
    let next = match file.next_offset {
        Some(offset) => format!(" next_offset={offset}"),
        None => String::new(),
    };
    Rendered {
        footer: format!(
            "[{word}] workspace_id={} path={} size_bytes={} truncated={}{next}{lossy}\n",
            file.workspace_id,
            shown(&file.path),
            file.size_bytes,
            file.truncated
        ),
        parts: vec![Part::Stdout(file.content)],
        ..Rendered::default()
    }
}

fn exported(image: &DiskExport) -> String {
    format!(
        "[workspace-disk-export] workspace_id={} output_path={} disk_format={} bytes_written={} \
         size_bytes={} entry_count={}\n",
        image.workspace_id,
        shown(&image.output_path),
        image.disk_format,
        image.bytes_written,
        image.size_bytes,
        image.entry_count
    )
}

fn written(file: &WrittenFile) -> String {
    format!(
        "[workspace-file-write] workspace_id={} path={} bytes_written={} created={} mode={} \
         execution_mode={}\n",
        file.workspace_id,
        shown(&file.path),
        file.bytes_written,
        file.created,
        file.mode,
        file.execution_mode
    )
}
