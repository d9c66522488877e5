//! *Generating* the reference: pages that repeat what the code defines, so that nobody has to
//! write it twice and nobody can forget to.

mod command_line;
mod environments;
mod manual;
mod operations;
mod tools;
mod variables;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Error;

/// Where the reference is, below the root of the source tree.
const DIRECTORY: &str = "docs/reference";
const COMMAND: &str = "cargo run -p pyro-dev -- generate";

/// Returns every page: its path below `docs/reference`, and its contents.
///
/// # Errors
/// When the engine cannot list its environments.
pub fn pages() -> Result<BTreeMap<String, String>, Error> {
    let mut pages = BTreeMap::from([
        ("cli.md".into(), command_line::page()),
        ("environment-variables.md".into(), variables::page()),
        ("environments.md".into(), environments::page()?),
        ("mcp-tools.md".into(), tools::page()),
        ("operations.json".into(), operations::schemas()),
        ("operations.md".into(), operations::page()),
    ]);
    for (name, page) in manual::pages()? {
        pages.insert(format!("man/{name}"), page);
    }
    Ok(pages)
}

/// Writes the reference of the source tree at `root` and returns the paths of what changed.
///
/// # Errors
/// When a page cannot be made or written.
pub fn write(root: &Path) -> Result<Vec<String>, Error> {
    let pages = pages()?;
    let directory = root.join(DIRECTORY);
    let changed = differences(&directory, &pages)?;
    for name in &changed {
        let path = directory.join(name);
        match pages.get(name) {
            Some(page) => {
                fs::create_dir_all(path.parent().unwrap_or(&directory))?;
                fs::write(path, page)?;
            }
            None => fs::remove_file(path)?,
        }
    }
    Ok(changed
        .iter()
        .map(|name| format!("{DIRECTORY}/{name}"))
        .collect())
}

/// Checks that the reference of the source tree at `root` is what the code says.
///
/// # Errors
/// When it is not: the error names the files that differ and the command that writes them.
pub fn check(root: &Path) -> Result<(), Error> {
    let changed = differences(&root.join(DIRECTORY), &pages()?)?;
    if changed.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = changed
        .iter()
        .map(|name| format!("  {DIRECTORY}/{name}"))
        .collect();
    let list = list.join("\n");
    Err(format!("these differ from what the code defines:\n{list}\nrun: {COMMAND}").into())
}

/// Returns the names of the pages that are missing, differ, or describe something that is gone.
fn differences(directory: &Path, pages: &BTreeMap<String, String>) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = pages
        .iter()
        .filter(|(name, page)| fs::read_to_string(directory.join(name)).ok().as_ref() != Some(page))
        .map(|(name, _)| name.clone())
        .collect();
    let manual = directory.join("man");
    if manual.is_dir() {
        for entry in fs::read_dir(manual)? {
            let name = format!("man/{}", entry?.file_name().to_string_lossy());
            if !pages.contains_key(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The first lines of a page.
fn header(title: &str, source: &str) -> String {
    format!("<!-- Written by `{COMMAND}` from {source}; edit that instead. -->\n# {title}\n")
}

/// Makes text fit into one cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found_named_and_repaired() {
        let root = std::env::temp_dir().join(format!("pyro-dev-{}", std::process::id()));
        let directory = root.join(DIRECTORY);
        write(&root).unwrap();
        check(&root).unwrap();

        fs::write(directory.join("cli.md"), "old").unwrap();
        fs::write(directory.join("man/pyro-gone.1"), "old").unwrap();
        let error = check(&root).unwrap_err().to_string();
        assert!(error.contains("docs/reference/cli.md"), "{error}");
        assert!(error.contains("docs/reference/man/pyro-gone.1"), "{error}");
        assert!(error.ends_with(COMMAND), "{error}");

        assert_eq!(write(&root).unwrap().len(), 2);
        check(&root).unwrap();
        fs::remove_dir_all(root).unwrap();
    }
}
