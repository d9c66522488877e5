//! What arrives, and how.

use super::*;

#[test]
fn of_several_members_with_one_path_the_last_wins() {
    let root = Root::new();
    let archive = Tar::new()
        .file("x", "one")
        .link("y", "x")
        .file("x", "two")
        .add("d", EntryType::Directory, 0o755, "", "")
        .file("d/f", "")
        .add("d", EntryType::Directory, 0o700, "", "")
        .symlink("s", "x")
        .file("s", "no link");
    root.unpack(&archive.end()).unwrap();
    let read = |name: &str| fs::read_to_string(root.path("workspace").join(name)).unwrap();
    assert_eq!(
        (read("x"), read("y"), read("s")),
        ("two".into(), "one".into(), "no link".into())
    );
    let mode = fs::metadata(root.path("workspace/d"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn everything_arrives_as_it_was() {
    let root = Root::used();
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(250));
    let archive = Tar::new()
        .directory("./")
        .extended("mtime", "1234567890.987654321")
        .directory("sub")
        .extended("mtime", "-1.5")
        .add("sub/program", EntryType::Regular, 0o4751, "", "#!")
        .link("same", "./sub/program")
        .symlink("link", "../../nowhere")
        .directory(&"d".repeat(150))
        .file(&long, "deep")
        .add("secret", EntryType::Directory, 0o700, "", "");
    let totals = archive.totals;
    assert_eq!(root.unpack(&archive.end()).unwrap(), totals);
    assert!(root.is_clean());

    let metadata = |path: &str| {
        root.path("workspace")
            .join(path)
            .symlink_metadata()
            .unwrap()
    };
    let program = metadata("sub/program");
    assert_eq!(program.permissions().mode() & 0o7777, 0o4751);
    assert_eq!((program.mtime(), program.mtime_nsec()), (-2, 500_000_000));
    assert_eq!(program.ino(), metadata("same").ino());
    let sub = metadata("sub");
    assert_eq!(
        (sub.mtime(), sub.mtime_nsec()),
        (1_234_567_890, 987_654_321)
    );
    assert_eq!(metadata("link").mtime(), 1_000_000_000);
    assert_eq!(metadata("secret").permissions().mode() & 0o7777, 0o700);
    let tree = root.tree();
    assert_eq!(tree[Path::new("workspace/link")], "-> ../../nowhere");
    assert_eq!(tree[&Path::new("workspace").join(long)], "deep");
    for kept in ["a", "kept", "sub/b", "sub/kept"] {
        assert_eq!(tree[&Path::new("workspace").join(kept)], "old");
    }
}

#[test]
fn holes_stay_holes() {
    let size: u64 = 1 << 30;
    let archive = |map: &str, size: &str, contents: &str| {
        Tar::new()
            .pax(&[("GNU.sparse.size", size), ("GNU.sparse.map", map)])
            .file("disk", contents)
    };
    let root = Root::new();
    let map = format!("0,5,{},3,{size},0", size / 2);
    let mut whole = archive(&map, &size.to_string(), "beginmid");
    whole.totals.bytes = size;
    let totals = whole.totals;
    assert_eq!(root.unpack(&whole.end()).unwrap(), totals);
    let path = root.path("workspace/disk");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), size);
    assert!(metadata.blocks() < 1000, "{}", metadata.blocks());
    let file = fs::File::open(path).unwrap();
    let mut middle = [0; 5];
    file.read_exact_at(&mut middle, size / 2 - 1).unwrap();
    assert_eq!(&middle, b"\0mid\0");

    let root = Root::used();
    for (map, size, contents) in [
        ("0,5", "3", "begin"),
        ("0,5", "10", "begi"),
        ("0,5", "10", "beginn"),
        ("5,5,0,1", "10", "begin!"),
        ("0,5", "many", "begin"),
        ("", "10", ""),
    ] {
        let mut archive = archive(map, size, contents);
        archive.totals.bytes = 10;
        root.refusal(&archive.end());
    }
    // A reader that does not know holes expects fewer bytes.
    root.refusal(&archive("0,5,10,0", "10", "begin").end());
}

#[test]
fn a_fifo_is_made_and_not_opened() {
    let root = Root::new();
    let archive = Tar::new().add("pipe", EntryType::Fifo, 0o620, "", "");
    root.unpack(&archive.end()).unwrap();
    let metadata = fs::metadata(root.path("workspace/pipe")).unwrap();
    assert!(metadata.file_type().is_fifo());
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o620);
    assert_eq!(metadata.mtime(), 1_000_000_000);
}

