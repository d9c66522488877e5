//! What a workspace does before anybody asks it for something.

use crate::context::TestContext;
use crate::lasting::Lasting;
use crate::templates::wait_until;

#[test]
fn a_rehearsal_leaves_nothing() {
    let context = TestContext::with("debian:12");
    let workspace = Lasting::workspace(&context, &[] as &[&str]);
    // Whether or not it has begun, it comes to an end.
    let look = "ls -A / /tmp /workspace; ls -A /tmp/.pyro 2>/dev/null; pgrep -f rehearsa[l]; true";
    let first = workspace.ask("ls -A / /workspace");
    assert!(!first.contains(".pyro"), "{first}");
    std::thread::sleep(std::time::Duration::from_secs(1));
    wait_until("it is over", || {
        let seen = workspace.ask(look);
        !seen.contains(".pyro") && !seen.lines().any(|line| line.parse::<u32>().is_ok())
    });
    assert_eq!(workspace.ask("ls -A / /workspace"), first);
    let commands: Vec<_> = workspace.logs();
    assert!(
        commands
            .iter()
            .all(|entry| entry["command"].as_str().unwrap().contains("ls -A")),
        "{commands:?}"
    );
}
