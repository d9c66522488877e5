//! `doctor`

use std::fs;

use crate::context::TestContext;

const TITLES: &[&str] = &[
    "Platform",
    "Runtime",
    "KVM",
    "Environment cache",
    "Capabilities",
    "Networking",
    "Accelerator",
    "QEMU",
    "Environments",
    "Kernels",
    "Disk",
    "Disk",
];

#[test]
fn it_passes_where_guests_run() {
    let context = TestContext::with("debian:12");
    let finished = context.pyro(&["doctor"]).run().expect(0);
    let out = finished.out();
    let lines: Vec<&str> = out.lines().collect();
    let titles: Vec<&str> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(titles[..TITLES.len()], *TITLES, "{out}");
    assert_eq!(lines[0], "Platform: linux-x86_64");
    assert_eq!(lines[1], "Runtime: PASS");
    assert!(lines[2].starts_with("KVM: exists="), "{out}");
    assert_eq!(
        lines[3],
        format!("Environment cache: {}", context.cache().display())
    );
    let network = lines[4].strip_prefix("Capabilities: vm_boot=yes guest_exec=yes guest_network=");
    assert!(matches!(network, Some("yes" | "no")), "{out}");
    assert!(lines[8].contains("debian:12"), "{out}");
    assert!(!context.base().join("vms").exists(), "it started nothing");
}

#[test]
fn its_json_has_the_promised_keys() {
    let context = TestContext::with("debian:12");
    let report = context.pyro(&["doctor", "--json"]).run().expect(0).json();
    let has = |pointer: &str, keys: &[&str]| {
        let object = report.pointer(pointer).unwrap().as_object().unwrap();
        for key in keys {
            assert!(object.contains_key(*key), "{pointer}/{key} in {report:#}");
        }
    };
    has(
        "",
        &[
            "platform",
            "runtime_ok",
            "issues",
            "kvm",
            "networking",
            "runtime",
        ],
    );
    has(
        "",
        &[
            "accelerator",
            "qemu",
            "build_requirements",
            "kernels",
            "disk",
            "remedies",
        ],
    );
    has("/kvm", &["exists", "readable", "writable"]);
    let networking = [
        "enabled_by_default",
        "tun_available",
        "ip_binary",
        "nft_binary",
    ];
    has("/networking", &networking);
    has("/networking", &["iptables_binary", "ip_forward_enabled"]);
    let runtime = [
        "bundle_root",
        "manifest_path",
        "firecracker_bin",
        "jailer_bin",
    ];
    has("/runtime", &runtime);
    has(
        "/runtime",
        &[
            "guest_agent_path",
            "artifacts_dir",
            "artifacts_present",
            "notice_path",
        ],
    );
    has(
        "/runtime",
        &["bundle_version", "component_versions", "capabilities"],
    );
    has(
        "/runtime",
        &["catalog_version", "cache_dir", "environments"],
    );
    let capabilities = [
        "supports_vm_boot",
        "supports_guest_exec",
        "supports_guest_network",
    ];
    has("/runtime/capabilities", &capabilities);
    has("/runtime/capabilities", &["reason"]);
    assert_eq!(report["runtime_ok"], true);
    let environments = report["runtime"]["environments"].as_array().unwrap();
    // The user may have pulled images besides.
    let catalog = environments
        .iter()
        .filter(|one| one["oci_registry"].is_null());
    assert_eq!(catalog.count(), 7);
}

#[test]
fn it_fails_without_qemu_and_says_what_to_install() {
    let context = TestContext::with("debian:12");
    let nothing = context.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let finished = context
        .pyro(&["doctor"])
        .env("PATH", &nothing)
        .run()
        .expect(1);
    let out = finished.out();
    assert!(out.contains("Runtime: FAIL\n"), "{out}");
    assert!(out.contains("vm_boot=no guest_exec=no"), "{out}");
    assert!(out.contains("Issues:\n") && out.contains("qemu-system-x86_64 is not installed"));
    assert!(
        out.contains("sudo apt-get install qemu-system-x86"),
        "{out}"
    );
    let report = context
        .pyro(&["doctor", "--boot", "--json"])
        .env("PATH", &nothing)
        .run();
    assert_eq!(report.expect(1).json()["runtime_ok"], false);
}

#[test]
fn it_fails_where_nothing_can_be_written() {
    let context = TestContext::with("debian:12");
    let file = context.path("file");
    fs::write(&file, "").unwrap();
    let doctor = context
        .pyro(&["doctor"])
        .env("PYRO_BASE_DIR", file.join("below"));
    let out = doctor.run().expect(1).out();
    assert!(
        out.contains("Runtime: FAIL") && out.contains("cannot be written"),
        "{out}"
    );
}

#[test]
fn it_boots_when_asked() {
    let context = TestContext::with("debian:12");
    let report = context
        .pyro(&["doctor", "--boot", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(report["boot"]["ok"], true);
    let kernel = report["boot"]["kernel"].as_str().unwrap();
    assert!(kernel.ends_with("cloud-amd64"), "{kernel}");
    let out = context.pyro(&["doctor", "--boot"]).run().expect(0).out();
    assert!(out.contains(&format!(
        "Boot: debian:12 answered with kernel {kernel} after "
    )));

    let fake = context.fake(
        "qemu-system-x86_64",
        "case $1 in --version) echo 'QEMU emulator version 7.2.0';; *) exit 1;; esac",
    );
    let path = crate::context::path_with(&fake);
    let failed = context
        .pyro(&["doctor", "--boot"])
        .env("PATH", path)
        .run()
        .expect(1);
    assert!(
        failed.out().contains("Boot: debian:12 did not answer"),
        "{failed:?}"
    );
    assert!(failed.out().contains("Runtime: FAIL"), "{failed:?}");
}