/// A directory's block is searched name by name, several times for each file.
#[test]
fn what_is_staged_is_never_many_names_in_one_directory() {
    let root = Root::new();
    let mut archive = Tar::new().file("first", "x");
    for number in 0..300 {
        archive = archive.file(&format!("f{number}"), "");
    }
    let archive = archive.link("l", "first").file("f7", "again").end();
    let mut most = 0;
    let unpacked = run(
        root.0.path(),
        "/workspace",
        None,
        &archive[..],
        &mut |step| {
            if step == Step::Durable {
                let mut ahead = vec![root.path(".pyro")];
                while let Some(directory) = ahead.pop() {
                    let names: Vec<_> = fs::read_dir(directory).unwrap().flatten().collect();
                    most = most.max(names.len());
                    let directories = names.iter().filter(|name| name.path().is_dir());
                    ahead.extend(directories.map(fs::DirEntry::path));
                }
            }
        },
    );
    unpacked.unwrap().clean_up();
    assert!((20..50).contains(&most), "{most}");
    let tree = root.tree();
    assert_eq!(tree.len(), 1 + 302);
    assert_eq!(tree[Path::new("workspace/f7")], "again");
    assert_eq!(tree[Path::new("workspace/l")], "x");
}

/// An agent of an earlier version died after its commit: it staged all files in one directory.
#[test]
fn what_an_earlier_agent_has_committed_is_finished() {
    let root = Root::used();
    let staging = root.path(".pyro/staging-0123456789abcdef");
    fs::create_dir_all(&staging).unwrap();
    for (name, content) in [("0", "new"), ("2", "new"), ("40", "new")] {
        fs::write(staging.join(name), content).unwrap();
    }
    let mut entries = vec!["- a".to_owned(), "493 5 0 d".into(), "- d/b".into()];
    entries.extend((3..40).map(|number| format!("- gone{number}")));
    entries.push("- last".into());
    let commit = format!("workspace\0{}\0", entries.join("\0"));
    fs::write(staging.join("commit"), commit).unwrap();
    root.recover().unwrap();
    assert!(root.is_clean());
    let tree = root.tree();
    for placed in ["a", "d/b", "last"] {
        assert_eq!(
            tree[&Path::new("workspace").join(placed)],
            "new",
            "{placed}"
        );
    }
}

#[test]
fn a_missing_destination_is_made() {
    let root = Root::new();
    root.unpack_to("/workspace/x/y", &next().end()).unwrap();
    assert_eq!(root.tree()[Path::new("workspace/x/y/sub/b2")], "new");
    fs::remove_dir_all(root.path("workspace")).unwrap();
    root.unpack(&next().end()).unwrap();
    assert_eq!(root.tree()[Path::new("workspace/a")], "new");
}

#[test]
fn large_files_arrive_whole_whether_they_are_written_directly_or_not() {
    // In memory there may be no direct writes.
    for place in [std::env::temp_dir(), "/dev/shm".into()] {
        let root = Root(tempfile::tempdir_in(place).unwrap());
        fs::create_dir(root.path("workspace")).unwrap();
        let sizes = [(4 << 20) - 1, 4 << 20, (5 << 20) + 777];
        // No piece of it is like another.
        let content = |size: usize| {
            let all: Vec<_> = (0..=size / 8)
                .map(|number| format!("{number:08}"))
                .collect();
            all.concat()[..size].to_owned()
        };
        let mut archive = Tar::new();
        for size in sizes {
            archive = archive.file(&size.to_string(), &content(size));
        }
        let totals = archive.totals;
        let mut archive = archive.end();
        assert_eq!(root.unpack(&archive).unwrap(), totals);
        for size in sizes {
            let found = fs::read_to_string(root.path("workspace").join(size.to_string()));
            assert!(found.unwrap() == content(size), "{size}");
        }
        archive.truncate(10 << 20);
        let before = root.tree();
        root.unpack(&archive).unwrap_err();
        assert!(root.tree() == before, "what is cut changes nothing");
    }
}

#[test]
fn for_an_owner_directories_that_exist_stay_as_they_are() {
    let root = Root::used();
    let sub = root.path("workspace/sub");
    fs::set_permissions(&sub, fs::Permissions::from_mode(0o711)).unwrap();
    let archive = next()
        .add("new/program", EntryType::Regular, 0o4755, "", "#!")
        .add("new/deep", EntryType::Directory, 0o750, "", "")
        .end();
    // Only root may give files away: another user's own group will do.
    let is_root = rustix::process::geteuid().is_root();
    let (user, group) = if is_root {
        (Uid::from_raw(1234), Gid::from_raw(567))
    } else {
        (rustix::process::geteuid(), rustix::process::getegid())
    };
    let owner = Some((user, group));
    let unpacked = run(
        root.0.path(),
        "/workspace",
        owner,
        &archive[..],
        &mut |_| {},
    );
    unpacked.unwrap().clean_up();
    let of = |path: &str| {
        let found = fs::symlink_metadata(root.path("workspace").join(path)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    let (uid, gid) = (user.as_raw(), group.as_raw());
    for (path, mode) in [
        ("new", 0o755),
        ("new/c", 0o644),
        ("new/program", 0o4755),
        ("new/deep", 0o750),
        ("sub/b", 0o644),
        ("link", 0o777),
    ] {
        assert_eq!(of(path), (uid, gid, mode), "{path}");
    }
    let us = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
        0o711,
    );
    assert_eq!(of("sub"), us);
}
