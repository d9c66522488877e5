//! What is left out of a source, by whom, and that it is said.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use pyro_archive::{Error, Reason, Report, Selection, Source, Warning, write_tar};

use crate::{LIMITS, Tar, look, to_image, to_tar, unpack_image, unpack_tar};

fn write(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, *name).unwrap();
    }
}

/// Returns the names that are in an image and in a stream of a source, and its report.
fn names(source: &Source) -> (Vec<String>, Report) {
    let (image, report) = to_image(source).unwrap();
    let (stream, of_stream) = to_tar(source).unwrap();
    assert_eq!(report, of_stream);
    let into = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let seen = look(&unpack_image(&image, into[0].path()));
    let mut streamed = look(&unpack_tar(&stream, into[1].path()));
    streamed.remove(OsStr::new(pyro_archive::END_MEMBER));
    assert!(seen.keys().eq(streamed.keys()));
    assert_eq!(report.entry_count, seen.len() as u64);
    let names = seen.keys().map(|name| name.to_str().unwrap().to_owned());
    (names.collect(), report)
}

fn left_out(report: &Report) -> Vec<(&str, Reason)> {
    let named = report.left_out.named().iter();
    named.map(|(name, reason)| (&name[..], *reason)).collect()
}

#[test]
fn sockets_and_devices_are_left_out_and_links_and_fifos_kept() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    write(root, &["d/a", "z"]);
    drop(UnixListener::bind(root.join("d/socket")).unwrap());
    assert!(
        Command::new("mkfifo")
            .arg(root.join("d/fifo"))
            .status()
            .unwrap()
            .success()
    );
    symlink("/usr/bin/python3", root.join("d/python")).unwrap();
    symlink("../../out", root.join("d/out")).unwrap();
    let mut expected = vec![("d/socket", Reason::Socket)];
    let null = Command::new("mknod")
        .arg(root.join("null"))
        .args(["c", "1", "3"])
        .output();
    if null.is_ok_and(|made| made.status.success()) {
        expected.push(("null", Reason::Device));
    }
    let source = Source::open("seed_path", root).unwrap();
    let (names, report) = names(&source);
    assert_eq!(names, ["d", "d/a", "d/fifo", "d/out", "d/python", "z"]);
    assert_eq!(left_out(&report), expected);
}

#[test]
fn what_is_excluded_is_counted_and_named() {
    let place = tempfile::tempdir().unwrap();
    write(
        place.path(),
        &[
            "a.o",
            "a.c",
            "src/b.o",
            "src/b.c",
            "build/x",
            "src/build/y",
            "keep.o",
        ],
    );
    let selection = Selection::without(["*.o", "/build/", "!keep.o"]).unwrap();
    let source = Source::open("seed_path", place.path()).unwrap();
    let (of_directory, report) = names(&source.select(selection.clone()).unwrap());
    let expected = [
        "a.c",
        "keep.o",
        "src",
        "src/b.c",
        "src/build",
        "src/build/y",
    ];
    assert_eq!(of_directory, expected);
    let out = [
        ("a.o", Reason::Excluded),
        ("build", Reason::Excluded),
        ("src/b.o", Reason::Excluded),
    ];
    assert_eq!(left_out(&report), out);
    assert_eq!(
        report.left_out.counts().collect::<Vec<_>>(),
        [(Reason::Excluded, 3)]
    );

    // The same of an archive; and what may not be in one does not matter if it is not wanted.
    let tar = place.path().join("a.tar");
    let sorted = [
        "-C",
        place.path().to_str().unwrap(),
        "--sort=name",
        "-cf",
        tar.to_str().unwrap(),
    ];
    let made = Command::new("tar")
        .args(sorted)
        .args(["--exclude=a.tar", "."])
        .status();
    assert!(made.unwrap().success());
    let source = Source::open("seed_path", &tar).unwrap();
    let (of_archive, report) = names(&source.select(selection).unwrap());
    assert_eq!(of_archive, expected);
    assert_eq!(left_out(&report), out);

    let tar = Tar::default().file("/etc/shadow", "1").file("../a", "2");
    let (_directory, source) = tar.file("b", "3").source();
    let error = to_image(&source).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    let selection = Selection::without(["/etc", "a"]).unwrap();
    let (seen, report) = names(&source.select(selection).unwrap());
    assert_eq!(seen, ["b"]);
    assert_eq!(
        left_out(&report),
        [("etc", Reason::Excluded), ("a", Reason::Excluded)]
    );
}

