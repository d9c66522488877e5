//! Writes what the targets begin with into a directory for each of them: `seeds DIRECTORY`. A fuzzer
//! finds its way sooner from what is well-formed.

use std::fs;
use std::io::Result;
use std::path::Path;

use pyro_protocol::{
    Answer, Call, Clocks, Credit, DATA_CHUNK_BYTES, Disk, Exec, Exit, Frame, GENERATION, GuestMessage,
    FrameKind, HostMessage, PauseRule, Refusal, RefusalReason, TerminalSize, Tick,
};
use tar::{Builder, EntryType, Header};

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).expect("usage: seeds DIRECTORY");
    let directory = Path::new(&directory);
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let directory = directory.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(format!("seed-{name}")), bytes)
    };
    for (number, bytes) in guest_streams().iter().enumerate() {
        put(
            "frames",
            &format!("guest-{number}"),
            &[&[7], bytes.as_slice()].concat(),
        )?;
        for turn in 0..6 {
            let input = [&[turn], bytes.as_slice()].concat();
            put("guest", &format!("{turn}-{number}"), &input)?;
        }
    }
    for (number, bytes) in host_streams().iter().enumerate() {
        put(
            "frames",
            &format!("host-{number}"),
            &[&[40], bytes.as_slice()].concat(),
        )?;
        put("agent", &number.to_string(), bytes)?;
    }
    for (number, archive) in archives("")?.iter().enumerate() {
        put(
            "archives",
            &number.to_string(),
            &[&[3], archive.as_slice()].concat(),
        )?;
        put(
            "unpacking",
            &number.to_string(),
            &[&[0], archive.as_slice()].concat(),
        )?;
    }
    for (number, archive) in archives("packed/")?.iter().enumerate() {
        let input = [&[3], archive.as_slice()].concat();
        put("exports", &number.to_string(), &input)?;
    }
    for (number, archive) in odd_archives().iter().enumerate() {
        put("layers", &format!("odd-{number}"), &[&[3, 40], &archive[1..]].concat())?;
        put("archives", &format!("odd-{number}"), archive)?;
        put("unpacking", &format!("odd-{number}"), archive)?;
    }
    for (number, layers) in layers().iter().enumerate() {
        put("layers", &number.to_string(), layers)?;
    }
    for (number, archive) in images()?.iter().enumerate() {
        let input = [&[1], archive.as_slice()].concat();
        put("images", &number.to_string(), &input)?;
    }
    for (number, lines) in QMP.iter().enumerate() {
        put("qmp", &number.to_string(), lines.as_bytes())?;
    }
    for (number, record) in RECORDS.iter().enumerate() {
        for choice in 0..5 {
            let input = [&[choice], record.as_bytes()].concat();
            put("records", &format!("{choice}-{number}"), &input)?;
        }
    }
    for (number, frame) in network_frames().iter().enumerate() {
        put("network", &number.to_string(), frame)?;
    }
    for (number, question) in QUESTIONS.iter().enumerate() {
        put("names", &number.to_string(), question)?;
    }
    for (number, reply) in REPLIES.iter().enumerate() {
        put("replies", &number.to_string(), reply.as_bytes())?;
    }
    for (number, patch) in PATCHES.iter().enumerate() {
        put("patches", &number.to_string(), patch.as_bytes())?;
    }
    Ok(())
}

/// What comes before the NUL is in the files that the patch is for.
const PATCHES: &[&str] = &[
    "a\nb\nc\n\0--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n",
    "a\n\0diff --git a/x b/y\nsimilarity index 50%\nrename from x\nrename to y\nindex 1..2 100644\n\
     --- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n",
    "\0diff --git \"a/\\303\\244\" \"b/\\303\\244\"\nnew file mode 120000\nindex 0000000..1\n\
     --- /dev/null\n+++ \"b/\\303\\244\"\n@@ -0,0 +1 @@\n+t\n\\ No newline at end of file\n",
    "a\n\0diff --git a/x b/x\nold mode 100644\nnew mode 100755\ndiff --git a/x b/z\ncopy from x\ncopy to z\n",
    "\0diff --git a/x b/x\nindex e69de29bb2d1d6434b8b29ae775ad8c2e48c5391..\
     e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 100644\nGIT binary patch\nliteral 0\nHcmV?d00001\n\n\
     literal 0\nHcmV?d00001\n\n",
];

fn stream(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::to_bytes).collect()
}

fn says(stream: u32, message: &GuestMessage) -> Frame {
    Frame::control(stream, message).expect("it is short")
}

