//! Hand-written patches: how they are parsed, and why some are refused.

#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::format_collect,
    reason = "a failed test says where"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;

use pyro_diff::{
    Action, Applied, ApplyError, Misfit, Mode, ParseOptions, Present, Reason, Side, apply, parse,
};

const OPTIONS: ParseOptions = ParseOptions {
    limit: 100_000,
    strip: None,
};

/// Patches, and the end of the message with which each is refused.
const REFUSED: &[(&str, &str)] = &[
    ("", "line 1: there is no change here"),
    (
        "a letter\nwithout a change\n",
        "line 3: there is no change here",
    ),
    ("@@ -1 +1 @@\n-a\n+b\n", "line 1: a hunk without a header"),
    (
        "@@@ -1,2 -1,2 +1,3 @@@\n",
        "line 1: this is the combined difference",
    ),
    (
        "Binary files a/x and b/x differ\n",
        "line 1: the patch says that binary files differ",
    ),
    (
        "diff --git a/x b/x\nindex 12..34 100644\nBinary files a/x and b/x differ\n",
        "line 3, x: the patch says that binary files differ",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-a\n+b\n",
        "line 6, x, hunk 1: the hunk ends early: 1 old and 1 new",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n",
        "line 6, x, hunk 1: the hunk has more lines",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n-c\n",
        "line 6, x, hunk 1: the hunk has more lines",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n-b\n",
        "line 5, x, hunk 1: the hunk ends early: 0 old and 1 new",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n",
        "line 3, x, hunk 1: the hunk changes nothing",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n@@ -x +1 @@\n",
        "line 6, x, hunk 2: '@@ -LINE,COUNT",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -99999999999999999999 +1 @@\n-a\n+b\n",
        "line 3, x, hunk 1: '@@ -LINE,COUNT",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b",
        "line 5, x, hunk 1: the patch ends within a line",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n\\ No newline at end of file\n-b\n+c\n",
        "line 6, x, hunk 1: '\\ No newline",
    ),
    (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n\\ No newline at end of file\n",
        "line 4, x, hunk 1: the hunk ends early",
    ),
    (
        "--- /x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path /x is not allowed in a patch: it is absolute",
    ),
    (
        "--- a//x\n+++ b//x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path /x is not allowed in a patch: it is absolute",
    ),
    (
        "--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path ../x is not allowed in a patch: it has a part '..'",
    ),
    (
        "--- a/./x\n+++ b/./x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path ./x is not allowed in a patch: it has a part '.'",
    ),
    (
        "--- a/x//y\n+++ b/x//y\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path x//y is not allowed in a patch: it has an empty part",
    ),
    (
        "--- a/x/\n+++ b/x/\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path x/ is not allowed in a patch: it has an empty part",
    ),
    (
        "--- \"a/x\\000\"\n+++ \"b/x\\000\"\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: path \"x\\000\" is not allowed in a patch: it has a NUL",
    ),
    (
        "--- \"a/x\n+++ \"b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: a quoted name is invalid",
    ),
    (
        "--- \"a/\\400\"\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 1: a quoted name is invalid",
    ),
    (
        "--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+b\n",
        "line 1: the header contradicts itself",
    ),
    (
        "--- /dev/null\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "line 3, x, hunk 1: the header contradicts itself: a new file has old lines",
    ),
    (
        "--- a/x\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n",
        "line 3, x, hunk 1: the header contradicts itself: a deleted file has new lines",
    ),
    (
        "diff --git a/x b/x\nnew file mode 160000\n",
        "line 2, x: mode 160000 is neither",
    ),
    (
        "diff --git a/x b/x\nold mode 100644\nnew mode 120000\n",
        "line 4, x: the header contradicts itself: a file does not become",
    ),
    (
        "diff --git a/x b/x\nnew file mode 100644\ndeleted file mode 100644\n",
        "line 3, x: the header contradicts itself: it is at once",
    ),
    (
        "diff --git a/x b/y\nrename from x\n",
        "line 3: the header contradicts itself: a rename or copy needs both",
    ),
    (
        "diff --git a/x b/y\nrename from ../x\nrename to y\n",
        "line 2: path ../x is not allowed",
    ),
    (
        "diff --git a/x b/y\nrename from x\nrename to y\n--- a/z\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
        "line 6: the header contradicts itself: '---'",
    ),
    (
        "diff --git a/x b/x\nindex 1..2 100644\n",
        "line 3, x: '@@ -LINE,COUNT",
    ),
    (
        "diff --git x x\nold mode 100644\nnew mode 100755\n",
        "line 4: the header names no file after 1 leading",
    ),
    (
        "diff --git a/x b/y\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
        "line 4: the two sides have different names, x and y",
    ),
    (
        "diff --git a/x b/x\nnew file mode 100644\nindex 0..1\nGIT binary patch\nliteral 0\nHcmV?d00001\n\n",
        "line 4, x: a binary change needs the full ids",
    ),
    (
        concat!(
            "diff --git a/x b/x\nindex ",
            "0123456789012345678901234567890123456789..0123456789012345678901234567890123456789",
            "\nGIT binary patch\nliteral 5\nHcmV?d00001\n\n"
        ),
        "line 5, x, hunk 1: the binary hunk is damaged: it does not have the size",
    ),
    (
        concat!(
            "diff --git a/x b/x\nindex ",
            "0123456789012345678901234567890123456789..0123456789012345678901234567890123456789",
            "\nGIT binary patch\nliteral 0\nHcmV?d0000\n\n"
        ),
        "line 5, x, hunk 1: the binary hunk is damaged: a line is no base 85",
    ),
    (
        concat!(
            "diff --git a/x b/x\nindex ",
            "0123456789012345678901234567890123456789..0123456789012345678901234567890123456789",
            "\nGIT binary patch\nliteral 0\nHcmV?d00000\n\n"
        ),
        "line 5, x, hunk 1: the binary hunk is damaged: it cannot be inflated",
    ),
    (
        concat!(
            "diff --git a/x b/x\nindex ",
            "0123456789012345678901234567890123456789..0123456789012345678901234567890123456789",
            "\nGIT binary patch\ndelta 99999999999\nHcmV?d00001\n\n"
        ),
        "line 5, x, hunk 1: the patch, with what is packed in it, is larger",
    ),
];

