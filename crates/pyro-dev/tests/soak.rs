//! The soak test detects each kind of failure, in a program that has all of them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use pyro_dev::soak::Soak;

/// A program that imitates `pyro run NAME -q -- sh -c SCRIPT`; some runs fail.
const PROGRAM: &str = r#"#!/bin/sh
case "$7" in
  "echo 2") exit 7;;
  "echo 3") exec sleep 60;;
  "echo 4") mkdir -p "$PYRO_BASE_DIR/vms/left";;
  "echo 5") echo wrong; exit 0;;
  "echo 7") rm "${0%/*}/one/template.json";;
esac
exec sh -c "$7"
"#;

fn soak(count: u32, templates: &Path) -> Soak<'_> {
    Soak {
        count,
        parallel: 2,
        busy: 1,
        environment: "any",
        limit: Duration::from_secs(5),
        templates,
    }
}

#[test]
fn hangs_failures_and_leftovers_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("pyro");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();

    let report = soak(1, directory.path()).run(&program, |_| {}).unwrap();
    assert!(report.good, "{}", report.text);

    let template = directory.path().join("one");
    fs::create_dir(&template).unwrap();
    fs::write(template.join("template.json"), "").unwrap();
    let report = soak(7, directory.path()).run(&program, |_| {}).unwrap();
    let text = report.text;
    assert!(!report.good, "{text}");
    assert!(
        text.contains("\n1 hangs, 2 failures, 1 leftovers, 1 templates lost\n"),
        "{text}"
    );
    assert!(text.contains("run 2: exit status: 7"), "{text}");
    assert!(text.contains("run 3: did not end within 5 s"), "{text}");
    assert!(
        text.contains(r#"run 5: exit status: 0, printed "wrong\n""#),
        "{text}"
    );
    // Leftovers are kept for inspection.
    let left = text
        .lines()
        .find(|line| line.ends_with("/vms/left"))
        .unwrap();
    let left = Path::new(left.trim());
    assert!(left.is_dir());
    fs::remove_dir_all(left.ancestors().nth(2).unwrap()).unwrap();
}