fn guest_streams() -> Vec<Vec<u8>> {
    let hello = GuestMessage::Hello {
        generation: GENERATION,
        agent_version: "1".into(),
        kernel_ms: 1,
        agent_ms: 1,
        clocks: Some(Clocks {
            source: "tsc".to_owned(),
            ticks: vec![Tick {
                device: "lapic".to_owned(),
                hertz: 62_500_000,
            }],
        }),
    };
    let exited = |code, signal| {
        let exit = Exit {
            code,
            signal,
            oom_killed: false,
            timed_out: false,
            duration_ms: 1,
        };
        let answer = Answer::Exited(exit);
        GuestMessage::Answered { answer }
    };
    let started = GuestMessage::Started { pid: 1 };
    let message = || "why".to_owned();
    let output = Frame::data(1, FrameKind::Stdout, *b"output");
    let credit = Credit {
        channel: FrameKind::Stdin,
        bytes: 5,
    };
    vec![
        stream(&[says(0, &hello), says(0, &GuestMessage::Prepared { unfinished: None })]),
        stream(&[says(0, &hello), says(0, &GuestMessage::Adopted)]),
        stream(&[says(0, &GuestMessage::Adopted)]),
        stream(&[
            says(0, &hello),
            says(0, &GuestMessage::Adopted),
            says(0, &GuestMessage::ClockSet { unix_time_ns: 1 }),
        ]),
        stream(&[says(0, &GuestMessage::Synced { processes: 3 })]),
        stream(&[says(0, &GuestMessage::Prestarted { waits: true })]),
        stream(&[says(0, &GuestMessage::Failed { message: message() })]),
        stream(&[says(1, &started), output, says(1, &exited(Some(0), None))]),
        stream(&[
            says(1, &started),
            Frame::credit(1, credit),
            says(1, &exited(None, Some(9))),
        ]),
        stream(&[says(
            1,
            &GuestMessage::Refused(Refusal::new(RefusalReason::NotFound, "why")),
        )]),
        stream(&[says(
            1,
            &GuestMessage::Answered {
                answer: Answer::Unpacked {
                    entries: 1,
                    bytes: 2,
                },
            },
        )]),
        stream(&[says(
            1,
            &GuestMessage::Refused(Refusal::new(RefusalReason::NotUnpacked, "why")),
        )]),
        stream(&[Frame::data(1, FrameKind::Stderr, vec![b'x'; DATA_CHUNK_BYTES])]),
    ]
}

fn host_streams() -> Vec<Vec<u8>> {
    let says =
        |stream, message: &HostMessage| Frame::control(stream, message).expect("it is short");
    let generation = GENERATION;
    let disk = Disk::Private;
    let adopt = HostMessage::Adopt {
        entropy_hex: "00".repeat(64),
        unix_time_ns: 1,
        hostname: "pyro-0123456789ab".into(),
        machine_id: "00".repeat(16),
        mac: Some("02:00:5e:10:00:01".into()),
        network: None,
    };
    let call = Call::Exec(Exec {
        argv: vec!["/bin/sh".into(), "-c".into(), "true".into()],
        env: vec![("A".into(), "B".into())],
        cwd: Some("/".into()),
        cwd_optional: true,
        timeout_ms: Some(1000),
        stdin: true,
        ..Exec::default()
    });
    let exec = HostMessage::Call { call };
    let size = TerminalSize {
        columns: 80,
        rows: 24,
    };
    let in_terminal = HostMessage::Call {
        call: Call::Exec(Exec {
            argv: vec!["/bin/sh".into()],
            user: Some("root:0".into()),
            terminal: Some(size),
            pause: PauseRule::WhenIdle,
            ..Exec::default()
        }),
    };
    let connect = Call::Connect {
        port: 1,
        only_try: false,
    };
    let keep = Call::KeepSecret {
        name: "A".into(),
        bytes: 1,
    };
    let destination = "/workspace".to_owned();
    let unpack = Call::Unpack {
        destination,
        owner: None,
    };
    let hello = says(0, &HostMessage::Hello { generation });
    vec![
        stream(&[
            hello.clone(),
            says(0, &HostMessage::Prepare { disk, seed: true }),
        ]),
        stream(&[hello, says(0, &adopt), says(1, &exec)]),
        stream(&[says(1, &exec), Frame::data(1, FrameKind::Stdin, *b"input")]),
        stream(&[says(1, &HostMessage::Call { call: unpack })]),
        stream(&[
            says(1, &in_terminal),
            says(1, &HostMessage::Resize { size }),
            Frame::data(1, FrameKind::Stdin, Vec::new()),
        ]),
        stream(&[says(1, &HostMessage::Call { call: connect })]),
        stream(&[says(1, &HostMessage::Call { call: keep }), Frame::data(1, FrameKind::Stdin, *b"x")]),
        stream(&[says(1, &HostMessage::Signal { signal: 9 })]),
        stream(&[says(0, &HostMessage::SetClock { unix_time_ns: 1 })]),
        stream(&[says(0, &HostMessage::Prestart), says(0, &HostMessage::Sync)]),
        stream(&[says(0, &HostMessage::Shutdown)]),
    ]
}

