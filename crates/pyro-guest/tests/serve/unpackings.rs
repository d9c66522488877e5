//! Unpackings, and what ends them.

use super::*;

/// An archive of one file, whose last member claims `entries` members.
pub(crate) fn archive(entries: u32) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let end = format!("{{\"entries\":{entries},\"bytes\":5}}");
    for (path, contents) in [("file", "hello"), (".pyro-end", &end)] {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o640);
        header.set_size(contents.len() as u64);
        builder
            .append_data(&mut header, path, contents.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) const UNPACKED: GuestMessage = GuestMessage::Answered {
    answer: Answer::Unpacked {
        entries: 1,
        bytes: 5,
    },
};

pub(crate) fn not_unpacked(message: &str) -> GuestMessage {
    GuestMessage::Refused(Refusal::new(RefusalReason::NotUnpacked, message))
}

#[test]
fn an_archive_is_unpacked_or_what_is_wrong_is_said() {
    let mut host = Host::new();
    let stream = host.begin_to_unpack();
    let answer = host.answer(stream);
    let reason = RefusalReason::NotReady;
    assert!(matches!(answer, GuestMessage::Refused(refusal) if refusal.reason == reason));

    let mut host = Host::adopted();
    assert_eq!(host.unpack(&archive(1)), UNPACKED);
    let file = host.root.path().join("workspace/file");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hello");

    let message = "cannot read the archive: it is not what its end says";
    assert_eq!(host.unpack(&archive(2)), not_unpacked(message));
}

#[test]
fn an_unpacking_can_be_ended() {
    let mut host = Host::adopted();
    let stream = host.begin_to_unpack();
    host.say(stream, &HostMessage::Signal { signal: 9 });
    let message = "cannot read the archive: its end is missing";
    assert_eq!(host.answer(stream), not_unpacked(message));
    assert_eq!(host.unpack(&archive(1)), UNPACKED);
}

#[test]
fn unpackings_and_commands_go_on_side_by_side() {
    let mut host = Host::adopted();
    let [first, second] = [host.begin_to_unpack(), host.begin_to_unpack()];
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
    let archive = archive(1);
    let (begin, end) = archive.split_at(700);
    for part in [begin, end, &[]] {
        for stream in [first, second] {
            host.send(&Frame::data(stream, FrameKind::Stdin, part));
        }
        assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
    }
    for stream in [first, second] {
        assert_eq!(host.answer(stream), UNPACKED);
        // The command has ended, which the sender of a signal cannot know.
        host.say(stream, &HostMessage::Signal { signal: 9 });
    }
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
}

#[test]
fn more_of_an_archive_than_was_granted_ends_its_unpacking() {
    let mut host = Host::adopted();
    let stream = host.begin_to_unpack();
    host.send(&Frame::data(stream, FrameKind::Stdin, vec![0; WINDOW + 1]));
    let answer = host.answer(stream);
    assert!(matches!(answer, GuestMessage::Refused(_)), "{answer:?}");
    assert_eq!(host.unpack(&archive(1)), UNPACKED);
}

#[test]
fn a_server_that_ends_leaves_no_half_of_an_unpacking() {
    let mut host = Host::adopted();
    let stream = host.begin_to_unpack();
    host.send(&Frame::data(stream, FrameKind::Stdin, &archive(1)[..700]));
    assert_eq!(host.run(argv(["true"])).exit().code, Some(0));
    let Host {
        socket,
        agent,
        root,
        ..
    } = host;
    drop(socket);
    agent.join().unwrap();
    let left: Vec<_> = std::fs::read_dir(root.path().join(".pyro"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
