//! The first part of the table.

use super::*;

pub(super) const LINES: &[Odd] = &[
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
];