/// Archives with the end that the host gives them, and without; all is below a directory, if there is one.
fn archives(top: &str) -> Result<Vec<Vec<u8>>> {
    let below = |name: &str| format!("{top}{name}");
    let mut kinds = vec![
        (EntryType::Directory, below("sub/"), None),
        (EntryType::Regular, below("sub/file"), None),
        (EntryType::Symlink, below("link"), Some(below("sub/file"))),
        (EntryType::Link, below("hard"), Some(below("sub/file"))),
    ];
    if !top.is_empty() {
        kinds.insert(0, (EntryType::Directory, top.to_owned(), None));
    }
    let mut archives = Vec::new();
    for count in 1..=kinds.len() {
        for ended in [false, true] {
            let mut archive = Builder::new(Vec::new());
            for (kind, name, target) in &kinds[..count] {
                let content: &[u8] = if *kind == EntryType::Regular {
                    b"content"
                } else {
                    b""
                };
                let mut header = Header::new_ustar();
                header.set_entry_type(*kind);
                header.set_path(name)?;
                header.set_mode(0o755);
                header.set_size(content.len() as u64);
                if let Some(target) = target {
                    header.set_link_name(target)?;
                }
                header.set_cksum();
                archive.append(&header, content)?;
            }
            if ended {
                let mut header = Header::new_ustar();
                header.set_path(pyro_protocol::ARCHIVE_END)?;
                header.set_size(0);
                header.set_cksum();
                archive.append(&header, &b""[..])?;
            }
            archives.push(archive.into_inner()?);
        }
    }
    Ok(archives)
}

const REPLIES: [&str; 3] = [
    r#"{"choices": [{"message": {"content": "a", "tool_calls": [{"id": "x", "function": {"name": "vm_run", "arguments": "{}"}}]}}]}"#,
    "data: {\"choices\": [{\"delta\": {\"content\": \"a\", \"tool_calls\": [{\"index\": 0, \"function\": {\"arguments\": \"{\"}}]}, \"finish_reason\": \"stop\"}]}\r\n\r\ndata: [DONE]\n\n",
    r#"{"error": {"message": "no"}}"#,
];
/// What is read in other ways: holes by a header and by attributes, a zip file. The first byte is the
/// targets' own.
fn member(kind: u8, name: &str, content: &[u8], change: &dyn Fn(&mut [u8])) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    change(bytes);
    header.set_cksum();
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// An image as `docker save` writes it, with a link, and one of a layout.
fn images() -> Result<Vec<Vec<u8>>> {
    // The digests of `{}` and of the manifest below.
    const CONFIG: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const MANIFEST: &str = "c18d69ac3ba3e775ab5837ebd5e526dde0bcef2c72d0cfb26c6ccec7645245e5";
    let saved = r#"[{"Config":"c.json","RepoTags":["app:1"],"Layers":["l/layer.tar"]}]"#;
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{CONFIG}","size":2}},"layers":[]}}"#
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{MANIFEST}","size":{}}}]}}"#,
        manifest.len()
    );
    let pack = |files: &[(&str, &str)], link: Option<(&str, &str)>| {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_bytes())?;
        }
        if let Some((name, target)) = link {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, target)?;
        }
        builder.into_inner()
    };
    let docker = [("c.json", "{}"), ("x.tar", "layer"), ("manifest.json", saved)];
    let blobs = [CONFIG, MANIFEST].map(|digest| format!("blobs/sha256/{digest}"));
    let layout = [(&*blobs[0], "{}"), (&*blobs[1], &*manifest), ("index.json", &*index)];
    Ok(vec![
        pack(&docker, Some(("l/layer.tar", "../x.tar")))?,
        pack(&layout, None)?,
    ])
}

/// Two layers each: how many blocks the first has is in front of them.
fn layers() -> Vec<Vec<u8>> {
    let target = |target: &'static str| {
        move |bytes: &mut [u8]| bytes[157..157 + target.len()].copy_from_slice(target.as_bytes())
    };
    let device = |bytes: &mut [u8]| bytes[329..345].copy_from_slice(b"0000001\x000000003\0");
    let plain = |_: &mut [u8]| ();
    let attributes = b"9 uid=70\n32 SCHILY.xattr.user.note=value\n";
    let lower = [
        member(b'5', "d/", b"", &plain),
        member(b'0', "d/f", b"content", &plain),
        member(b'x', "pax", attributes, &plain),
        member(b'0', "d/g", b"x", &plain),
        member(b'2', "l", b"", &target("/d/../d")),
        member(b'3', "null", b"", &device),
        member(b'1', "d/h", b"", &target("d/f")),
    ];
    let uppers = [
        member(b'0', "d/.wh.f", b"", &plain),
        member(b'0', "d/.wh..wh..opq", b"", &plain),
        member(b'0', "l/new", b"x", &plain),
        member(b'1', "d", b"", &target("d/f")),
        [member(b'2', "m", b"", &target("../d")), member(b'0', "m/new", b"x", &plain)].concat(),
        [member(b'0', "dev", b"x", &plain), member(b'2', "etc", b"", &target("d"))].concat(),
    ];
    let lower = lower.concat();
    let blocks = u8::try_from(lower.len() / 512).expect("it is short");
    let input = |upper: &Vec<u8>| [&[0, blocks], &lower[..], upper].concat();
    uppers.iter().map(input).collect()
}

