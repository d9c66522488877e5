//! The second part of the table.

use super::*;

pub(super) const LINES: &[Odd] = &[
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
];
