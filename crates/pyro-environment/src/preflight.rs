//! The *preflight* of a build: everything that can be known to fail is checked before anything is
//! started.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;
use crate::catalog::PLATFORM;
use crate::confined;
use crate::layout::Layout;
use crate::requirement::IDS;
use crate::tools::Tools;

/// Settings that forbid namespaces to ordinary users: the file, the value that forbids, and the
/// setting that allows.
const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "user.max_user_namespaces=15000",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// Checks whether a build that needs so many bytes can be started, and returns its tools.
pub(crate) fn check(layout: &Layout, needed: u64) -> Result<Tools, Error> {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        return Err(Error::PlatformUnsupported { platform });
    }
    debug_assert_eq!(PLATFORM, "linux-x86_64");
    let tools = Tools::find()?;
    check_user()?;
    check_namespaces(&tools)?;
    check_space(layout, needed)?;
    Ok(tools)
}

/// Checks that this user could build an environment, as far as that is a matter of the user.
///
/// # Errors
/// When the user lacks a range of subordinate ids. Root needs none.
pub fn check_user() -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    check_subordinate_ids()
}

fn check_subordinate_ids() -> Result<(), Error> {
    // Where ids come from a directory service, only that service knows.
    let switch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    if switch
        .lines()
        .any(|line| line.trim_start().starts_with("subid:"))
    {
        return Ok(());
    }
    let uid = rustix::process::getuid().as_raw().to_string();
    let name = Command::new("id")
        .arg("-un")
        .stderr(Stdio::null())
        .output()
        .ok();
    let name = name.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let name = name
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| uid.clone());
    for file in ["/etc/subuid", "/etc/subgid"] {
        let ranges = fs::read_to_string(file).unwrap_or_default();
        if !has_range(&ranges, &name, &uid) {
            return Err(Error::SubordinateIdsMissing {
                user: name,
                file,
                free: first_free(),
            });
        }
    }
    Ok(())
}

/// The first id of a range that nobody has, in either file. The tools of Debian begin at 100000.
fn first_free() -> u64 {
    const FIRST: u64 = 100_000;
    let files =
        ["/etc/subuid", "/etc/subgid"].map(|file| fs::read_to_string(file).unwrap_or_default());
    files
        .iter()
        .map(|ranges| end_of(ranges))
        .fold(FIRST, u64::max)
}

/// The first id after all ranges in a file.
fn end_of(ranges: &str) -> u64 {
    let ends = ranges.lines().filter_map(|line| {
        let mut numbers = line
            .trim()
            .split(':')
            .skip(1)
            .map(|number| number.parse::<u64>().ok());
        numbers.next()??.checked_add(numbers.next()??)
    });
    ends.max().unwrap_or_default()
}

/// Whether a file of lines `name-or-uid:first:count` has a range that is large enough.
fn has_range(ranges: &str, name: &str, uid: &str) -> bool {
    ranges.lines().any(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next().unwrap_or_default();
        let first = fields.next().and_then(|first| first.parse::<u64>().ok());
        let count = fields.next().and_then(|count| count.parse::<u64>().ok());
        (owner == name || owner == uid) && first.is_some() && count.is_some_and(|n| n >= IDS)
    })
}

fn check_namespaces(tools: &Tools) -> Result<(), Error> {
    let user_namespace = confined::user_namespace();
    if !user_namespace.is_empty() {
        // First without a map of ids: where the kernel refuses, `unshare` of util-linux 2.38
        // leaves the child that would write the map waiting for ever.
        try_namespaces(tools, &user_namespace[..1])?;
    }
    try_namespaces(tools, user_namespace)
}

fn try_namespaces(tools: &Tools, user_namespace: &[&str]) -> Result<(), Error> {
    let output = Command::new(tools.path("unshare"))
        .args(user_namespace)
        .args(confined::NAMESPACES)
        .args(["--", "/bin/sh", "-c", ":"])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Spawn {
            program: "unshare".into(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said
        .lines()
        .next()
        .unwrap_or("unshare said nothing")
        .to_owned();
    let setting = SETTINGS
        .iter()
        .filter(|_| !user_namespace.is_empty())
        .find(|(file, forbids, _)| fs::read_to_string(file).is_ok_and(|v| v.trim() == *forbids));
    Err(match setting {
        Some((file, forbids, allows)) => Error::NamespacesUnavailable {
            reason: format!("{file} is {forbids} ({said})"),
            sysctl: Some(allows),
        },
        None => Error::NamespacesUnavailable {
            reason: said,
            sysctl: None,
        },
    })
}

fn check_space(layout: &Layout, needed: u64) -> Result<(), Error> {
    let path = layout.platform();
    let available = available(&path)?;
    if available < needed {
        Err(Error::NoSpace {
            path,
            needed,
            available,
        })
    } else {
        Ok(())
    }
}

/// Returns the bytes this user may still write to the file system of the directory.
pub(crate) fn available(directory: &Path) -> Result<u64, Error> {
    let space = rustix::fs::statvfs(directory)
        .map_err(|errno| Error::cache("examine", directory)(errno.into()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_range_is_offered_that_somebody_has() {
        assert_eq!(
            end_of("ada:100000:65536\nbob:231072:65536\nx\n:a:b\n"),
            296_608
        );
        assert_eq!(end_of(""), 0);
    }

    #[test]
    fn a_range_is_found_by_name_or_uid_if_it_is_large_enough() {
        let ranges =
            "root:1:65536\ntester:100000:65536\n1001:200000:65536\nsmall:1:1000\nbad:x:y\n";
        assert!(has_range(ranges, "tester", "1000"));
        assert!(has_range(ranges, "somebody", "1001"));
        assert!(!has_range(ranges, "small", "1002"));
        assert!(!has_range(ranges, "bad", "1003"));
        assert!(!has_range(ranges, "test", "100000"));
        assert!(!has_range("", "tester", "1000"));
    }

    #[test]
    fn a_full_disk_is_noticed_before_the_build() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        fs::create_dir(layout.platform()).unwrap();
        check_space(&layout, 1).unwrap();
        let error = check_space(&layout, u64::MAX).unwrap_err();
        assert_eq!(error.code(), "no_space");
    }
}