fn odd_archives() -> Vec<Vec<u8>> {
    let holes = |bytes: &mut [u8]| {
        bytes[386..410].copy_from_slice(b"00000010000\x0000000001000\0");
        bytes[483..495].copy_from_slice(b"00000100000\0");
    };
    let posix = |bytes: &mut [u8]| bytes[257..265].copy_from_slice(b"ustar\x0000");
    let attributes = b"25 GNU.sparse.size=32768\n27 GNU.sparse.map=4096,512\n";
    let map = [b"1\n4096\n512\n".to_vec(), vec![0; 500], vec![b'x'; 512]].concat();
    let of_1_0 = b"22 GNU.sparse.major=1\n30 GNU.sparse.realsize=32768\n";
    let old = member(b'S', "old", &[b'x'; 512], &holes);
    let new = [
        member(b'x', "pax", attributes, &posix),
        member(b'0', "new", &[b'x'; 512], &posix),
    ];
    let newest = [
        member(b'x', "pax", of_1_0, &posix),
        member(b'0', "newest", &map, &posix),
    ];
    let end = vec![0; 1024];
    vec![
        [&[3][..], &old, &end].concat(),
        [&[3][..], &new.concat(), &end].concat(),
        [&[3][..], &newest.concat(), &end].concat(),
        [&[3][..], ZIP].concat(),
    ]
}

/// One stored file, `a`, with the content `x`.
const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\x83\x16\xdc\x8c\x01\0\0\0\x01\0\0\0\
    \x01\0\0\0axPK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0!\0\x83\x16\xdc\x8c\x01\0\0\0\
    \x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\xa4\x81\0\0\0\0aPK\x05\x06\0\0\0\0\
    \x01\0\x01\0/\0\0\0\x20\0\0\0\0\0";

const QMP: [&str; 4] = [
    "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n{\"return\": {}}\r\n{\"event\": \"RESUME\"}\r\n",
    "{\"timestamp\": {}, \"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n",
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n",
    "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\r\n",
];

const RECORDS: [&str; 5] = [
    r#"{"format": 1, "state": "started", "spec": {"vcpu_count": 1}}"#,
    r#"{"sequence": 7, "command": "true", "cwd": "/", "execution_mode": "x", "recorded_at": 1.5, "exit": {"exit_code": 0, "duration_ms": 1}}"#,
    r#"{"boot_id": "x", "tsc_khz": 1, "kvm": {"works": {}}, "qemu": {"path": "/q", "version_text": "7.2"}}"#,
    r#"{"name": "debian:12", "version": "1", "files": {"rootfs": {"sha256": "00", "size": 1, "stamp": {"ctime_ns": 1, "inode": 1, "mtime_ns": 1}}}}"#,
    r#"{"exec": {"command": "true", "timeout_ms": 1, "stdin": false}}"#,
];

/// A datagram, a connection's beginning, a ping and a question for a neighbour, out and in.
fn network_frames() -> Vec<Vec<u8>> {
    let guest = [10, 0, 2, 15];
    let peer = [151, 101, 2, 132];
    let mut frames = Vec::new();
    for protocol in [1, 6, 17] {
        for (from, to) in [(guest, peer), (peer, guest), (guest, [10, 0, 2, 3])] {
            let mut frame = vec![2; 12];
            frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
            frame.extend(from);
            frame.extend(to);
            frame.extend([0x9c, 0x40, 0, 53]);
            frame.extend([0; 16]);
            frames.push(frame);
        }
    }
    let mut arp = vec![0xff; 12];
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1]);
    arp.extend(guest);
    arp.extend([0; 6]);
    arp.extend([10, 0, 2, 2]);
    frames.push(arp);
    frames
}

const QUESTIONS: [&[u8]; 3] = [
    b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01",
    b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x01a\0\0\x1c\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0",
    b"\x12\x34\x29\x00\0\x01\0\0\0\0\0\0\x01a\0\0\x06\0\x01",
];
