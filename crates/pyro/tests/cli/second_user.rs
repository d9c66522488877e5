//! Another user of the host cannot read pyro's files; command lines and environments of its
//! processes contain neither paths nor secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::context::{TestContext, debian};
use crate::leftovers;
use crate::skip;

const STRANGER: u32 = 7002;

#[test]
fn nothing_can_be_reached_by_another_user_or_skip() {
    if !rustix::process::geteuid().is_root() {
        skip!(
            "nothing_can_be_reached_by_another_user",
            "only root can be somebody else"
        );
    }
    let context = TestContext::with(debian());
    // All parent directories are accessible; pyro's own directories are not.
    fs::set_permissions(context.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let create = ["workspace", "create", debian(), "--json"];
    let created = context
        .pyro(&create)
        .env("PYRO_MCP_TOKEN", "a-token-of-sixteen")
        .run();
    let created = created.expect(0).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    let parking = context
        .debian(&["--", "true"])
        .env("PYRO_PARKED_SECONDS", "30");
    parking.run().expect(0);

    let script = "cd /; for path; do \
                    test -r \"$path\" && echo \"reads $path\"; \
                    test -w \"$path\" && echo \"writes $path\"; \
                    (cat \"$path\" || ls \"$path\") >/dev/null 2>&1 && echo \"opens $path\"; \
                  done; true";
    let paths = below(&context.base());
    assert!(paths.len() > 10, "{paths:?}");
    let looked = Command::new("setpriv")
        .args([
            "--reuid",
            &STRANGER.to_string(),
            "--regid",
            &STRANGER.to_string(),
        ])
        .args(["--clear-groups", "sh", "-c", script, "sh"])
        .arg(context.base())
        .args(&paths)
        .output()
        .unwrap();
    assert!(looked.status.success(), "{looked:?}");
    assert_eq!(String::from_utf8_lossy(&looked.stdout), "");

    for (pid, arguments) in leftovers::scan(context.directory()) {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let variables = String::from_utf8_lossy(&variables).into_owned();
        assert!(
            !variables.contains("a-token-of-sixteen"),
            "{arguments}: {variables}"
        );
        // QEMU's command line is the description of a machine, which is paths.
        if arguments.contains("supervise") || arguments.contains("keep-parked") {
            let program = crate::context::PYRO;
            let rest = arguments.replace(program, "");
            assert!(!rest.contains('/') && rest.len() < 60, "{arguments}");
        }
    }
    context.pyro(&["workspace", "delete", &id]).run().expect(0);
    crate::hostile_directory::end_parked(&context);
}

fn below(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            paths.extend(below(&path));
        }
        paths.push(path);
    }
    paths
}