#[test]
fn what_is_no_patch_is_refused_with_its_place() {
    for (patch, expected) in REFUSED {
        let error = parse(patch.as_bytes(), OPTIONS).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{patch}\n{error}\n{expected}");
    }
    let limit = 10;
    let error = parse(b"more than ten", ParseOptions { limit, ..OPTIONS }).unwrap_err();
    assert!(error.to_string().ends_with("larger than 10 bytes"));
    let deep = format!(
        "--- {0}\n+++ {0}\n@@ -1 +1 @@\n-a\n+b\n",
        "d/".repeat(300) + "x"
    );
    let error = parse(deep.as_bytes(), OPTIONS).unwrap_err().to_string();
    assert!(error.ends_with("it has more than 256 parts"), "{error}");
}

/// Headers, and the path and action that are parsed from them.
const NAMES: &[(&str, &str, Action)] = &[
    ("--- a/src/x\n+++ b/src/x\n", "src/x", Action::Modify),
    (
        "--- old/src/x\t2024-01-01 00:00:00.5 +0100\n+++ new/src/x\t2024-01-01 00:00:00 +0100\n",
        "src/x",
        Action::Modify,
    ),
    ("--- src/x\n+++ src/x\n", "src/x", Action::Modify),
    ("--- x\n+++ x\n", "x", Action::Modify),
    ("--- src/x.orig\n+++ src/x\n", "src/x", Action::Modify),
    ("--- src/x\n+++ src/x.new\n", "src/x", Action::Modify),
    (
        "--- \"old/with space\"\t2024-01-01\n+++ \"new/with space\"\t2024-01-01\n",
        "with space",
        Action::Modify,
    ),
    (
        "--- a/with space\n+++ b/with space\n",
        "with space",
        Action::Modify,
    ),
    (
        "--- \"a/\\303\\244\\t\\\"\"\n+++ \"b/\\303\\244\\t\\\"\"\n",
        "\u{e4}\t\"",
        Action::Modify,
    ),
    (
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n",
        "x",
        Action::Modify,
    ),
    (
        "diff --git i/x w/x\n--- i/x\n+++ w/x\n",
        "x",
        Action::Modify,
    ),
    (
        "diff --git a/old/x b/new/x\n--- a/old/x\n+++ b/new/x\n",
        "x",
        Action::Modify,
    ),
    (
        "diff --git a/x b b/x b\n--- a/x b\t\n+++ b/x b\t\n",
        "x b",
        Action::Modify,
    ),
    (
        "From: someone\n\ndiff --git is said here\n--- \n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n",
        "x",
        Action::Modify,
    ),
];

