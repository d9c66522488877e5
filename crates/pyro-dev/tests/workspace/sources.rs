//! The sources of the workspace, without their tests.

use std::fs;
use std::path::Path;

/// A source file: its path below the root, and its text up to its tests.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Returns all of them.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    collect(&root, &root.join("crates"), &mut sources);
    assert!(sources.len() > 50, "the sources are somewhere else");
    sources
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "tests" && name != "target" {
                collect(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && name != "tests.rs"
            && !name.ends_with("_tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            let of_tests = [
                "#[cfg(test)]\nmod tests",
                "#[cfg(test)]\npub(crate) mod tests",
            ];
            let end = of_tests.iter().filter_map(|begin| text.find(begin)).min();
            let end = end.unwrap_or(text.len());
            sources.push(Source {
                path: path.strip_prefix(root).unwrap().to_str().unwrap().into(),
                text: text[..end].into(),
            });
        }
    }
}
