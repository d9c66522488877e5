//! The manual pages: one for the program and one for each command.

use clap::Command;
use clap_mangen::Man;

use crate::Error;

/// Returns the name and contents of every page.
pub(super) fn pages() -> Result<Vec<(String, String)>, Error> {
    let mut command = pyro::command();
    command.build();
    let mut pages = Vec::new();
    add(&mut pages, command)?;
    Ok(pages)
}

fn add(pages: &mut Vec<(String, String)>, command: Command) -> Result<(), Error> {
    // Hidden commands are not documented.
    for command in command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        add(pages, command.clone())?;
    }
    let page = Man::new(command);
    let name = page.get_filename();
    let mut bytes = Vec::new();
    page.render(&mut bytes)?;
    // The renderer leaves trailing spaces in lines of empty sections.
    let text = String::from_utf8(bytes)?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    pages.push((name, lines.join("\n") + "\n"));
    Ok(())
}
