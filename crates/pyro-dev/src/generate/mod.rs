//! *Generating* files from the definitions in the code: the reference, and the methods of the
//! Python package.

mod command_line;
mod environments;
mod errors;
mod manual;
mod operations;
mod page;
mod python;
mod tools;
mod variables;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Error;
use page::COMMAND;

/// The directory of the reference, relative to the root of the source tree.
const DIRECTORY: &str = "docs/reference";
/// Returns every file: its path below the root of the source tree, and its contents.
///
/// # Errors
/// When the engine cannot list its environments.
pub fn pages() -> Result<BTreeMap<String, String>, Error> {
    let mut pages: BTreeMap<String, String> = BTreeMap::from([
        ("cli.md".into(), command_line::page()),
        ("environment-variables.md".into(), variables::page()),
        ("environments.md".into(), environments::page()?),
        ("errors.md".into(), errors::page()),
        ("mcp-tools.md".into(), tools::page()),
        ("operations.json".into(), operations::schemas()),
        ("operations.md".into(), operations::page()),
    ]);
    for (name, page) in manual::pages()? {
        pages.insert(format!("man/{name}"), page);
    }
    let below = |(name, page)| (format!("{DIRECTORY}/{name}"), page);
    let mut files: BTreeMap<_, _> = pages.into_iter().map(below).collect();
    files.extend(python::files());
    Ok(files)
}

/// Writes the generated files in the source tree at `root`, and returns the paths of those that
/// changed.
///
/// # Errors
/// When a page cannot be made or written.
pub fn write(root: &Path) -> Result<Vec<String>, Error> {
    let pages = pages()?;
    let changed = differences(root, &pages)?;
    for name in &changed {
        let path = root.join(name);
        match pages.get(name) {
            Some(page) => {
                fs::create_dir_all(path.parent().unwrap_or(root))?;
                fs::write(path, page)?;
            }
            None => fs::remove_file(path)?,
        }
    }
    Ok(changed)
}

/// Checks that the generated files in the source tree at `root` are up to date.
///
/// # Errors
/// When they are not; the error names the files that differ and the command that writes
/// them.
pub fn check(root: &Path) -> Result<(), Error> {
    let changed = differences(root, &pages()?)?;
    if changed.is_empty() {
        return Ok(());
    }
    let list = changed.join("\n  ");
    Err(format!("these differ from what the code defines:\n  {list}\nrun: {COMMAND}").into())
}

/// Returns the paths of the files that are missing, differ, or are obsolete.
fn differences(root: &Path, pages: &BTreeMap<String, String>) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = pages
        .iter()
        .filter(|(name, page)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(page))
        .map(|(name, _)| name.clone())
        .collect();
    let manual = root.join(DIRECTORY).join("man");
    if manual.is_dir() {
        for entry in fs::read_dir(manual)? {
            let name = format!("{DIRECTORY}/man/{}", entry?.file_name().to_string_lossy());
            if !pages.contains_key(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
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