#[test]
fn a_hard_link_goes_with_the_file_that_it_names() {
    let tar = Tar::default()
        .file("big", "1")
        .link("d/same", "big")
        .file("a", "2");
    let (_directory, source) = tar.source();
    let selection = Selection::without(["big"]).unwrap();
    let (seen, report) = names(&source.select(selection).unwrap());
    assert_eq!(seen, ["a"]);
    let out = [("big", Reason::Excluded), ("d/same", Reason::Excluded)];
    assert_eq!(left_out(&report), out);
}

#[test]
fn what_git_ignores_is_left_out_on_demand() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    write(
        root,
        &[
            "target/x",
            "a.log",
            "src/a.rs",
            "src/gen/x",
            "src/keep.log",
            "notes",
            "sub/.git/HEAD",
            "sub/a.log",
            "web/node_modules/m/i.js",
            "deep/er/top.txt",
            "top.txt",
        ],
    );
    fs::create_dir_all(root.join(".git/info")).unwrap();
    fs::write(root.join(".git/info/exclude"), "notes\n").unwrap();
    fs::write(
        root.join(".gitignore"),
        "# all\n\ntarget/\n*.log\nnode_modules\n/top.txt\n",
    )
    .unwrap();
    fs::write(root.join("src/.gitignore"), "/gen\n!keep.log\n").unwrap();
    let open = |path: &Path| {
        let selection = Selection::default().without_git_ignored(true);
        Source::open("seed_path", path)
            .unwrap()
            .select(selection)
            .unwrap()
    };
    let (seen, report) = names(&open(root));
    let expected = [
        ".git",
        ".git/info",
        ".git/info/exclude",
        ".gitignore",
        "deep",
        "deep/er",
        "deep/er/top.txt",
        "src",
        "src/.gitignore",
        "src/a.rs",
        "src/keep.log",
        "sub",
        "sub/.git",
        "sub/.git/HEAD",
        "sub/a.log",
        "web",
    ];
    assert_eq!(seen, expected);
    let out = [
        "a.log",
        "notes",
        "src/gen",
        "target",
        "top.txt",
        "web/node_modules",
    ];
    let out: Vec<_> = out.iter().map(|name| (*name, Reason::GitIgnored)).collect();
    assert_eq!(left_out(&report), out);

    // The rules above it hold, up to the top of the repository.
    let (seen, _) = names(&open(&root.join("web")));
    assert!(seen.is_empty(), "{seen:?}");
    // A directory that is shown by somebody else is not looked out of.
    let opened = fs::File::open(root.join("web")).unwrap();
    let opened = Source::opened("seed_path", root.join("web"), opened.into()).unwrap();
    let selection = Selection::default().without_git_ignored(true);
    let (seen, _) = names(&opened.select(selection.clone()).unwrap());
    assert_eq!(seen.len(), 3, "{seen:?}");

    // As git sees it.
    let git = |arguments: &[&str]| {
        Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output()
    };
    fs::remove_dir_all(root.join("sub")).unwrap();
    fs::remove_dir_all(root.join(".git")).unwrap();
    if git(&["init", "-q"]).is_ok_and(|output| output.status.success()) {
        fs::write(root.join(".git/info/exclude"), "notes\n").unwrap();
        let listed = git(&["ls-files", "--others", "--exclude-standard"]).unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let (seen, _) = names(&open(root));
        let files = seen.iter().filter(|name| root.join(name).is_file());
        let files: Vec<_> = files.filter(|name| !name.starts_with(".git/")).collect();
        let mut listed: Vec<_> = listed.lines().collect();
        listed.sort_unstable();
        assert_eq!(files, listed);
    }

    let (_directory, tar) = Tar::default().file("a", "1").source();
    assert_eq!(
        tar.select(selection).unwrap_err().code(),
        "archive_without_git"
    );
}

