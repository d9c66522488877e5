//! The public contract of the output: streams, formats and exit statuses.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::context::{TestContext, debian};

/// The names of the catalog.
const CATALOG: &[&str] = &[
    "debian:12",
    "debian:12-base",
    "debian:12-build",
    "debian:13",
    "debian:13-agent",
    "debian:13-base",
    "debian:13-build",
];

const ENVIRONMENT: &[&str] = &[
    "cache_dir",
    "catalog_version",
    "compatibility",
    "default_packages",
    "description",
    "distribution",
    "distribution_version",
    "install_dir",
    "installed",
    "name",
    "oci_reference",
    "oci_registry",
    "oci_repository",
    "platform",
    "source_digest",
    "version",
];
const RESULT: &[&str] = &[
    "cleanup",
    "command",
    "duration_ms",
    "environment",
    "environment_version",
    "execution_mode",
    "exit_code",
    "stderr",
    "stdout",
    "vm_id",
];

#[track_caller]
fn assert_keys(value: &Value, expected: &[&[&str]]) {
    let found: BTreeSet<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected: BTreeSet<&str> = expected.iter().copied().flatten().copied().collect();
    assert_eq!(found, expected);
}

/// The form is Python's `json.dumps(value, indent=2, sort_keys=True)` and a newline.
#[track_caller]
fn assert_form(text: &str) {
    assert!(
        text.is_ascii() && text.ends_with('\n') && !text.ends_with("\n\n"),
        "{text:?}"
    );
    let value: Value = serde_json::from_str(text).unwrap();
    let printed = format!("{value:#}\n");
    let mut escaped = String::new();
    for character in printed.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").unwrap();
            }
        }
    }
    assert_eq!(text, escaped);
    let top: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  \""))
        .collect();
    let mut sorted = top.clone();
    sorted.sort_unstable();
    assert_eq!(top, sorted);
}

#[test]
fn the_version_is_one_line() {
    let context = TestContext::new();
    context
        .pyro(&["--version"])
        .run()
        .expect(0)
        .out_is("pyro 2.4.0\n");
}

#[test]
fn wrong_usage_exits_with_2_and_says_why_on_standard_error() {
    let context = TestContext::new();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: pyro"),
        (&["env"], "Usage: pyro env"),
        (&["frobnicate"], "frobnicate"),
        (
            &["run", debian(), "--frobnicate", "--", "true"],
            "--frobnicate",
        ),
        (
            &["run", debian(), "--mem-mib", "lots", "--", "true"],
            "lots",
        ),
        (
            &["run", "--timeout-seconds", "1.5", debian(), "--", "true"],
            "1.5",
        ),
        (&["env", "list", "--frobnicate"], "--frobnicate"),
        (&["env", "pull"], "ENVIRONMENT"),
        (&["--accel", "warp", "doctor"], "warp"),
    ];
    for (arguments, text) in cases {
        let finished = context
            .pyro(arguments)
            .run()
            .expect(2)
            .err_has(text)
            .out_is("");
        let err = finished.err();
        assert!(
            err.contains("Usage:") || err.contains("try '--help'"),
            "{finished:?}"
        );
    }
}

#[test]
fn help_is_on_standard_output_and_has_examples() {
    let context = TestContext::new();
    for command in [
        "",
        "run",
        "doctor",
        "env list",
        "env pull",
        "env inspect",
        "env prune",
        "demo",
        "demo ollama",
    ] {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = context.pyro(&words).run().expect(0).out();
        assert!(
            help.contains("Examples:") && help.contains("  pyro "),
            "{command}: {help}"
        );
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    let context = TestContext::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = context.pyro(&["completions", shell]).run().expect(0).out();
        assert!(script.contains("timeout-seconds"), "{shell}");
    }
    let page = context.pyro(&["manual"]).run().expect(0).out();
    assert!(
        page.starts_with(".ie") || page.contains(".TH pyro"),
        "{page}"
    );
}

#[test]
fn environments_have_the_promised_keys() {
    let context = TestContext::with(debian());
    let list = context.pyro(&["env", "list", "--js"]).run().expect(0);
    assert_form(&list.out());
    let list = list.json();
    assert_keys(&list, &[&["catalog_version", "environments"]]);
    let names: Vec<&str> = list["environments"]
        .as_array()
        .unwrap()
        .iter()
        // The user may have pulled images besides.
        .filter(|entry| entry["oci_registry"].is_null())
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, CATALOG);
    let listed = list["environments"].as_array().unwrap();
    let listed = listed.iter().find(|entry| entry["name"] == debian());
    let listed = listed.unwrap();
    assert_keys(listed, &[ENVIRONMENT, &["install_manifest", "size_bytes"]]);

    let inspected = context
        .pyro(&["env", "inspect", "--json", debian()])
        .run()
        .expect(0);
    assert_form(&inspected.out());
    assert_eq!(inspected.json(), *listed);

    let pulled = context
        .pyro(&["env", "pull", debian(), "--json"])
        .run()
        .expect(0);
    assert_form(&pulled.out());
    assert_eq!(pulled.err(), "");
    let more = &[
        "install_manifest",
        "kernel_image",
        "rootfs_image",
        "size_bytes",
        "source",
    ];
    assert_keys(&pulled.json(), &[ENVIRONMENT, more]);
    for key in ["kernel_image", "rootfs_image", "install_manifest"] {
        let path = pulled.json()[key].as_str().unwrap().to_owned();
        assert!(std::path::Path::new(&path).is_file(), "{key}: {path}");
    }

    let empty = TestContext::new().with_own_cache();
    let entry = empty
        .pyro(&["env", "inspect", debian(), "--json"])
        .run()
        .expect(0)
        .json();
    assert_keys(&entry, &[ENVIRONMENT]);
    assert_eq!(entry["installed"], false);
    let pruned = empty.pyro(&["env", "prune", "--json"]).run().expect(0);
    assert_form(&pruned.out());
    assert_keys(
        &pruned.json(),
        &[&["count", "deleted_environment_dirs", "freed_bytes"]],
    );
}

