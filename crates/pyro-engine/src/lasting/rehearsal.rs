//! A *rehearsal* runs a command nobody asked for and unpacks an archive nobody needs, where nobody
//! looks. Under software emulation all code is translated when it runs for the first time, so that
//! a workspace's first push took four times as long as the second, and its first command too.

use std::io;
use std::time::Duration;

use pyro_archive::END_MEMBER;
use pyro_machine::{Command, Streams, SupervisedMachine};
use tar::{EntryType, Header};

use super::power::Power;

/// Whoever made the workspace for a command has it first.
const HEAD_START: Duration = Duration::from_millis(50);
/// Where it unpacks as if it were the root: on the same file system.
const ROOT: &str = "/tmp";
/// Below it, beside what is staged, so that one directory holds all there is to remove.
const DESTINATION: &str = "/.pyro/rehearsal";
const REMOVE: &str = "rm -r /tmp/.pyro";
const LIMIT: Duration = Duration::from_secs(30);

/// Rehearses, a step whenever nobody uses the machine. It is nobody's use itself, and no command
/// of the history. If it fails, what comes first is slow.
pub(super) async fn rehearse(machine: &SupervisedMachine, power: &Power) {
    let archive = match archive() {
        Ok(archive) => archive,
        Err(error) => return tracing::warn!(%error, "there is nothing to rehearse with"),
    };
    let unpack = Command {
        argv: ["/proc/1/exe", "unpack", DESTINATION]
            .map(str::to_owned)
            .into(),
        cwd: Some(ROOT.into()),
        timeout: Some(LIMIT),
        ..Command::default()
    };
    let remove = Command {
        argv: ["/bin/sh", "-c", REMOVE].map(str::to_owned).into(),
        timeout: Some(LIMIT),
        ..Command::default()
    };
    tokio::time::sleep(HEAD_START).await;
    for (step, mut input) in [(unpack, &archive[..]), (remove, &[][..])] {
        power.unused().await;
        let mut stderr = Vec::new();
        let streams = Streams {
            stdin: Some(&mut input),
            stdout: &mut tokio::io::sink(),
            stderr: &mut stderr,
        };
        let outcome = machine.run(&step, streams).await;
        let stderr = String::from_utf8_lossy(&stderr);
        tracing::debug!(?step, ?outcome, %stderr, "rehearsed");
    }
    // Every command is followed by one, which the next would have to wait for.
    power.unused().await;
    let flushed = machine.flush().await;
    tracing::debug!(?flushed, "rehearsed");
}

/// What a small push consists of.
fn archive() -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let members = [
        ("directory/", EntryType::Directory, ""),
        ("directory/file", EntryType::Regular, "of no use\n"),
        ("file", EntryType::Regular, "of no use\n"),
        (
            END_MEMBER,
            EntryType::Regular,
            r#"{"entries":3,"bytes":20}"#,
        ),
    ];
    for (path, kind, content) in members {
        archive.append_pax_extensions([("mtime", &b"1.5"[..])])?;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content.as_bytes())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_is_what_its_end_says() {
        let bytes = archive().unwrap();
        let (mut entries, mut size, mut end) = (0, 0, String::new());
        for member in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut member = member.unwrap();
            if &*member.path_bytes() == END_MEMBER.as_bytes() {
                member.read_to_string(&mut end).unwrap();
                continue;
            }
            entries += 1;
            size += member.size();
        }
        assert_eq!(end, format!(r#"{{"entries":{entries},"bytes":{size}}}"#));
    }
}
