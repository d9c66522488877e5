//! Files are listed, read and written without leaving their root.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use pyro_protocol::{Answer, Call, FileEntry, FilePath, FileType, GuestMessage, RefusalReason};

use super::Host;

fn path(path: &str) -> FilePath {
    FilePath {
        root: "/workspace".to_owned(),
        path: path.to_owned(),
    }
}

fn write(name: &str, content: &[u8]) -> Call {
    Call::WriteFile {
        file: path(name),
        bytes: content.len() as u64,
        mode: None,
        if_match: None,
    }
}

fn reason((_, answer): (Vec<u8>, GuestMessage)) -> RefusalReason {
    match answer {
        GuestMessage::Refused(refusal) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn answered((_, answer): (Vec<u8>, GuestMessage)) -> Answer {
    match answer {
        GuestMessage::Answered { answer } => answer,
        other => panic!("not answered: {other:?}"),
    }
}

impl Host {
    fn read_file(&mut self, name: &str, offset: u64, max_bytes: u64) -> (Vec<u8>, GuestMessage) {
        let file = path(name);
        let call = Call::ReadFile {
            file,
            offset,
            max_bytes,
        };
        self.call(call, b"")
    }

    fn list_files(&mut self, name: &str, recursive: bool) -> Vec<FileEntry> {
        let file = path(name);
        let (output, answer) = self.call(Call::ListFiles { file, recursive }, b"");
        let listed = GuestMessage::Answered {
            answer: Answer::Listed,
        };
        assert_eq!(answer, listed);
        let lines = output.split_inclusive(|&byte| byte == b'\n');
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

#[test]
fn a_link_to_an_absolute_path_stays_in_the_whole_file_system() {
    let mut host = Host::adopted();
    let root = host.root.path().to_owned();
    fs::create_dir_all(root.join("workspace/in")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/name"), "guest").unwrap();
    symlink("/etc/name", root.join("workspace/link")).unwrap();
    symlink("/../../etc", root.join("workspace/in/up")).unwrap();
    let read = |host: &mut Host, root: &str, path: &str| {
        let file = FilePath {
            root: root.to_owned(),
            path: path.to_owned(),
        };
        let (offset, max_bytes) = (0, 100);
        let call = Call::ReadFile {
            file,
            offset,
            max_bytes,
        };
        host.call(call, b"")
    };
    for path in ["workspace/link", "workspace/in/up/name"] {
        assert_eq!(read(&mut host, "/", path).0, b"guest", "{path}");
    }
    // Out of a part of it, it leads.
    let refused = reason(read(&mut host, "/workspace", "link"));
    assert_eq!(refused, RefusalReason::BadPath);
    let file = FilePath {
        root: "/".to_owned(),
        path: "workspace/in/up/name".to_owned(),
    };
    let recursive = false;
    let (output, _) = host.call(Call::ListFiles { file, recursive }, b"");
    let listed: FileEntry = serde_json::from_slice(&output).unwrap();
    assert_eq!(
        (&*listed.path, listed.state.size),
        ("workspace/in/up/name", 5)
    );
}

#[test]
fn what_was_written_is_read_and_listed() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace");
    let written = answered(host.call(write("a/b/file", b"hello"), b"hello"));
    let expected = Answer::FileWritten {
        created: true,
        mode: 0o644,
    };
    assert_eq!(written, expected);
    assert_eq!(fs::read(root.join("a/b/file")).unwrap(), b"hello");

    // Other content, with the mode that the file has by then.
    let mode = fs::Permissions::from_mode(0o751);
    fs::set_permissions(root.join("a/b/file"), mode).unwrap();
    let written = answered(host.call(write("a/b/file", b"HELLO!"), b"HELLO!"));
    let expected = Answer::FileWritten {
        created: false,
        mode: 0o751,
    };
    assert_eq!(written, expected);

    let (output, answer) = host.read_file("a/b/file", 1, 3);
    assert_eq!(output, b"ELL");
    let read = Answer::FileRead {
        size: 6,
        mode: 0o751,
    };
    assert_eq!(answer, GuestMessage::Answered { answer: read });
    assert_eq!(host.read_file("a/b/file", 7, 10).0, b"");

    symlink("b/file", root.join("a/link")).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"a/\xff")), "").unwrap();
    let entries = host.list_files("a", true);
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.path, entry.state.file_type, entry.state.size))
        .collect();
    assert_eq!(
        shown,
        [
            ("a/b", FileType::Directory, 0),
            ("a/link", FileType::Symlink, 6),
            ("a/\u{10ffff}", FileType::File, 0),
            ("a/b/file", FileType::File, 6),
        ]
    );
    assert_eq!(entries[1].state.target.as_deref(), Some("b/file"));
    assert_eq!(host.list_files("a", false).len(), 3);
    assert_eq!(host.list_files("", false)[0].path, "a");
    assert_eq!(host.list_files("a/b/file", false)[0].path, "a/b/file");
    assert!(
        !host
            .root
            .path()
            .join(".pyro")
            .read_dir()
            .unwrap()
            .any(|entry| entry.unwrap().file_name() != "lock")
    );
}

