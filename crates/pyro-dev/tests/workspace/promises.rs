//! Tests that are named in documents exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The meaning of these prefixes in the documents; other prefixes are crates.
const PLACES: &[(&str, &str)] = &[("cli", "crates/pyro/tests/cli"), ("python", "tests/python")];

#[test]
fn tests_that_are_named_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = BTreeMap::new();
    let mut named = 0;
    for document in ["SECURITY.md", "SPECIFICATION.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        // Every other part of a text is between backticks.
        for (place, test) in text.split('`').skip(1).step_by(2).filter_map(test) {
            named += 1;
            let known = PLACES.iter().find(|(name, _)| *name == place);
            let directory = match known {
                Some((_, path)) => root.join(path),
                None => root.join("crates").join(place),
            };
            let source = sources
                .entry(place.to_owned())
                .or_insert_with(|| text_of_all(&directory));
            assert!(
                source.contains(&format!("fn {test}(")) || source.contains(&format!("def {test}(")),
                "{document} names {test}, which {place} does not have"
            );
        }
    }
    assert!(named > 20, "the documents are written in another way");
}

/// The crate and the function of `crate::function`.
fn test(code: &str) -> Option<(&str, &str)> {
    let (place, name) = code.split_once("::")?;
    name.contains('_').then_some((place, name))
}

fn text_of_all(directory: &Path) -> String {
    let mut text = String::new();
    // If the directory does not exist, neither does the test, which the caller reports.
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &text_of_all(&path);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "py")
        {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}
