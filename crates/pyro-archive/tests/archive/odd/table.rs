//! The *table* of odd archives. A line for each: its name, how it is made, what GNU tar, bsdtar and
//! Python make of it, what is made of it here, and why.

use std::io::Write;

use flate2::write::GzEncoder;

use super::Odd;
use super::Outcome::{Depends, Partly, Refuses, Takes};
use crate::Tar;

pub(super) const TABLE: &[Odd] = &[
    Odd {
        name: "nothing at all",
        ending: ".tar",
        make: || Vec::new(),
        gnu: Refuses(""),
        bsdtar: Takes(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "a file of no bytes is a download that has failed",
    },
    Odd {
        name: "one block of zeros",
        ending: ".tar",
        make: || vec![0; 512],
        gnu: Takes(""),
        bsdtar: Takes(""),
        python: Takes(""),
        here: Takes(""),
        why: "",
    },
    Odd {
        name: "an end mark alone",
        ending: ".tar",
        make: || tar().end(),
        gnu: Takes(""),
        bsdtar: Takes(""),
        python: Takes(""),
        here: Takes(""),
        why: "",
    },
    Odd {
        name: "no end mark",
        ending: ".tar",
        make: || tar().file("a", "1").cut(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "taken with a warning: it may have been cut",
    },
    Odd {
        name: "half an end mark",
        ending: ".tar",
        make: || pad(tar().file("a", "1").cut(), 512),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a lone block of zeros between members",
        ending: ".tar",
        make: || {
            [
                pad(tar().file("a", "1").cut(), 512),
                tar().file("b", "2").end(),
            ]
            .concat()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "zeros up to a record",
        ending: ".tar",
        make: || pad(tar().file("a", "1").end(), 8000),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "zeros that fill no block",
        ending: ".tar",
        make: || pad(tar().file("a", "1").end(), 100),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "something after the end",
        ending: ".tar",
        make: || [tar().file("a", "1").end(), b"garbage".repeat(100)].concat(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "taken with a warning",
    },
    Odd {
        name: "a second archive",
        ending: ".tar",
        make: || [tar().file("a", "1").end(), tar().file("b", "2").end()].concat(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "the first is taken, with a warning",
    },
    Odd {
        name: "cut in the padding",
        ending: ".tar",
        make: || tar().file("a", "1").cut()[..513].to_vec(),
        gnu: Partly("a="),
        bsdtar: Partly("a=1"),
        python: Partly("a=1"),
        here: Takes("a=1"),
        why: "what belongs to the member is all there; with a warning",
    },
    Odd {
        name: "cut in the content",
        ending: ".tar",
        make: || tar().file("a", "12345678").cut()[..515].to_vec(),
        gnu: Partly("a="),
        bsdtar: Partly("a#8"),
        python: Partly("a="),
        here: Refuses("archive_damaged"),
        why: "half a file is none",
    },
    Odd {
        name: "cut in a second header",
        ending: ".tar",
        make: || tar().file("a", "1").file("b", "2").cut()[..1100].to_vec(),
        gnu: Takes("a=1"),
        bsdtar: Partly("a=1"),
        python: Takes("a=1"),
        here: Refuses("archive_damaged"),
        why: "what follows is lost, and that is no reason to be silent",
    },
    Odd {
        name: "a second header altered",
        ending: ".tar",
        make: || altered(tar().file("a", "1").file("b", "2").end(), 1024),
        gnu: Partly("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Refuses("archive_damaged"),
        why: "what follows is lost, and that is no reason to be silent",
    },
    Odd {
        name: "noise",
        ending: ".tar",
        make: || vec![7; 4096],
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "",
    },
    Odd {
        name: "a sum of signed bytes",
        ending: ".tar",
        make: || signed_sum(),
        gnu: Takes("ä=1"),
        bsdtar: Takes("ä=1"),
        python: Takes("ä=1"),
        here: Takes("ä=1"),
        why: "",
    },
    Odd {
        name: "a sum without its end",
        ending: ".tar",
        make: || sum(tar().file("a", "1").end(), None),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "",
    },
    Odd {
        name: "an empty sum",
        ending: ".tar",
        make: || sum(tar().file("a", "1").end(), Some(b"        ")),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "",
    },
    Odd {
        name: "sizes with spaces before",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 124, b"          1 "))
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "sizes with NULs before",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 124, b"\0\0\0\0\0\0\0\0\0\x31 \0");
                })
                .end()
        },
        gnu: Partly("a="),
        bsdtar: Takes("a="),
        python: Takes("a="),
        here: Refuses("archive_damaged"),
        why: "the size would be 0, and what follows no header",
    },
    Odd {
        name: "sizes without an end",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 124, b"000000000001"))
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "an empty size",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"", |h| put(h, 124, b"            "))
                .end()
        },
        gnu: Refuses(""),
        bsdtar: Takes("a="),
        python: Takes("a="),
        here: Takes("a="),
        why: "an empty field is 0",
    },
    Odd {
        name: "a size that is no number",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 124, b"many\0\0\0\0\0\0\0\0"))
                .end()
        },
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "a size of another base",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 124, b"\x80\0\0\0\0\0\0\0\0\0\0\x01");
                })
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a size below zero",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
                })
                .end()
        },
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Partly("a="),
        here: Refuses("archive_entry_refused"),
        why: "nobody knows where the next member begins",
    },
    Odd {
        name: "a size beyond all",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
                })
                .end()
        },
        gnu: Partly("a#1536"),
        bsdtar: Refuses(""),
        python: Partly("a="),
        here: Refuses("archive_entry_refused"),
        why: "no file has it, and no image has room for it",
    },
    Odd {
        name: "no mode, time or owner",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    for at in [100, 108, 116, 136] {
                        h[at..at + 8].fill(b' ');
                    }
                })
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "the size is what matters; a file without a mode gets 0644",
    },
    Odd {
        name: "a mode that is no number",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 100, b"rwxr-xr"))
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "what it has of octal digits counts, and else it gets 0644",
    },
    Odd {
        name: "an owner that is no number",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 108, b"nobody\0"))
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "everything belongs to root",
    },
    Odd {
        name: "a time that is no number",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| put(h, 136, b"today\0\0\0\0\0\0\0"))
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "no reason not to take the file; it is from 1970",
    },
    Odd {
        name: "a time before 1970",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00");
                })
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a directory with a size and no content",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'5', "d", b"", |h| put(h, 124, b"00000010000\0"))
                .file("d/a", "1")
                .end()
        },
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Takes("d/ d/a=1"),
        here: Takes("d/ d/a=1"),
        why: "",
    },
    Odd {
        name: "a directory with content",
        ending: ".tar",
        make: || tar().odd(b'5', "d", b"12345", |_| ()).file("a", "1").end(),
        gnu: Partly("a=1 d/"),
        bsdtar: Takes("a=1 d/"),
        python: Takes("d/"),
        here: Takes("a=1 d/"),
        why: "what follows is looked at: it is no header, so it is content",
    },
    Odd {
        name: "a symbolic link with a size",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'2', "l", b"", |h| {
                    put(h, 124, b"00000000005\0");
                    put(h, 157, b"a");
                })
                .file("a", "1")
                .end()
        },
        gnu: Takes("a=1 l->a"),
        bsdtar: Takes("a=1 l->a"),
        python: Takes("a=1 l->a"),
        here: Takes("a=1 l->a"),
        why: "",
    },
    Odd {
        name: "a hard link with a size",
        ending: ".tar",
        make: || {
            tar()
                .file("a", "1")
                .odd(b'1', "b", b"", |h| {
                    put(h, 124, b"00000000001\0");
                    put(h, 157, b"a");
                })
                .file("c", "2")
                .end()
        },
        gnu: Takes("a=1 b=1 c=2"),
        bsdtar: Takes("a=1 b=1 c=2"),
        python: Takes("a=1 b=1 c=2"),
        here: Takes("a=1 b=1 c=2"),
        why: "",
    },
    Odd {
        name: "a hard link with content",
        ending: ".tar",
        make: || {
            tar()
                .file("a", "1")
                .odd(b'1', "b", b"1", |h| put(h, 157, b"a"))
                .file("c", "2")
                .end()
        },
        gnu: Partly("a=1 b=1 c=2"),
        bsdtar: Takes("a=1 b=1 c=2"),
        python: Takes("a=1 b=1"),
        here: Takes("a=1 b=1 c=2"),
        why: "what follows is looked at: it is no header, so it is content",
    },
    Odd {
        name: "a hard link with content, by pax",
        ending: ".tar",
        make: || {
            tar()
                .file("a", "1")
                .pax(&[("size", b"1")])
                .odd(b'1', "b", b"1", |h| put(h, 157, b"a"))
                .file("c", "2")
                .end()
        },
        gnu: Partly("a=1 b=1 c=2"),
        bsdtar: Takes("a=1 b=1 c=2"),
        python: Takes("a=1 b=1"),
        here: Takes("a=1 b=1 c=2"),
        why: "pax may give links their content once more",
    },
    Odd {
        name: "a directory of old programs",
        ending: ".tar",
        make: || tar().member(0, b"d/", b"", b"").file("d/a", "1").end(),
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Partly("d="),
        here: Takes("d/ d/a=1"),
        why: "its slash says what it is",
    },
    Odd {
        name: "a plain file with a slash",
        ending: ".tar",
        make: || tar().file("d/", "").end(),
        gnu: Takes("d/"),
        bsdtar: Takes("d/"),
        python: Takes("d="),
        here: Takes("d/"),
        why: "its slash says what it is",
    },
    Odd {
        name: "a plain file with a slash and content",
        ending: ".tar",
        make: || tar().file("d/", "123").file("a", "1").end(),
        gnu: Partly("a=1 d/"),
        bsdtar: Takes("a=1 d/"),
        python: Takes("a=1 d=123"),
        here: Takes("a=1 d/"),
        why: "its slash says what it is, and it is looked at what follows",
    },
    Odd {
        name: "the oldest header",
        ending: ".tar",
        make: || tar().odd(0, "a", b"1", |h| h[257..].fill(0)).end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a contiguous file",
        ending: ".tar",
        make: || tar().member(b'7', b"a", b"", b"1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a type of nobody",
        ending: ".tar",
        make: || tar().member(b'!', b"a", b"", b"1").end(),
        gnu: Takes("a=1"),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "POSIX: a type that is not known is that of a file",
    },
    Odd {
        name: "a type of a vendor",
        ending: ".tar",
        make: || tar().member(b'Q', b"a", b"", b"1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "POSIX: a type that is not known is that of a file",
    },
    Odd {
        name: "a list of what was in a directory",
        ending: ".tar",
        make: || {
            tar()
                .member(b'D', b"d/", b"", b"Ya\0\0")
                .file("d/a", "1")
                .end()
        },
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Refuses(""),
        here: Takes("d/ d/a=1"),
        why: "the directory is one, and the list only for restoring",
    },
    Odd {
        name: "the rest of a file",
        ending: ".tar",
        make: || tar().member(b'M', b"a", b"", b"1").file("b", "2").end(),
        gnu: Partly("b=2"),
        bsdtar: Takes("a=1 b=2"),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "half a file is none",
    },
    Odd {
        name: "a label",
        ending: ".tar",
        make: || tar().member(b'V', b"tape", b"", b"").file("a", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "a label is no file",
    },
    Odd {
        name: "permissions of Solaris",
        ending: ".tar",
        make: || {
            tar()
                .member(b'A', b"acl", b"", b"1000007\0")
                .file("a", "1")
                .end()
        },
        gnu: Takes("a=1 acl#8"),
        bsdtar: Partly("a=1"),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "they belong to the next member, and are no file",
    },
    Odd {
        name: "a FIFO",
        ending: ".tar",
        make: || tar().member(b'6', b"p", b"", b"").end(),
        gnu: Takes("p|"),
        bsdtar: Takes("p|"),
        python: Refuses(""),
        here: Takes("p|"),
        why: "it is but a name, and harmless; a guest can have it",
    },
    Odd {
        name: "a device",
        ending: ".tar",
        make: || tar().member(b'3', b"n", b"", b"").file("a", "1").end(),
        gnu: Depends,
        bsdtar: Depends,
        python: Refuses(""),
        here: Takes("a=1"),
        why: "left out and named: a guest has its own",
    },
    Odd {
        name: "no name",
        ending: ".tar",
        make: || tar().file("", "1").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "an absolute name",
        ending: ".tar",
        make: || tar().file("/a", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Refuses("archive_entry_refused"),
        why: "refused, as it always was: nobody can know where it was meant to be",
    },
    Odd {
        name: "a name that leads up",
        ending: ".tar",
        make: || tar().file("../a", "1").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "a name that leads down and up",
        ending: ".tar",
        make: || tar().file("d/../a", "1").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Partly("d/"),
        here: Refuses("archive_entry_refused"),
        why: "refused: it is not the name of what it leads to",
    },
    Odd {
        name: "the root",
        ending: ".tar",
        make: || tar().directory("./").file("./a", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "the root as a file",
        ending: ".tar",
        make: || tar().file(".", "1").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "slashes and dots",
        ending: ".tar",
        make: || tar().file(".//d/.//./a", "1").end(),
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Takes("d/ d/a=1"),
        here: Takes("d/ d/a=1"),
        why: "",
    },
    Odd {
        name: "a backslash",
        ending: ".tar",
        make: || tar().file("d\\a", "1").end(),
        gnu: Takes("d\\a=1"),
        bsdtar: Takes("d\\a=1"),
        python: Takes("d\\a=1"),
        here: Takes("d\\a=1"),
        why: "",
    },
    Odd {
        name: "a name with a prefix",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 257, b"ustar\x0000");
                    put(h, 345, b"d/e");
                })
                .end()
        },
        gnu: Takes("d/ d/e/ d/e/a=1"),
        bsdtar: Takes("d/ d/e/ d/e/a=1"),
        python: Takes("d/ d/e/ d/e/a=1"),
        here: Takes("d/ d/e/ d/e/a=1"),
        why: "",
    },
    Odd {
        name: "a prefix and another version",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 257, b"ustar\x00  ");
                    put(h, 345, b"d");
                })
                .end()
        },
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Takes("d/ d/a=1"),
        here: Takes("d/ d/a=1"),
        why: "",
    },
    Odd {
        name: "a prefix of star",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 257, b"ustar\x0000");
                    put(h, 345, b"d");
                    put(h, 476, b"14524770400\x2014524770400 ");
                    put(h, 508, b"tar\0");
                })
                .end()
        },
        gnu: Takes("d/ d/a=1"),
        bsdtar: Takes("d/ d/a=1"),
        python: Takes("d/ d/a=1"),
        here: Takes("d/ d/a=1"),
        why: "",
    },
    Odd {
        name: "times of GNU where the prefix is",
        ending: ".tar",
        make: || {
            tar()
                .odd(b'0', "a", b"1", |h| {
                    put(h, 345, b"14524770400\x0014524770400");
                })
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("14524770400/ 14524770400/a=1"),
        here: Takes("a=1"),
        why: "the magic says which of them it is",
    },
    Odd {
        name: "a long name of GNU",
        ending: ".tar",
        make: || {
            tar()
                .member(
                    b'L',
                    b"././@LongLink",
                    b"",
                    &[&b"n".repeat(200)[..], b"\0"].concat(),
                )
                .file("x", "1")
                .end()
        },
        gnu: Takes("~200=1"),
        bsdtar: Takes("~200=1"),
        python: Takes("~200=1"),
        here: Takes("~200=1"),
        why: "",
    },
    Odd {
        name: "a long name without its end",
        ending: ".tar",
        make: || {
            tar()
                .member(b'L', b"././@LongLink", b"", &b"n".repeat(200))
                .file("x", "1")
                .end()
        },
        gnu: Takes("~200=1"),
        bsdtar: Takes("~200=1"),
        python: Takes("~200=1"),
        here: Takes("~200=1"),
        why: "",
    },
    Odd {
        name: "two long names",
        ending: ".tar",
        make: || {
            tar()
                .member(b'L', b"l", b"", b"one\0")
                .member(b'L', b"l", b"", b"two\0")
                .file("x", "1")
                .end()
        },
        gnu: Takes("two=1"),
        bsdtar: Takes("two=1"),
        python: Takes("one=1"),
        here: Takes("two=1"),
        why: "the last one is in front of the member",
    },
    Odd {
        name: "a long name of nothing",
        ending: ".tar",
        make: || {
            tar()
                .file("a", "1")
                .member(b'L', b"l", b"", b"lost\0")
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Partly("a=1"),
        python: Partly("a=1"),
        here: Takes("a=1"),
        why: "nothing is lost but a name",
    },
    Odd {
        name: "a long name and pax",
        ending: ".tar",
        make: || {
            tar()
                .member(b'L', b"l", b"", b"gnu\0")
                .pax(&[("path", b"pax")])
                .file("x", "1")
                .end()
        },
        gnu: Takes("pax=1"),
        bsdtar: Takes("gnu=1"),
        python: Takes("gnu=1"),
        here: Takes("pax=1"),
        why: "the last one is in front of the member",
    },
    Odd {
        name: "a name by pax",
        ending: ".tar",
        make: || tar().pax(&[("path", b"a")]).file("x", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a name by pax, taken back",
        ending: ".tar",
        make: || {
            tar()
                .pax(&[("path", b"a"), ("path", b"")])
                .file("x", "1")
                .end()
        },
        gnu: Refuses(""),
        bsdtar: Takes("x=1"),
        python: Refuses(""),
        here: Takes("x=1"),
        why: "POSIX: an empty value takes it back, and the header has a name",
    },
    Odd {
        name: "a NUL in a name",
        ending: ".tar",
        make: || tar().pax(&[("path", b"a\0b")]).file("x", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "no file can have it, and what is before it is another name",
    },
    Odd {
        name: "a name for all",
        ending: ".tar",
        make: || {
            tar()
                .member(b'g', b"g", b"", b"9 path=b\n")
                .file("a", "1")
                .end()
        },
        gnu: Takes("b=1"),
        bsdtar: Takes("a=1"),
        python: Takes("b=1"),
        here: Takes("a=1"),
        why: "one name for all members would leave one of them",
    },
    Odd {
        name: "a comment for all, of git",
        ending: ".tar",
        make: || {
            tar()
                .member(b'g', b"pax_global_header", b"", b"16 comment=abcd\n")
                .file("a", "1")
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a pax header of Solaris",
        ending: ".tar",
        make: || {
            tar()
                .member(b'X', b"x", b"", b"11 path=aa\n")
                .file("x", "1")
                .end()
        },
        gnu: Takes("aa=1"),
        bsdtar: Takes("aa=1"),
        python: Takes("aa=1"),
        here: Takes("aa=1"),
        why: "its old type has the same content",
    },
    Odd {
        name: "a pax header of nothing",
        ending: ".tar",
        make: || tar().file("a", "1").pax(&[("path", b"b")]).end(),
        gnu: Takes("a=1"),
        bsdtar: Partly("a=1"),
        python: Partly("a=1"),
        here: Takes("a=1"),
        why: "nothing is lost but a name",
    },
    Odd {
        name: "an empty pax header",
        ending: ".tar",
        make: || tar().member(b'x', b"x", b"", b"").file("a", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "a pax header with a wrong length",
        ending: ".tar",
        make: || {
            tar()
                .member(b'x', b"x", b"", b"99 path=b\n")
                .file("a", "1")
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Partly("a=1"),
        python: Refuses(""),
        here: Refuses("archive_damaged"),
        why: "a name may be in it, and another one is not it",
    },
    Odd {
        name: "a pax header without its end",
        ending: ".tar",
        make: || {
            tar()
                .member(b'x', b"x", b"", b"9 path=bb")
                .file("a", "1")
                .end()
        },
        gnu: Partly("a=1"),
        bsdtar: Partly("a=1"),
        python: Takes("b=1"),
        here: Refuses("archive_damaged"),
        why: "a name may be in it, and another one is not it",
    },
    Odd {
        name: "a pax header filled with NULs",
        ending: ".tar",
        make: || {
            tar()
                .member(b'x', b"x", b"", b"11 path=bb\n\0\0\0\0")
                .file("a", "1")
                .end()
        },
        gnu: Takes("bb=1"),
        bsdtar: Partly("a=1"),
        python: Takes("bb=1"),
        here: Takes("bb=1"),
        why: "some fill the block and count that in",
    },
    Odd {
        name: "a time by pax that is none",
        ending: ".tar",
        make: || tar().pax(&[("mtime", b"soon")]).file("a", "1").end(),
        gnu: Partly("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "no reason not to take the file",
    },
    Odd {
        name: "a size by pax that is none",
        ending: ".tar",
        make: || tar().pax(&[("size", b"many")]).file("a", "1").end(),
        gnu: Partly("a=1"),
        bsdtar: Takes("a="),
        python: Takes("a="),
        here: Refuses("archive_entry_refused"),
        why: "nobody knows where the next member begins",
    },
    Odd {
        name: "attributes that nobody knows",
        ending: ".tar",
        make: || {
            tar()
                .pax(&[("VENDOR.x", b"y"), ("SCHILY.xattr.user.a", b"b")])
                .file("a", "1")
                .end()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "an absolute symbolic link",
        ending: ".tar",
        make: || tar().symlink("l", "/usr/bin/python3").file("a", "1").end(),
        gnu: Takes("a=1 l->/usr/bin/python3"),
        bsdtar: Takes("a=1 l->/usr/bin/python3"),
        python: Refuses(""),
        here: Takes("a=1 l->/usr/bin/python3"),
        why: "it is text; nothing follows it here, and in the guest it leads to the guest's",
    },
    Odd {
        name: "a symbolic link that leads out",
        ending: ".tar",
        make: || tar().symlink("l", "../../a").end(),
        gnu: Takes("l->../../a"),
        bsdtar: Takes("l->../../a"),
        python: Refuses(""),
        here: Takes("l->../../a"),
        why: "it is text; nothing follows it here, and in the guest it leads to the guest's",
    },
    Odd {
        name: "a symbolic link to nothing",
        ending: ".tar",
        make: || tar().symlink("l", "").end(),
        gnu: Refuses(""),
        bsdtar: Takes("l="),
        python: Takes(""),
        here: Refuses("archive_entry_refused"),
        why: "Linux has no such link",
    },
    Odd {
        name: "through a symbolic link that leads out",
        ending: ".tar",
        make: || tar().symlink("l", "../").file("l/a", "1").end(),
        gnu: Partly("l->../"),
        bsdtar: Partly("l->../"),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "nothing is put where a link leads",
    },
    Odd {
        name: "through a symbolic link that stays",
        ending: ".tar",
        make: || {
            tar()
                .directory("d")
                .symlink("l", "d")
                .file("l/a", "1")
                .end()
        },
        gnu: Takes("d/ d/a=1 l->d"),
        bsdtar: Partly("d/ l->d"),
        python: Takes("d/ d/a=1 l->d"),
        here: Refuses("archive_entry_refused"),
        why: "nothing is put where a link leads, also if that is inside",
    },
    Odd {
        name: "a hard link to nothing",
        ending: ".tar",
        make: || tar().link("b", "a").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "a hard link to what comes later",
        ending: ".tar",
        make: || tar().link("b", "a").file("a", "1").end(),
        gnu: Partly("a=1"),
        bsdtar: Partly("a=1"),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "there is nothing yet that it could be a name of",
    },
    Odd {
        name: "a hard link to itself",
        ending: ".tar",
        make: || tar().file("a", "1").link("a", "a").end(),
        gnu: Takes("a=1"),
        bsdtar: Partly("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "it is there already",
    },
    Odd {
        name: "a hard link to a symbolic link",
        ending: ".tar",
        make: || tar().symlink("l", "x").link("b", "l").end(),
        gnu: Takes("b->x l->x"),
        bsdtar: Takes("b->x l->x"),
        python: Takes("b->x l->x"),
        here: Takes("b->x l->x"),
        why: "",
    },
    Odd {
        name: "a hard link out",
        ending: ".tar",
        make: || tar().link("b", "../a").end(),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_entry_refused"),
        why: "",
    },
    Odd {
        name: "a hard link by an absolute name",
        ending: ".tar",
        make: || tar().file("a", "1").link("b", "/a").end(),
        gnu: Takes("a=1 b=1"),
        bsdtar: Takes("a=1 b=1"),
        python: Partly("a=1"),
        here: Refuses("archive_entry_refused"),
        why: "refused as an absolute name is",
    },
    Odd {
        name: "a hard link with a dot",
        ending: ".tar",
        make: || tar().file("a", "1").link("b", "./a").end(),
        gnu: Takes("a=1 b=1"),
        bsdtar: Takes("a=1 b=1"),
        python: Takes("a=1 b=1"),
        here: Takes("a=1 b=1"),
        why: "",
    },
    Odd {
        name: "a file twice",
        ending: ".tar",
        make: || tar().file("a", "1").file("a", "22").end(),
        gnu: Takes("a=22"),
        bsdtar: Takes("a=22"),
        python: Takes("a=22"),
        here: Takes("a=22"),
        why: "",
    },
    Odd {
        name: "a file in the place of a directory",
        ending: ".tar",
        make: || tar().directory("d").file("d", "1").end(),
        gnu: Takes("d=1"),
        bsdtar: Takes("d=1"),
        python: Partly("d/"),
        here: Refuses("archive_entry_refused"),
        why: "refused, as it always was: one of both is lost",
    },
    Odd {
        name: "a directory in the place of a file",
        ending: ".tar",
        make: || tar().file("a", "1").directory("a").end(),
        gnu: Takes("a/"),
        bsdtar: Takes("a/"),
        python: Takes("a=1"),
        here: Refuses("archive_entry_refused"),
        why: "refused, as it always was: one of both is lost",
    },
    Odd {
        name: "a file below a file",
        ending: ".tar",
        make: || tar().file("a", "1").file("a/b", "2").end(),
        gnu: Partly("a=1"),
        bsdtar: Partly("a=1"),
        python: Partly("a=1"),
        here: Refuses("archive_entry_refused"),
        why: "one of both cannot be there",
    },
    Odd {
        name: "a symbolic link in the place of a file",
        ending: ".tar",
        make: || tar().file("a", "1").symlink("a", "b").end(),
        gnu: Takes("a->b"),
        bsdtar: Takes("a->b"),
        python: Takes("a->b"),
        here: Takes("a->b"),
        why: "",
    },
    Odd {
        name: "holes of old GNU",
        ending: ".tar",
        make: || old_sparse(),
        gnu: Takes("a#20000 b=1"),
        bsdtar: Takes("a#20000 b=1"),
        python: Takes("a#20000 b=1"),
        here: Takes("a#20000 b=1"),
        why: "",
    },
    Odd {
        name: "holes of old GNU, in more blocks",
        ending: ".tar",
        make: || old_sparse_extended(),
        gnu: Takes("a#119296 b=1"),
        bsdtar: Takes("a#122880 b=1"),
        python: Takes("a#122880 b=1"),
        here: Takes("a#122880 b=1"),
        why: "the size is in the header; GNU tar ends with the last piece",
    },
    Odd {
        name: "holes by pax 0.0",
        ending: ".tar",
        make: || sparse_00(),
        gnu: Takes("a#20000 b=1"),
        bsdtar: Takes("a#20000 b=1"),
        python: Takes("a#20000 b=1"),
        here: Takes("a#20000 b=1"),
        why: "",
    },
    Odd {
        name: "holes by pax 0.1",
        ending: ".tar",
        make: || sparse_01(),
        gnu: Takes("a#20000 b=1"),
        bsdtar: Takes("a#20000 b=1"),
        python: Takes("a#20000 b=1"),
        here: Takes("a#20000 b=1"),
        why: "",
    },
    Odd {
        name: "holes by pax 1.0",
        ending: ".tar",
        make: || sparse_10(),
        gnu: Takes("a#20000 b=1"),
        bsdtar: Takes("a#20000 b=1"),
        python: Takes("a#20000 b=1"),
        here: Takes("a#20000 b=1"),
        why: "",
    },
    Odd {
        name: "holes whose pieces fill no block",
        ending: ".tar",
        make: || sparse_unaligned(),
        gnu: Partly("a#2560"),
        bsdtar: Takes("a#20000 b=1"),
        python: Takes("a#20000 b=1"),
        here: Takes("a#20000 b=1"),
        why: "GNU tar expects each piece in blocks of its own, and writes no other",
    },
    Odd {
        name: "holes that overlap",
        ending: ".tar",
        make: || {
            tar()
                .pax(&[
                    ("GNU.sparse.size", b"10000"),
                    ("GNU.sparse.numblocks", b"2"),
                    ("GNU.sparse.map", b"0,4,2,4"),
                ])
                .posix("a", b"12345678")
                .end()
        },
        gnu: Takes("a#6"),
        bsdtar: Takes("a#10000"),
        python: Takes("a#10000"),
        here: Refuses("archive_entry_refused"),
        why: "a broken map is not a file",
    },
    Odd {
        name: "holes with too little content",
        ending: ".tar",
        make: || {
            tar()
                .pax(&[
                    ("GNU.sparse.size", b"10000"),
                    ("GNU.sparse.numblocks", b"1"),
                    ("GNU.sparse.map", b"0,9"),
                ])
                .posix("a", b"12345678")
                .end()
        },
        gnu: Takes("a#9"),
        bsdtar: Takes("a#10000"),
        python: Takes("a#10000"),
        here: Refuses("archive_entry_refused"),
        why: "a broken map is not a file",
    },
    Odd {
        name: "gzip and zeros",
        ending: ".tar.gz",
        make: || pad(gzip(&tar().file("a", "1").end()), 10_240),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "gzip and garbage",
        ending: ".tar.gz",
        make: || [gzip(&tar().file("a", "1").end()), b"garbage".to_vec()].concat(),
        gnu: Partly("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "taken with a warning: the archive was over before",
    },
    Odd {
        name: "gzip in two parts",
        ending: ".tar.gz",
        make: || {
            let all = tar().file("a", "1").end();
            [gzip(&all[..700]), gzip(&all[700..])].concat()
        },
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "gzip cut",
        ending: ".tar.gz",
        make: || {
            let all = gzip(&tar().file("a", "1").end());
            all[..all.len() - 12].to_vec()
        },
        gnu: Partly("a="),
        bsdtar: Refuses(""),
        python: Partly("a=1"),
        here: Refuses("archive_damaged"),
        why: "half an archive is none",
    },
    Odd {
        name: "gzip with a wrong sum",
        ending: ".tar.gz",
        make: || {
            let all = gzip(&tar().file("a", "1").end());
            let at = all.len() - 6;
            altered(all, at)
        },
        gnu: Partly("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Refuses("archive_damaged"),
        why: "the sum says that something is wrong",
    },
    Odd {
        name: "gzip called tar",
        ending: ".tar",
        make: || gzip(&tar().file("a", "1").end()),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "tar called gzip",
        ending: ".tar.gz",
        make: || tar().file("a", "1").end(),
        gnu: Takes("a=1"),
        bsdtar: Takes("a=1"),
        python: Takes("a=1"),
        here: Takes("a=1"),
        why: "",
    },
    Odd {
        name: "gzip twice",
        ending: ".tar.gz",
        make: || gzip(&gzip(&tar().file("a", "1").end())),
        gnu: Takes(""),
        bsdtar: Takes("a=1"),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "named: one compression is unpacked, and more is a mistake",
    },
    Odd {
        name: "an HTML page",
        ending: ".tar.gz",
        make: || b"<!DOCTYPE html><html>Sign in</html>".repeat(40),
        gnu: Refuses(""),
        bsdtar: Refuses(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "",
    },
    Odd {
        name: "a zip file called tar",
        ending: ".tar",
        make: || zip(),
        gnu: Refuses(""),
        bsdtar: Takes("a=1"),
        python: Refuses(""),
        here: Takes("a=1"),
        why: "read as what it is",
    },
    Odd {
        name: "bzip2",
        ending: ".tar",
        make: || BZIP2.to_vec(),
        gnu: Takes(""),
        bsdtar: Takes(""),
        python: Refuses(""),
        here: Refuses("archive_other_kind"),
        why: "named, with what unpacks it; here the archive in it is empty",
    },
];

fn tar() -> Tar {
    Tar::default()
}

/// Adds zeros.
fn pad(mut bytes: Vec<u8>, count: usize) -> Vec<u8> {
    bytes.resize(bytes.len() + count, 0);
    bytes
}

fn altered(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// Writes something into a header.
fn put(header: &mut [u8; 512], at: usize, value: &[u8]) {
    header[at..at + value.len()].copy_from_slice(value);
}

/// The same where no sum follows. The field of the sum keeps six digits if nothing is given.
fn sum(mut bytes: Vec<u8>, value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(value) => bytes[148..148 + value.len()].copy_from_slice(value),
        None => bytes[154..156].fill(b' '),
    }
    bytes
}

/// A name with bytes above 127, summed up as some machines did.
fn signed_sum() -> Vec<u8> {
    let mut bytes = tar().member(b'0', b"\xc3\xa4", b"", b"1").end();
    bytes[148..156].fill(b' ');
    let sum: i64 = bytes[..512]
        .iter()
        .map(|byte| i64::from(byte.cast_signed()))
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A block, a hole up to 8192, two blocks, and a hole up to 20000, as GNU tar wrote it first.
fn old_sparse() -> Vec<u8> {
    tar()
        .odd(b'S', "a", &BLOCKS, |header| {
            put(header, 386, b"00000000000\x0000000001000\0");
            put(header, 410, b"00000020000\x0000000002000\0");
            put(header, 434, b"00000047040\x0000000000000\0");
            put(header, 483, b"00000047040\0");
        })
        .file("b", "1")
        .end()
}

const BLOCKS: [u8; 1536] = [b'x'; 1536];

/// A block in each of 30 pages: more than the header has room for.
fn old_sparse_extended() -> Vec<u8> {
    let pair = |index: usize| format!("{:011o}\0{:011o}\0", index * 4096, 512);
    let mut header = tar()
        .odd(b'S', "a", b"", |header| {
            for index in 0..4 {
                put(header, 386 + 24 * index, pair(index).as_bytes());
            }
            header[482] = 1;
            put(header, 483, format!("{:011o}\0", 30 * 4096).as_bytes());
            put(header, 124, format!("{:011o}\0", 30 * 512).as_bytes());
        })
        .cut();
    for (from, to, more) in [(4, 25, 1), (25, 30, 0)] {
        let mut block = vec![0; 512];
        for index in from..to {
            let at = 24 * (index - from);
            block[at..at + 24].copy_from_slice(pair(index).as_bytes());
        }
        block[504] = more;
        header.extend(block);
    }
    header.extend(b"x".repeat(30 * 512));
    [header, tar().file("b", "1").end()].concat()
}

/// The same as the first, by attributes with a pair for each piece.
fn sparse_00() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"512"),
            ("GNU.sparse.offset", b"8192"),
            ("GNU.sparse.numbytes", b"1024"),
            ("GNU.sparse.offset", b"20000"),
            ("GNU.sparse.numbytes", b"0"),
        ])
        .posix("a", &BLOCKS)
        .file("b", "1")
        .end()
}

/// The same, by one attribute.
fn sparse_01() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.name", b"a"),
            ("GNU.sparse.map", b"0,512,8192,1024,20000,0"),
        ])
        .posix("GNUSparseFile.1/a", &BLOCKS)
        .file("b", "1")
        .end()
}

/// The same, with the map in front of the content.
fn sparse_10() -> Vec<u8> {
    let mut content = b"3\n0\n512\n8192\n1024\n20000\n0\n".to_vec();
    content.resize(512, 0);
    content.extend(BLOCKS);
    tar()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"a"),
            ("GNU.sparse.realsize", b"20000"),
        ])
        .posix("GNUSparseFile.1/a", &content)
        .file("b", "1")
        .end()
}

/// Pieces that fill no block.
fn sparse_unaligned() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.map", b"0,4,8192,4,20000,0"),
        ])
        .posix("a", b"abcdefgh")
        .file("b", "1")
        .end()
}

fn zip() -> Vec<u8> {
    crate::zip::zip(&[("a", b"1")])
}

/// What bzip2 makes of nothing.
const BZIP2: [u8; 14] = *b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0";