#[test]
fn environments_are_listed_for_people() {
    let context = TestContext::with(debian());
    let list = context.pyro(&["env", "list"]).run().expect(0).out();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "Catalog version: 2.4.0");
    for (name, line) in CATALOG.iter().zip(&lines[1..]) {
        let state = if *name == debian() { "installed]" } else { "" };
        assert!(line.starts_with(&format!("{name} [{state}")), "{list}");
        let release = name["debian:".len()..].split('-').next().unwrap();
        assert!(
            line.contains(&format!("] Debian {release} with ")),
            "{list}"
        );
    }
    let images = lines.iter().filter(|line| line.contains("] The image "));
    assert_eq!(lines.len() - images.count(), 1 + CATALOG.len(), "{list}");

    let titles = |arguments: &[&str]| -> Vec<String> {
        let text = context.pyro(arguments).run().expect(0).out();
        text.lines()
            .map(|line| line.split_once(": ").unwrap().0.to_owned())
            .collect()
    };
    let begin = [
        "Version",
        "Distribution",
        "Installed",
        "Cache dir",
        "Default packages",
    ];
    let installed = ["Description", "Size", "Install dir", "Install manifest"];
    let images = ["Kernel image", "Rootfs image"];
    let inspected = [&["Environment"][..], &begin, &installed, &["OCI source"]].concat();
    assert_eq!(titles(&["env", "inspect", debian()]), inspected);
    let pulled = [
        &["Pulled"][..],
        &begin,
        &installed,
        &images,
        &["OCI source"],
    ]
    .concat();
    assert_eq!(titles(&["env", "pull", debian()]), pulled);
}

#[test]
fn a_run_as_json_is_the_result_and_nothing_else() {
    let context = TestContext::with(debian());
    let run = context.debian(&[
        "--json",
        "--",
        "sh",
        "-c",
        "echo gr\u{fc}n; echo no >&2; exit 3",
    ]);
    let finished = run.run().expect(3);
    assert_form(&finished.out());
    assert_eq!(finished.err(), "");
    let result = finished.json();
    assert_keys(&result, &[RESULT]);
    assert_keys(&result["cleanup"], &[&["deleted", "reason", "vm_id"]]);
    assert_eq!(result["stdout"], "gr\u{fc}n\n");
    assert_eq!(result["stderr"], "no\n");
    assert_eq!(result["exit_code"], 3);
    assert_eq!(result["execution_mode"], "guest_vsock");
    assert_eq!(result["environment_version"], "1.0.0");
    assert_eq!(result["cleanup"]["vm_id"], result["vm_id"]);
    assert_eq!(result["cleanup"]["reason"], "post_exec_cleanup");
    assert_eq!(result["cleanup"]["deleted"], true);
    let id = result["vm_id"].as_str().unwrap();
    assert!(
        id.len() == 12 && id.chars().all(|digit| digit.is_ascii_hexdigit()),
        "{id}"
    );
}

#[test]
fn a_run_for_people_has_phases_and_a_footer_on_standard_error() {
    let context = TestContext::with(debian());
    let finished = context
        .shell("printf out; printf err >&2")
        .run()
        .expect(0)
        .out_is("out");
    let text = finished.err();
    let lines: Vec<&str> = text.lines().collect();
    let id = lines[1]
        .strip_prefix("[run] phase=start vm_id=")
        .expect(&text);
    assert_eq!(
        lines[0],
        format!("[run] phase=create environment={}", debian())
    );
    assert_eq!(lines[2], format!("[run] phase=execute vm_id={id}"));
    assert_eq!(
        lines[3], "err",
        "the footer begins on a line of its own: {text}"
    );
    let footer = format!(
        "[run] environment={} execution_mode=guest_vsock exit_code=0 duration_ms=",
        debian()
    );
    let milliseconds = lines[4].strip_prefix(&footer).expect(&text);
    assert!(milliseconds.parse::<u64>().is_ok(), "{text}");
    assert_eq!(lines.len(), 5, "{text}");

    let quiet = context.debian(&["--quiet", "--", "sh", "-c", "echo out; echo err >&2"]);
    let finished = quiet.run().expect(0).out_is("out\n");
    assert_eq!(finished.err(), "err\n");
}
