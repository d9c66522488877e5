//! Texts about commands can be rewritten for operations: `hints.rs` of the engine finds the
//! commands between backquotes.

use crate::sources;

/// The crates whose errors all frontends show.
const SHOWN_BY_ALL: [&str; 6] = [
    "crates/pyro-archive/",
    "crates/pyro-chat/",
    "crates/pyro-engine/",
    "crates/pyro-environment/",
    "crates/pyro-machine/",
    "crates/pyro-store/",
];
const GROUPS: [&str; 7] = [
    "env ",
    "vm ",
    "workspace ",
    "run ",
    "doctor",
    "demo",
    "{noun} ",
];

#[test]
fn commands_are_between_backquotes() {
    let sources = sources::all();
    let ours = sources
        .iter()
        .filter(|source| SHOWN_BY_ALL.iter().any(|one| source.path.starts_with(one)));
    let mut looked_at = 0;
    for source in ours {
        let lines = source.text.lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("pyro ") {
                let after = &line[at + "pyro ".len()..];
                if !GROUPS.iter().any(|group| after.starts_with(group)) {
                    continue;
                }
                looked_at += 1;
                let before = &line[..at];
                // Examples in help texts are indented lines.
                let is_example = before.ends_with("  ")
                    || ["| ", "_KEY "].iter().any(|end| before.ends_with(end));
                // A command that `doctor` suggests remains a command in every frontend.
                let is_advice = before.ends_with("advise(\"");
                assert!(
                    before.ends_with('`') || is_example || is_advice,
                    "{}:{}: {line}",
                    source.path,
                    number + 1
                );
            }
        }
    }
    assert!(looked_at > 20, "the hints are somewhere else");
}
