//! What a guest can take of the host's disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::context::TestContext;
use crate::lasting::Lasting;
use crate::templates::wait_until;

const MIB: u64 = 1024 * 1024;

/// What a file takes on the host.
fn allocated_mib(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512 / MIB
}

#[test]
fn what_a_guest_deletes_is_the_hosts_again() {
    let context = TestContext::with("debian:12");
    let workspace = Lasting::workspace(&context, &[] as &[&str]);
    let disk = workspace.directory().join("disk.ext4");
    workspace.ask("head -c 300M /dev/urandom > big; sync");
    let full = allocated_mib(&disk);
    assert!(full >= 300, "{full} MiB");
    workspace.ask("rm big");
    wait_until("it is smaller", || allocated_mib(&disk) < 50);
    assert_eq!(workspace.ask("ls"), "");
}