#[test]
fn a_header_names_a_file() {
    for (header, path, action) in NAMES {
        let patch = format!("{header}@@ -1 +1 @@ fn f()\n-a\n+b\n-- \n2.47\n");
        let patch = parse(patch.as_bytes(), OPTIONS).map_err(|error| format!("{header}{error}"));
        let patch = patch.unwrap();
        let [file] = patch.files() else {
            panic!("{header}");
        };
        assert_eq!(
            (file.path(), file.action()),
            (path.as_bytes(), *action),
            "{header}"
        );
        assert_eq!(file.line_counts(), (1, 1));
    }
    for (names, path) in [
        ("a/x b/x", "x"),
        ("a/x b/x b/x b/x", "x b/x"),
        ("\"a/\\001\" \"b/\\001\"", "\u{1}"),
        ("a/d/x y b/d/x y", "d/x y"),
        ("a/ b/  b/ b/ ", " b/ "),
    ] {
        let patch = format!("diff --git {names}\nold mode 100644\nnew mode 100755\n");
        let found = parse(patch.as_bytes(), OPTIONS);
        // The last path ends with an empty component, which is invalid.
        match found {
            Ok(found) => assert_eq!(found.files()[0].path(), path.as_bytes()),
            Err(error) => assert!(path.ends_with("/ "), "{error}"),
        }
    }
    let epoch = "1969-12-31 23:00:00.000000000 -0100";
    let patch =
        format!("--- old/x\t{epoch}\n+++ new/x\t2024-01-01 00:00:00 +0000\n@@ -0,0 +1 @@\n+b\n");
    assert_eq!(
        parse(patch.as_bytes(), OPTIONS).unwrap().files()[0].action(),
        Action::Create
    );
    let patch =
        format!("--- old/x\t2024-01-01 00:00:00 +0000\n+++ new/x\t{epoch}\n@@ -1 +0,0 @@\n-b\n");
    assert_eq!(
        parse(patch.as_bytes(), OPTIONS).unwrap().files()[0].action(),
        Action::Delete
    );
    let patch = b"--- p/q/x\n+++ p/q/x\n@@ -1 +1 @@\n-a\n+b\n";
    let strip = Some(2);
    let patch = parse(patch, ParseOptions { strip, ..OPTIONS }).unwrap();
    assert_eq!(patch.files()[0].path(), b"x");
}

fn applied(files: &[(&str, &str)], patch: &str) -> Result<Applied, ApplyError<Infallible>> {
    let files: BTreeMap<&[u8], &str> = files
        .iter()
        .map(|(path, content)| (path.as_bytes(), *content))
        .collect();
    let patch = parse(patch.as_bytes(), OPTIONS).unwrap();
    apply(&patch, OPTIONS.limit, |path| {
        Ok(match files.get(path) {
            Some(&"directory") => Present::Directory,
            Some(&"device") => Present::Other,
            Some(target) if path == b"link" => Present::Side(side(Mode::Symlink, target)),
            Some(content) => Present::Side(side(Mode::Regular, content)),
            None => Present::Nothing,
        })
    })
}

