//! What a source may be, and what happens to one that changes.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::{Cursor, Write};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Command;

use pyro_archive::{
    Error, PathLimits, Progress, Refusal, Selection, Source, SourceKind, write_image, write_tar,
};

use crate::{LIMITS, Tar, to_image, to_tar};

#[test]
fn a_source_is_a_directory_or_named_like_an_archive() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().canonicalize().unwrap();
    let open = |name: &str| Source::open("source_path", &root.join(name));
    for name in [
        "a.tar",
        "A.Tar.GZ",
        "a.tgz",
        "a.tar.zst",
        "a.tar.xz",
        "a.7z",
        "tar",
        "a.tar.bz2",
    ] {
        fs::write(root.join(name), Tar::default().end()).unwrap();
    }
    fs::create_dir(root.join("directory.zip")).unwrap();
    symlink("a.tar", root.join("link")).unwrap();
    let fifo = root.join("fifo.tar");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());

    for name in [
        "a.tar",
        "A.Tar.GZ",
        "a.tgz",
        "a.tar.zst",
        "a.tar.xz",
        "link",
    ] {
        assert_eq!(open(name).unwrap().kind(), SourceKind::TarArchive, "{name}");
    }
    assert_eq!(open("directory.zip").unwrap().kind(), SourceKind::Directory);
    assert_eq!(open("link").unwrap().path(), root.join("a.tar"));
    for name in ["a.7z", "tar", "a.tar.bz2", "fifo.tar"] {
        let error = open(name).unwrap_err();
        assert_eq!(
            error.to_string(),
            "source_path must be a directory or a .tar/.tar.gz/.tgz/.tar.zst/.tar.xz/.zip archive"
        );
        assert_eq!(error.code(), "archive_wrong_kind");
        assert!(error.remedy().contains(name));
    }
    for name in ["no", "a.tar/b"] {
        let error = open(name).unwrap_err();
        let path = root.join(name);
        assert_eq!(
            error.to_string(),
            format!("source_path {} does not exist", path.display())
        );
        assert_eq!(error.code(), "archive_not_found");
    }
}

#[test]
fn a_directory_that_was_deleted_is_not_empty_but_missing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("deleted");
    fs::create_dir(&path).unwrap();
    let open = fs::File::open(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    let error = Source::opened("seed_path", ".".into(), open.into()).unwrap_err();
    assert_eq!(error.code(), "archive_not_found");
    assert!(error.to_string().contains("/deleted"), "{error}");
}

#[test]
fn directories_that_are_too_deep_are_refused() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("d/".repeat(300))).unwrap();
    let source = Source::open("seed_path", place.path()).unwrap();
    for error in [to_image(&source).unwrap_err(), to_tar(&source).unwrap_err()] {
        let Error::Refused { refusal, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*refusal, Refusal::TooDeep);
    }
}

/// Changes something while the first file is read: its beginning is what is read, and told, first.
fn changed_meanwhile(change: impl Fn(&Path)) -> Result<Vec<u8>, Error> {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("a"), vec![b'a'; 3 << 20]).unwrap();
    fs::write(place.path().join("b"), "b").unwrap();
    let source = Source::open("seed_path", place.path()).unwrap();
    let done = Cell::new(false);
    let mut image = Cursor::new(Vec::new());
    write_image(&source, &mut image, "workspace", &|_| {
        if !done.replace(true) {
            change(place.path());
        }
    })?;
    Ok(image.into_inner())
}

#[test]
fn a_file_that_shrinks_is_named() {
    let error = changed_meanwhile(|root| {
        let file = OpenOptions::new().write(true).open(root.join("a")).unwrap();
        file.set_len(2 << 20).unwrap();
    });
    let error = error.unwrap_err();
    assert_eq!(error.code(), "archive_changed");
    assert!(
        error.to_string().ends_with("/a changed while it was read"),
        "{error}"
    );
}

#[test]
fn a_file_that_grows_is_taken_as_it_was() {
    let image = changed_meanwhile(|root| {
        let mut file = OpenOptions::new()
            .append(true)
            .open(root.join("a"))
            .unwrap();
        file.write_all(&vec![b'!'; 1 << 20]).unwrap();
    });
    let into = tempfile::tempdir().unwrap();
    let unpacked = crate::look(&crate::unpack_image(&image.unwrap(), into.path()));
    let sizes: Vec<_> = unpacked.values().map(|known| known.content.len()).collect();
    assert_eq!(sizes, [3 << 20, 1]);
}

