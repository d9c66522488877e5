//! Files are sent as a tar stream.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pyro_protocol::{Answer, Call, FilePath, FrameKind, GuestMessage, RefusalReason};
use tar::EntryType;

use super::{Host, WINDOW};

/// A member, as a reader that knows nothing of pyro sees it.
#[derive(Debug, Eq, PartialEq)]
struct Member {
    kind: EntryType,
    path: Vec<u8>,
    target: Vec<u8>,
    mode: u32,
    content: Vec<u8>,
}

fn pack(path: &str) -> Call {
    let file = FilePath {
        root: "/workspace".to_owned(),
        path: path.to_owned(),
    };
    Call::Pack { file }
}

impl Host {
    fn pack(&mut self, path: &str) -> (Vec<u8>, GuestMessage) {
        self.call(pack(path), b"")
    }

    /// The same, with a change when the first bytes have come. More than a window does not come
    /// before somebody reads them.
    fn pack_while(&mut self, path: &str, change: impl FnOnce()) -> (Vec<u8>, GuestMessage) {
        let stream = self.begin_call(pack(path), b"");
        let first = loop {
            let frame = self.next(stream);
            if frame.kind == FrameKind::Stdout {
                break frame;
            }
        };
        change();
        self.waiting.push_front(first);
        self.end_call(stream)
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
    let before = |duration| SystemTime::UNIX_EPOCH - duration;
    for (time, attribute) in [
        (time, "30 mtime=1000000000.500000000\n"),
        (
            before(Duration::from_millis(250)),
            "22 mtime=-0.250000000\n",
        ),
        (
            before(Duration::from_millis(2500)),
            "22 mtime=-2.500000000\n",
        ),
        (before(Duration::from_secs(3)), "22 mtime=-3.000000000\n"),
        // One second more than a header can have.
        (
            SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33),
            "30 mtime=8589934592.000000000\n",
        ),
    ] {
        file.set_modified(time).unwrap();
        let (stream, _) = host.pack("file");
        let mut found = stream.windows(attribute.len());
        assert!(
            found.any(|bytes| bytes == attribute.as_bytes()),
            "{attribute}"
        );
    }
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

#[test]
fn a_file_that_changes_while_it_is_read_keeps_the_size_it_had_and_is_counted() {
    let mut host = Host::adopted();
    let path = host.root.path().join("workspace/t/large");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let size = 8 * WINDOW.max(1 << 20);
    let sent = Answer::Packed {
        entries: 2,
        bytes: size as u64,
        left_out: 0,
        changed: 1,
    };
    let grow = || {
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"more").unwrap();
    };
    let shrink = || fs::File::create(&path).map(drop).unwrap();
    let changes: [(&dyn Fn(), u8); 2] = [(&grow, b'x'), (&shrink, 0)];
    for (change, last) in changes {
        fs::write(&path, vec![b'x'; size]).unwrap();
        let (stream, answer) = host.pack_while("t", change);
        assert_eq!(
            answer,
            GuestMessage::Answered {
                answer: sent.clone()
            }
        );
        let members = members(&stream);
        assert_eq!(members.len(), 2);
        let content = &members[1].content;
        assert_eq!(content.len(), size);
        assert_eq!((content[0], content[size - 1]), (b'x', last));
    }
}

#[test]
fn what_goes_while_it_is_packed_is_not_sent_and_what_leads_elsewhere_is_not_followed() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace/t");
    for directory in ["a", "b", "c", "d", "e"] {
        fs::create_dir_all(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("file"), "x").unwrap();
    }
    let size = 8 * WINDOW.max(1 << 20);
    // When this is sent, it is known already that those beside it are directories.
    fs::write(root.join("a/large"), vec![b'x'; size]).unwrap();
    let outside = host.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "secret").unwrap();
    let (stream, answer) = host.pack_while("t", || {
        for directory in ["b", "c", "d"] {
            fs::remove_dir_all(root.join(directory)).unwrap();
        }
        symlink(&outside, root.join("c")).unwrap();
        fs::write(root.join("d"), "a file").unwrap();
    });
    let GuestMessage::Answered { answer } = answer else {
        panic!("not answered: {answer:?}");
    };
    let members = members(&stream);
    let names = |name: &str| members.iter().any(|member| member.path == name.as_bytes());
    assert!(names("packed/a/large") && names("packed/e/file"));
    for gone in ["b", "c", "d"] {
        let path = format!("packed/{gone}");
        assert!(!names(&path) && !names(&format!("{path}/")), "{gone}");
        assert!(!names(&format!("{path}/file")), "{gone}");
    }
    assert!(!stream.windows(6).any(|bytes| bytes == b"secret"));
    let Answer::Packed { entries, bytes, .. } = answer else {
        panic!("{answer:?}");
    };
    let sent: usize = members.iter().map(|member| member.content.len()).sum();
    assert_eq!((entries, bytes), (members.len() as u64, sent as u64));
}