fn side(mode: Mode, content: &str) -> Side {
    let content = content.as_bytes().to_vec();
    Side { mode, content }
}

fn reasons(files: &[(&str, &str)], patch: &str) -> Vec<(String, Reason)> {
    match applied(files, patch) {
        Err(ApplyError::Refused { refusals, more: 0 }) => refusals
            .into_iter()
            .map(|refusal| (String::from_utf8(refusal.path).unwrap(), refusal.reason))
            .collect(),
        other => panic!("{other:?}\n{patch}"),
    }
}

#[test]
fn every_hunk_that_does_not_fit_is_told_with_what_is_there_instead() {
    let patch = "--- a/x\n+++ b/x\n@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n@@ -6,3 +6,3 @@\n f\n-g\n+G\n h\n\
                 @@ -10 +10 @@\n-last\n+Last\n--- a/y\n+++ b/y\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n";
    let files = [
        ("x", "a\nb\nother\nd\ne\nf\ng\nh\ni\nj\n"),
        ("y", "new\na\nb\n"),
    ];
    let found = reasons(&files, patch);
    let lines = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| line.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let [
        (_, Reason::Hunk(first)),
        (_, Reason::Hunk(last)),
        (_, Reason::Hunk(start)),
    ] = &found[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!((first.hunk, first.at, first.why), (1, 3, Misfit::NotFound));
    assert_eq!(first.expected, lines(&["c\n", "d\n"]));
    assert_eq!(first.found, lines(&["other\n", "d\n", "e\n"]));
    assert_eq!((last.hunk, last.at, last.why), (3, 10, Misfit::NotAtEnd));
    assert_eq!(
        (start.hunk, start.at, start.why),
        (1, 1, Misfit::NotAtStart)
    );
    let message = applied(&files, patch).unwrap_err().to_string();
    let expected = "the patch does not fit: x: hunk 1 does not fit at line 3: its lines are not in the file; \
                    expected 'c'; found 'other' (and 2 more)";
    assert_eq!(message, expected);
}

#[test]
fn a_hunk_that_has_moved_says_by_how_much() {
    let patch = "--- a/x\n+++ b/x\n@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n";
    let applied = applied(&[("x", "0\n0\na\nb\nc\nd\ne\n")], patch).unwrap();
    assert_eq!(applied.moved[0].by, 2);
    let changed = applied.changes[&b"x"[..]].as_ref().unwrap();
    assert_eq!(changed.content, b"0\n0\na\nb\nC\nd\ne\n");
}

#[test]
fn what_is_there_decides_whether_a_file_can_be_made_or_go() {
    let new =
        "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+b\n";
    let gone =
        "diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n";
    let renamed = "diff --git a/x b/y\nrename from x\nrename to y\n";
    let copied = "diff --git a/x b/y\ncopy from x\ncopy to y\n";
    let link = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+t\n\
                \\ No newline at end of file\n";
    let below = "diff --git a/x/y b/x/y\nnew file mode 100644\n";
    let plain = "--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+b\n";
    let irreversible = "diff --git a/x b/x\ndeleted file mode 100644\nindex 1..0\n";
    let mode = "diff --git a/link b/link\nold mode 100644\nnew mode 100755\n";
    let name = |path: &str, reason: Reason| vec![(path.to_owned(), reason)];
    let wrong = |found| Reason::WrongType {
        expected: "a file",
        found,
    };

    assert_eq!(reasons(&[("x", "b\n")], new), name("x", Reason::Exists));
    assert_eq!(
        reasons(&[("x", "directory")], new),
        name("x", Reason::Exists)
    );
    assert_eq!(reasons(&[], gone), name("x", Reason::Missing));
    assert_eq!(
        reasons(&[("x", "directory")], gone),
        name("x", wrong("a directory"))
    );
    assert_eq!(
        reasons(&[("x", "device")], gone),
        name("x", wrong("something else"))
    );
    assert_eq!(
        reasons(&[("link", "t")], mode),
        name("link", wrong("a symbolic link"))
    );
    assert_eq!(
        reasons(&[("x", "b")], irreversible),
        name("x", Reason::NotEmpty)
    );
    assert_eq!(
        reasons(&[("x", ""), ("y", "")], renamed),
        name("y", Reason::Exists)
    );
    assert_eq!(
        reasons(&[("x", ""), ("y", "")], copied),
        name("y", Reason::Exists)
    );
    assert_eq!(
        reasons(&[("x", "")], below),
        name("x/y", Reason::BelowFile(b"x".to_vec()))
    );
    assert_eq!(
        reasons(&[], &[new, below].concat()),
        name("x/y", Reason::BelowFile(b"x".to_vec()))
    );
    // Changes that follow from a refusal are not refused again.
    assert_eq!(
        reasons(&[], &[gone, gone].concat()),
        name("x", Reason::Missing)
    );
    assert_eq!(
        reasons(&[("x", "b\n")], &[gone, gone].concat()),
        name("x", Reason::Gone)
    );
    assert_eq!(
        reasons(&[("x", "c\n")], &[renamed, "\n", plain].concat()),
        name("x", Reason::Gone)
    );

    let made = applied(&[], link).unwrap();
    assert_eq!(made.changes[&b"l"[..]], Some(side(Mode::Symlink, "t")));
    assert_eq!(applied(&[], plain).unwrap(), applied(&[], new).unwrap());
    assert!(
        applied(&[], &[new, gone].concat())
            .unwrap()
            .changes
            .is_empty()
    );
    assert!(applied(&[("x", "b\n")], &[gone, below].concat()).is_ok());
    let swapped = "diff --git a/x b/y\nrename from x\nrename to y\ndiff --git a/y b/x\nrename from y\nrename to x\n";
    let swapped = applied(&[("x", "1"), ("y", "2")], swapped).unwrap();
    assert_eq!(swapped.changes[&b"x"[..]], Some(side(Mode::Regular, "2")));
    assert_eq!(swapped.changes[&b"y"[..]], Some(side(Mode::Regular, "1")));
    let one = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
    let two = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c\n";
    let both = applied(&[("x", "a\n")], &[one, two].concat()).unwrap();
    assert_eq!(both.changes[&b"x"[..]], Some(side(Mode::Regular, "c\n")));
}

#[test]
fn an_empty_target_is_no_link() {
    let link = "diff --git a/l b/l\nnew file mode 120000\n";
    assert_eq!(reasons(&[], link), [("l".to_owned(), Reason::Link)]);
}

#[test]
fn copies_count_against_the_limit() {
    let copies: String = (0..20)
        .map(|n| format!("diff --git a/x b/{n}\ncopy from x\ncopy to {n}\n"))
        .collect();
    let large = "y".repeat(10_000);
    let result = applied(&[("x", &large)], &copies);
    assert!(matches!(
        result,
        Err(ApplyError::TooLarge { limit: 100_000 })
    ));
}

#[test]
fn a_search_without_end_is_refused() {
    let mut patch = "--- a/x\n+++ b/x\n".to_owned();
    let context = " a\n".repeat(200);
    for _ in 0..40 {
        patch.extend(["@@ -9,202 +9,203 @@\n", &context, " b\n+n\n b\n"]);
    }
    let limit = 1 << 24;
    let patch = parse(patch.as_bytes(), ParseOptions { limit, ..OPTIONS }).unwrap();
    let content = "a\n".repeat(100_000) + "b\n";
    let read = |_: &[u8]| Ok::<_, Infallible>(Present::Side(side(Mode::Regular, &content)));
    let Err(ApplyError::Refused { refusals, .. }) = apply(&patch, limit, read) else {
        panic!("it does not fit");
    };
    assert_eq!(refusals.len(), 40);
    let is_too_long =
        |reason: &Reason| matches!(reason, Reason::Hunk(hunk) if hunk.why == Misfit::SearchTooLong);
    assert!(is_too_long(&refusals[39].reason), "{:?}", refusals[39]);
}