#[test]
fn a_file_that_becomes_something_else_is_not_followed() {
    let image = changed_meanwhile(|root| {
        fs::remove_file(root.join("b")).unwrap();
        symlink("/etc/passwd", root.join("b")).unwrap();
    });
    let into = tempfile::tempdir().unwrap();
    let unpacked = crate::look(&crate::unpack_image(&image.unwrap(), into.path()));
    assert_eq!(unpacked[std::ffi::OsStr::new("b")].content, b"/etc/passwd");
}

#[test]
fn a_directory_that_goes_away_while_it_is_read_is_not_half_taken() {
    let error = changed_meanwhile(|root| fs::remove_dir_all(root).unwrap());
    assert_eq!(error.unwrap_err().code(), "archive_changed");
}

#[test]
fn progress_goes_up_to_the_total() {
    let (_directory, source) = Tar::default().file("a", &"a".repeat(3 << 20)).source();
    let size = fs::metadata(source.path()).unwrap().len();
    let told = Cell::new(Progress {
        bytes: 0,
        total: None,
    });
    let steps = Cell::new(0);
    let tell = |progress: Progress| {
        assert!(progress.bytes >= told.get().bytes);
        told.set(progress);
        steps.set(steps.get() + 1);
    };
    write_tar(&source, std::io::sink(), LIMITS, &tell).unwrap();
    assert_eq!((told.get().bytes, told.get().total), (size, Some(size)));
    assert!((4..10).contains(&steps.get()), "{}", steps.get());
}

#[test]
fn a_prefix_is_one_name() {
    let (_directory, source) = Tar::default().source();
    for prefix in ["", ".", "..", "/", "a/b", "/a"] {
        let image = Cursor::new(Vec::new());
        let error = write_image(&source, image, prefix, &|_| ()).unwrap_err();
        assert_eq!(error.code(), "archive_entry_refused", "{prefix}");
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_no_superblock() {
    let (_directory, source) = Tar::default().file("a", &"a".repeat(8 << 20)).source();
    let mut bytes = vec![0; 5 << 20];
    let error = write_image(&source, Cursor::new(&mut bytes[..]), "workspace", &|_| ());
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "cannot write the image");
    assert_eq!(error.code(), "archive_write_failed");
    assert!(bytes[..4096].iter().all(|byte| *byte == 0));
    let mut bytes = vec![0; 5 << 20];
    let error = write_tar(&source, &mut bytes[..], LIMITS, &|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "cannot write the stream");
}

#[test]
fn paths_that_a_receiver_would_not_take_are_refused_before_anything_is_sent() {
    let names = ["directory/", "directory/one", "directory/two", "three"];
    let list_bytes = names.join("").len() as u64 - 1 + 37 + 3 * 3;
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("directory")).unwrap();
    for name in &names[1..] {
        fs::write(place.path().join(name), "content").unwrap();
    }
    let limits = |path_bytes, list_bytes| PathLimits {
        path_bytes,
        list_bytes,
    };
    let source = Source::open("source_path", place.path()).unwrap();
    let check = |path_bytes, list_bytes| source.check_paths(limits(path_bytes, list_bytes));
    check(13, list_bytes).unwrap();
    let error = check(13, list_bytes - 1).unwrap_err();
    assert!(matches!(error, Error::PathListTooLong { .. }), "{error}");
    assert_eq!(error.code(), "archive_too_large");
    let error = check(12, list_bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive member path is too long: directory/one"
    );
    // What is left out does not count.
    let selection = Selection::without(["three"]).unwrap();
    let selected = Source::open("source_path", place.path()).unwrap();
    let selected = selected.select(selection).unwrap();
    selected.check_paths(limits(13, list_bytes - 1)).unwrap();
    // A tar file is read once. Its parents count, whether it mentions them or not.
    let (_directory, tar) = Tar::default().file("directory/one", "content").source();
    let wanted = 9 + 37 + 13 + 3;
    tar.check_paths(limits(0, 0)).unwrap();
    let written = |limit| write_tar(&tar, std::io::sink(), limits(13, limit), &|_| ());
    written(wanted).unwrap();
    assert_eq!(written(wanted - 1).unwrap_err().code(), "archive_too_large");
}
