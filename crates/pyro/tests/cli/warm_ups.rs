//! The warm-up of a workspace before its first command.

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::templates::wait_until;

#[test]
fn a_warm_up_leaves_nothing() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    // It ends, whether or not it has begun.
    let first = workspace.ask("ls -A / /tmp /workspace");
    std::thread::sleep(std::time::Duration::from_secs(1));
    wait_until("it is over", || {
        workspace
            .ask("ls -A /.pyro; pgrep -f warm_u[p]; true")
            .is_empty()
    });
    assert_eq!(workspace.ask("ls -A / /tmp /workspace"), first);
    let commands: Vec<_> = workspace.logs();
    assert!(
        commands
            .iter()
            .all(|entry| entry["command"].as_str().unwrap().contains("ls -A /")),
        "{commands:?}"
    );
}
