//! The *tour* of `pyro demo`, for people.

use std::fmt::Write;
use std::time::Duration;

use pyro_engine::operations::demo::Demonstration;

/// A step, and how long it took.
pub(crate) fn step(what: &str, text: &str, duration: Duration) -> String {
    let took = if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    };
    format!("{what:<12} {text}  [{took}]\n")
}

/// The closing text.
pub(super) fn end(shown: &Demonstration) -> String {
    let mut text = String::new();
    if let Some(reason) = &shown.network_unreachable {
        line!(
            text,
            "outside      cannot be reached from a guest: {reason}"
        );
    }
    line!(
        text,
        "\nEach command ran in a virtual machine of its own, which is gone. What to try next:\n  \
         pyro run debian:12 -- uname -a\n  \
         pyro workspace create debian:12 --seed-path .\n  \
         pyro mcp config claude-code"
    );
    text
}