#[test]
fn a_large_file_goes_through_the_window() {
    let mut host = Host::adopted();
    let content = super::pattern(3 * super::WINDOW / 4);
    answered(host.call(write("large", &content), &content));
    fs::write(
        host.root.path().join("workspace/larger"),
        super::pattern(5 * super::WINDOW),
    )
    .unwrap();
    let (output, _) = host.read_file("larger", 0, u64::MAX);
    assert!(output == super::pattern(5 * super::WINDOW));
    assert!(host.read_file("large", 0, u64::MAX).0 == content);
}

#[test]
fn nothing_outside_of_the_root_is_reached() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace");
    fs::create_dir_all(root.join("inside")).unwrap();
    fs::write(host.root.path().join("secret"), "secret").unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("/", root.join("absolute")).unwrap();
    symlink("inside", root.join("in")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    for name in [
        "out",
        "absolute/secret",
        "../secret",
        "in/../../secret",
        "loop",
    ] {
        assert_eq!(
            reason(host.read_file(name, 0, 10)),
            RefusalReason::BadPath,
            "{name}"
        );
    }
    for name in ["absolute/new", "../new", "in/../../new"] {
        let refused = reason(host.call(write(name, b"x"), b"x"));
        assert_eq!(refused, RefusalReason::BadPath, "{name}");
    }
    // A link is neither written through nor replaced.
    let refused = reason(host.call(write("out", b"x"), b"x"));
    assert_eq!(refused, RefusalReason::NotAFile);
    assert_eq!(
        fs::read_to_string(host.root.path().join("secret")).unwrap(),
        "secret"
    );
    // Links that stay inside are followed.
    answered(host.call(write("in/file", b"x"), b"x"));
    assert!(root.join("inside/file").exists());
    // And a listing includes links without following them.
    assert_eq!(host.list_files("", true).len(), 6);
}

#[test]
fn what_is_no_file_is_neither_read_nor_written() {
    let mut host = Host::adopted();
    let root = host.root.path().join("workspace");
    fs::create_dir_all(root.join("directory")).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), pipe, mode, 0).unwrap();
    fs::write(root.join("file"), "").unwrap();
    for (name, expected) in [
        ("missing", RefusalReason::NoSuchFile),
        ("directory", RefusalReason::NotAFile),
        ("pipe", RefusalReason::NotAFile),
        ("file/below", RefusalReason::BadPath),
    ] {
        assert_eq!(reason(host.read_file(name, 0, 1)), expected, "{name}");
    }
    for (name, expected) in [
        ("directory", RefusalReason::NotAFile),
        ("pipe", RefusalReason::NotAFile),
        ("file/below", RefusalReason::BadPath),
    ] {
        let refused = reason(host.call(write(name, b"x"), b"x"));
        assert_eq!(refused, expected, "{name}");
    }
}

#[test]
fn a_condition_holds_when_the_file_is_replaced() {
    // The digest of `hello`, by `sha256sum`.
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let mut host = Host::adopted();
    let conditional = |content: &[u8], condition: &str| Call::WriteFile {
        file: path("file"),
        bytes: content.len() as u64,
        mode: Some(0o600),
        if_match: Some(condition.to_owned()),
    };
    let refused = reason(host.call(conditional(b"hello", HELLO), b"hello"));
    assert_eq!(refused, RefusalReason::Changed);
    answered(host.call(conditional(b"hello", ""), b"hello"));
    let refused = reason(host.call(conditional(b"other", ""), b"other"));
    assert_eq!(refused, RefusalReason::Changed);
    answered(host.call(conditional(b"other", HELLO), b"other"));
    let refused = reason(host.call(conditional(b"third", HELLO), b"third"));
    assert_eq!(refused, RefusalReason::Changed);
    let file = host.root.path().join("workspace/file");
    assert_eq!(fs::read_to_string(&file).unwrap(), "other");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
        0o600
    );
}

#[test]
fn an_input_that_was_cut_changes_nothing() {
    let mut host = Host::adopted();
    answered(host.call(write("file", b"whole"), b"whole"));
    let refused = reason(host.call(write("file", b"longer"), b"long"));
    assert_eq!(refused, RefusalReason::Cut);
    let file = host.root.path().join("workspace/file");
    assert_eq!(fs::read_to_string(file).unwrap(), "whole");
}
