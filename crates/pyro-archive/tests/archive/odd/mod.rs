//! Archives that readers do not agree on, or that one would expect them not to: what GNU tar,
//! bsdtar and Python's tarfile make of each, and what is made of it here.

mod table;

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pyro_archive::Source;

use crate::{to_image, to_tar, unpack_image, unpack_tar};
use table::table;

/// One archive.
struct Odd {
    name: &'static str,
    /// Its ending: what it is called.
    ending: &'static str,
    make: fn() -> Vec<u8>,
    /// What the others do.
    gnu: Outcome,
    bsdtar: Outcome,
    python: Outcome,
    /// What is done here.
    here: Outcome,
    /// Why, where that is not what all of them do; and where it is no matter of course.
    why: &'static str,
}

/// What becomes of an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// All is well, and this is there.
    Takes(&'static str),
    /// There is an error, and this is there all the same. Here there is never a part.
    Partly(&'static str),
    /// There is an error with this code, or of another program any, and nothing is there.
    Refuses(&'static str),
    /// It depends on who asks.
    Depends,
}

/// The versions that the columns are of; others may have changed their minds.
const GNU_TAR: &str = "tar (GNU tar) 1.34";
const BSDTAR: &str = "bsdtar 3.6.";
const PYTHON: &str = "Python 3.11.";

/// Makes Python take an archive as careful programs have it done.
const PYTHON_PROGRAM: &str = "import sys, tarfile\n\
    tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='data')";

#[test]
fn the_table_is_long_and_says_why() {
    let lines: Vec<_> = table().collect();
    assert!(lines.len() >= 60, "{}", lines.len());
    for (index, odd) in lines.iter().enumerate() {
        let twice = lines[..index].iter().any(|other| other.name == odd.name);
        assert!(!twice, "{} is there twice", odd.name);
        let agree = [odd.gnu, odd.bsdtar, odd.python]
            .iter()
            .all(|other| same(*other, odd.here));
        assert!(
            agree || !odd.why.is_empty(),
            "{}: no one says why",
            odd.name
        );
    }
}

#[test]
fn odd_archives_are_read_as_the_table_says() {
    let mut wrong = String::new();
    for odd in table() {
        let (directory, path) = write(odd);
        let source = Source::open("seed_path", &path).unwrap();
        let seen = match to_image(&source) {
            Ok((image, report)) => {
                let root = unpack_image(&image, directory.path());
                let into = tempfile::tempdir().unwrap();
                let (stream, of_stream) = to_tar(&source).unwrap();
                assert_eq!(report, of_stream, "{}", odd.name);
                let from_stream = unpack_tar(&stream, into.path());
                fs::remove_file(from_stream.join(pyro_archive::END_MEMBER)).unwrap();
                let seen = describe(&root);
                assert_eq!(seen, describe(&from_stream), "{}", odd.name);
                format!("Takes({seen:?})")
            }
            Err(error) => {
                assert_eq!(to_tar(&source).unwrap_err().code(), error.code());
                format!("Refuses({:?})", error.code())
            }
        };
        if format!("{:?}", odd.here) != seen {
            writeln!(wrong, "{}: {:?}, but {seen}", odd.name, odd.here).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_others_do_as_the_table_says() {
    type Column = fn(&Odd) -> Outcome;
    let tools: [(&str, &str, Column, &[&str]); 3] = [
        (
            "tar",
            GNU_TAR,
            |odd| odd.gnu,
            &["--no-same-owner", "-xf", "FILE", "-C", "INTO"],
        ),
        (
            "bsdtar",
            BSDTAR,
            |odd| odd.bsdtar,
            &["--no-same-owner", "-xf", "FILE", "-C", "INTO"],
        ),
        (
            "python3",
            PYTHON,
            |odd| odd.python,
            &["-c", PYTHON_PROGRAM, "FILE", "INTO"],
        ),
    ];
    let mut wrong = String::new();
    for (tool, version, column, arguments) in tools {
        let found = Command::new(tool)
            .arg("--version")
            .stderr(Stdio::null())
            .output();
        let found = found.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        match found {
            Ok(found) if found.starts_with(version) => {}
            found => {
                let found = found.unwrap_or_default();
                let first = found.lines().next().unwrap_or("nothing");
                eprintln!(
                    "SKIPPED the_others_do_as_the_table_says: there is {first} and not {version}"
                );
                continue;
            }
        }
        if tool == "python3" && !has_filters() {
            eprintln!("SKIPPED the_others_do_as_the_table_says: this Python has no filters");
            continue;
        }
        for odd in table() {
            let expected = column(odd);
            let seen = asked(odd, tool, arguments);
            if expected != Outcome::Depends && !is_seen(expected, &seen) {
                writeln!(wrong, "{}: {tool}: {expected:?}, but {seen:?}", odd.name).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Distributions keep old versions of Python without what was added to them.
fn has_filters() -> bool {
    let mut python = Command::new("python3");
    let status = python
        .args(["-c", "import tarfile; tarfile.data_filter"])
        .stderr(Stdio::null());
    status.status().is_ok_and(|status| status.success())
}

/// Whether two readers do the same, as far as the table tells.
fn same(one: Outcome, other: Outcome) -> bool {
    match (one, other) {
        (Outcome::Refuses(_), Outcome::Refuses(_)) => true,
        (one, other) => one == other,
    }
}

fn is_seen(expected: Outcome, (is_well, names): &(bool, String)) -> bool {
    match expected {
        Outcome::Takes(expected) => *is_well && expected == names,
        Outcome::Partly(expected) => !*is_well && expected == names,
        Outcome::Refuses(_) => !*is_well && names.is_empty(),
        Outcome::Depends => true,
    }
}

fn write(odd: &Odd) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("a{}", odd.ending));
    fs::write(&path, (odd.make)()).unwrap();
    (directory, path)
}

/// Has another program unpack an archive; returns whether it was content, and what is there.
fn asked(odd: &Odd, tool: &str, arguments: &[&str]) -> (bool, String) {
    let (directory, path) = write(odd);
    let into = directory.path().join("outer/into");
    fs::create_dir_all(&into).unwrap();
    let mut command = Command::new(tool);
    for argument in arguments {
        match *argument {
            "FILE" => command.arg(&path),
            "INTO" => command.arg(&into),
            argument => command.arg(argument),
        };
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.success(), describe(&into))
}

/// Tells all that is in a directory on one line: `d/`, `file=content`, `large#size`, `link->target`,
/// `fifo|`.
fn describe(root: &Path) -> String {
    let mut words = Vec::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy();
            let name = match name.len() {
                0..=40 => name.into_owned(),
                length => format!("~{length}"),
            };
            let metadata = fs::symlink_metadata(&path).unwrap();
            words.push(if metadata.is_dir() {
                ahead.push(path);
                format!("{name}/")
            } else if metadata.is_symlink() {
                format!("{name}->{}", fs::read_link(&path).unwrap().display())
            } else if metadata.file_type().is_fifo() {
                format!("{name}|")
            } else if metadata.is_file() {
                let size = metadata.len();
                let content = match size {
                    0..=8 => fs::read(&path).unwrap(),
                    _ => b"\xff".to_vec(),
                };
                let is_plain = content.iter().all(u8::is_ascii_graphic);
                match String::from_utf8(content) {
                    Ok(content) if is_plain => format!("{name}={content}"),
                    _ => format!("{name}#{size}"),
                }
            } else {
                format!("{name}!")
            });
        }
    }
    words.sort();
    words.join(" ")
}
