//! Files are sent as a tar stream.

use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pyro_protocol::{Answer, Call, FilePath, GuestMessage, RefusalReason};
use tar::EntryType;

use super::Host;

/// A member, as a reader that knows nothing of pyro sees it.
#[derive(Debug, Eq, PartialEq)]
struct Member {
    kind: EntryType,
    path: Vec<u8>,
    target: Vec<u8>,
    mode: u32,
    content: Vec<u8>,
}

impl Host {
    fn pack(&mut self, path: &str) -> (Vec<u8>, GuestMessage) {
        let file = FilePath {
            root: "/workspace".to_owned(),
            path: path.to_owned(),
        };
        self.call(Call::Pack { file }, b"")
    }

    fn packed(&mut self, path: &str) -> (Vec<Member>, Answer) {
        match self.pack(path) {
            (stream, GuestMessage::Answered { answer }) => (members(&stream), answer),
            (_, other) => panic!("not answered: {other:?}"),
        }
    }
}

fn members(stream: &[u8]) -> Vec<Member> {
    assert!(stream.ends_with(&[0; 1024]), "it has an end");
    let mut archive = tar::Archive::new(stream);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            Member {
                kind: entry.header().entry_type(),
                path: entry.path_bytes().into_owned(),
                target: entry.link_name_bytes().unwrap_or_default().into_owned(),
                mode: entry.header().mode().unwrap(),
                content,
            }
        })
        .collect()
}

fn counts(entries: u64, bytes: u64, left_out: u64) -> Answer {
    Answer::Packed {
        entries,
        bytes,
        left_out,
        changed: 0,
    }
}

#[test]
fn names_targets_and_modes_are_sent_byte_for_byte() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace/tree");
    fs::create_dir_all(&root).unwrap();
    let names = [&b"a"[..], b"\xff \n", &[b'n'; 255], &[0xe2; 120]];
    for name in names {
        fs::write(root.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    // What a reader could take for the same is not made the same.
    let targets = [
        &b"./a//b/"[..],
        b"/",
        &[&b"./"[..], &b"x/".repeat(200)].concat(),
    ];
    for (number, target) in targets.iter().enumerate() {
        let target = std::ffi::OsStr::from_bytes(target);
        symlink(target, root.join(format!("link{number}"))).unwrap();
    }
    let mode = fs::Permissions::from_mode(0o4711);
    fs::set_permissions(root.join("a"), mode).unwrap();
    let (members, answer) = host.packed("tree");
    assert_eq!(answer, counts(8, 1 + 3 + 255 + 120, 0));
    assert_eq!(
        (members[0].kind, &members[0].path[..]),
        (EntryType::Directory, &b"packed"[..])
    );
    for name in names {
        let path = [b"packed/", name].concat();
        let member = members.iter().find(|member| member.path == path).unwrap();
        assert_eq!(member.content, name);
    }
    let found: Vec<_> = members
        .iter()
        .filter(|member| !member.target.is_empty())
        .collect();
    let mut found: Vec<_> = found.iter().map(|member| &member.target[..]).collect();
    found.sort_by_key(|target| targets.iter().position(|one| one == target));
    assert_eq!(found, targets);
    let a = members
        .iter()
        .find(|member| member.path == b"packed/a")
        .unwrap();
    assert_eq!(a.mode, 0o4711);
}

#[test]
fn a_directory_is_followed_by_what_is_in_it() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace");
    for directory in ["t/a/b/c", "t/d/e", "t/f"] {
        fs::create_dir_all(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("file"), "x").unwrap();
    }
    let (members, answer) = host.packed("t");
    assert_eq!(answer, counts(10, 3, 0));
    let paths: Vec<&Path> = members
        .iter()
        .map(|member| Path::new(std::ffi::OsStr::from_bytes(&member.path)))
        .collect();
    for (at, path) in paths.iter().enumerate() {
        let below = paths.iter().filter(|other| other.starts_with(path)).count();
        assert!(
            paths[at..at + below]
                .iter()
                .all(|other| other.starts_with(path)),
            "{paths:?}"
        );
    }
}

#[test]
fn what_has_two_names_is_sent_once_and_what_is_no_file_not_at_all() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace/t");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("one"), "content").unwrap();
    fs::hard_link(root.join("one"), root.join("two")).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), pipe, mode, 0).unwrap();
    let (members, answer) = host.packed("t");
    assert_eq!(answer, counts(3, 7, 1));
    assert_eq!(members[1].content, b"content");
    assert_eq!(members[2].kind, EntryType::Link);
    assert_eq!(members[2].target, members[1].path);
    // Alone it cannot be sent.
    let (stream, answer) = host.pack("t/pipe");
    assert!(matches!(answer, GuestMessage::Refused(_)), "{answer:?}");
    assert!(stream.is_empty());
}

#[test]
fn one_file_or_link_is_sent_under_the_same_name_and_none_is_followed() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("file"), "text").unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 500_000_000);
    let file = fs::File::open(root.join("file")).unwrap();
    file.set_modified(time).unwrap();
    symlink("/etc", root.join("etc")).unwrap();
    symlink("file", root.join("link")).unwrap();
    let (members, answer) = host.packed("file");
    assert_eq!(answer, counts(1, 4, 0));
    assert_eq!(
        (&members[0].path[..], &members[0].content[..]),
        (&b"packed"[..], &b"text"[..])
    );
    let (stream, _) = host.pack("file");
    assert!(
        stream
            .windows(30)
            .any(|bytes| bytes == b"30 mtime=1000000000.500000000\n")
    );
    let (members, answer) = host.packed("link");
    assert_eq!(answer, counts(1, 0, 0));
    assert_eq!(
        (members[0].kind, &members[0].target[..]),
        (EntryType::Symlink, &b"file"[..])
    );
    for (path, reason) in [
        ("etc/passwd", RefusalReason::BadPath),
        ("nothing", RefusalReason::NoSuchFile),
    ] {
        let (stream, answer) = host.pack(path);
        let GuestMessage::Refused(refusal) = answer else {
            panic!("not refused: {answer:?}");
        };
        assert_eq!(refusal.reason, reason, "{path}");
        assert!(stream.is_empty());
    }
}
