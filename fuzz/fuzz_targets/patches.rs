//! Whatever is said to be a patch: it is read and applied, or refused, within its limits, and names
//! nothing outside.

#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use pyro_diff::{Merge, Mode, ParseOptions, Present, Side, append, apply, merge, parse};

const LIMIT: usize = 1 << 20;

// What comes before the first NUL is what is in every file but those that are to be new.
fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (content, patch) = input.split_at(end);
    let patch = patch.strip_prefix(b"\0").unwrap_or(patch);
    let options = ParseOptions {
        limit: LIMIT,
        strip: None,
    };
    let Ok(patch) = parse(patch, options) else {
        return;
    };
    let there = Side {
        mode: Mode::Regular,
        content: content.to_vec(),
    };
    let read = |path: &[u8]| {
        let is_there = path.len() % 2 == 1 && !path.contains(&b'/');
        Ok::<_, Infallible>(if is_there {
            Present::Side(there.clone())
        } else {
            Present::Nothing
        })
    };
    let Ok(applied) = apply(&patch, LIMIT, read) else {
        return;
    };
    // The patch of what was made makes the same.
    let mut again = Vec::new();
    for (path, side) in &applied.changes {
        let mut parts = path.split(|byte| *byte == b'/');
        assert!(!path.contains(&0) && parts.all(|part| !matches!(part, b"" | b"." | b"..")));
        let Ok(present) = read(path);
        let old = match &present {
            Present::Side(side) => Some(side),
            _ => None,
        };
        append(&mut again, path, old, side.as_ref());
        if let (Some(old), Some(new)) = (old, side) {
            let merged = merge(&old.content, &new.content, &old.content);
            assert_eq!(merged, Merge::Clean(new.content.clone()));
            merge(b"", &old.content, &new.content);
        }
    }
    if !again.is_empty() {
        let limit = 64 * LIMIT;
        let again = parse(&again, ParseOptions { limit, ..options }).expect("it was made here");
        let result = apply(&again, limit, read).expect("it was made for what is there");
        assert_eq!(result.changes, applied.changes);
    }
});