#[test]
fn what_goes_away_is_left_out() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    write(root, &["b", "c/d", "e"]);
    fs::write(root.join("a"), vec![b'a'; 3 << 20]).unwrap();
    let source = Source::open("seed_path", root).unwrap();
    let done = Cell::new(false);
    let mut stream = Vec::new();
    let report = write_tar(&source, &mut stream, LIMITS, &|_| {
        if !done.replace(true) {
            fs::remove_file(root.join("b")).unwrap();
            fs::remove_dir_all(root.join("c")).unwrap();
        }
    });
    let report = report.unwrap();
    assert_eq!(
        left_out(&report),
        [("b", Reason::Vanished), ("c", Reason::Vanished)]
    );
    assert_eq!(report.entry_count, 2);
}

/// Runs something that may not read everything, though the superuser runs the tests.
fn as_nobody<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                // Of this thread alone.
                let nobody = rustix::process::Uid::from_raw(65534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            run()
        });
        thread.join().unwrap()
    })
}

#[test]
fn what_cannot_be_read_fails_unless_it_may_be_left_out() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    write(root, &["a", "closed/b", "secret", "z"]);
    let set = |name: &str, mode| {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set(".", 0o755);
    set("secret", 0o000);
    set("closed", 0o700);
    if !rustix::process::geteuid().is_root() {
        set("closed", 0o000);
    }
    let (error, report) = as_nobody(|| {
        let source = Source::open("seed_path", root).unwrap();
        let mut sink = std::io::sink();
        let error = write_tar(&source, &mut sink, LIMITS, &|_| ()).unwrap_err();
        let selection = Selection::default().skip_unreadable(true);
        let source = source.select(selection).unwrap();
        (
            error,
            write_tar(&source, &mut sink, LIMITS, &|_| ()).unwrap(),
        )
    });
    set("closed", 0o700);
    assert_eq!(error.code(), "archive_unreadable");
    assert!(error.to_string().ends_with("/closed"), "{error}");
    let out = [
        ("closed", Reason::Unreadable),
        ("secret", Reason::Unreadable),
    ];
    assert_eq!(left_out(&report), out);
    assert_eq!(report.entry_count, 2);
}

#[test]
fn only_the_first_are_named_and_all_are_counted() {
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..50).map(|number| format!("{number:02}.o")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    write(place.path(), &names);
    let selection = Selection::without(["*.o"]).unwrap();
    let source = Source::open("seed_path", place.path())
        .unwrap()
        .select(selection)
        .unwrap();
    let (_, report) = to_image(&source).unwrap();
    assert_eq!(report.left_out.count(), 50);
    assert_eq!(report.left_out.named().len(), pyro_archive::NAMED);
}

#[test]
fn a_tree_whose_git_data_are_elsewhere_is_said() {
    for (text, is_elsewhere) in [
        ("gitdir: /home/me/main/.git/worktrees/tree\n", true),
        ("gitdir: ../../main/.git/worktrees/tree\n", true),
        ("gitdir: ../.git/modules/sub\n", false),
        ("something else\n", false),
    ] {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), &["sub/a"]);
        fs::write(place.path().join("sub/.git"), text).unwrap();
        let source = Source::open("seed_path", place.path()).unwrap();
        let (_, report) = to_image(&source).unwrap();
        let is_said = matches!(&report.warnings[..], [Warning::GitElsewhere { file, .. }] if file == "sub/.git");
        assert_eq!(is_said, is_elsewhere, "{text} {:?}", report.warnings);
    }
}
