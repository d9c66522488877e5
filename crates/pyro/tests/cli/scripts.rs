//! Random changes of trees, the same in a guest and on the host.

use std::path::Path;
use std::process::Command;

/// Shell commands that change a tree at random. They do the same in a guest and on the host.
pub(crate) struct Script {
    random: u64,
    text: Vec<u8>,
}

const NAMES: [&[u8]; 9] = [
    b"a",
    b"b c",
    b"d\te",
    b"f\"g",
    b"h\ni",
    b"\xff\xc3",
    b"'quote",
    b"-n",
    b"z",
];

impl Script {
    pub(crate) fn new(random: u64) -> Self {
        eprintln!("seed {random}");
        Self {
            random,
            text: Vec::new(),
        }
    }

    /// Returns the commands so far; the next ones begin another script.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    pub(crate) fn number(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 16).unwrap() % below
    }

    /// A path of one to three names, quoted for the shell.
    fn path(&mut self) -> Vec<u8> {
        let mut path = b"./".to_vec();
        for depth in 0..=self.number(3) {
            if depth > 0 {
                path.push(b'/');
            }
            // Few directories, so that many changes happen in each.
            let name = NAMES[self.number(if depth == 0 { 4 } else { NAMES.len() })];
            path.extend(name);
        }
        let mut quoted = b"'".to_vec();
        for byte in path {
            match byte {
                b'\'' => quoted.extend(b"'\\''"),
                byte => quoted.push(byte),
            }
        }
        quoted.push(b'\'');
        quoted
    }

    fn add(&mut self, words: &[&[u8]]) {
        self.text.extend(words.concat());
        self.text.extend(b" 2> /dev/null\n");
    }

    /// A command that creates a file.
    pub(crate) fn make(&mut self) {
        let path = self.path();
        let number = self.number(1000).to_string();
        let number = number.as_bytes();
        match self.number(8) {
            0 => self.add(&[b"mkdir -p ", &path]),
            1 => self.add(&[b"ln -s target", number, b" ", &path]),
            2 => self.add(&[b"printf 'x\\0", number, b"' > ", &path]),
            3 => self.add(&[b"printf 'no newline ", number, b"' > ", &path]),
            4 => self.add(&[b"printf 'crlf\\r\\n", number, b"\\r\\n' > ", &path]),
            _ => self.add(&[b"seq 1 ", number, b" > ", &path]),
        }
    }

    /// A command that changes or creates a file.
    pub(crate) fn change(&mut self) {
        let (path, other) = (self.path(), self.path());
        match self.number(9) {
            0 => self.add(&[b"rm -rf ", &path]),
            1 | 2 => self.add(&[b"mv -T ", &path, b" ", &other]),
            3 => self.add(&[
                b"rm -rf ",
                &path,
                b" && mkdir ",
                &path,
                b" && echo again > ",
                &path,
                b"/again",
            ]),
            4 => self.add(&[b"test -L ", &path, b" || chmod u+x,g-w ", &path]),
            5 => self.add(&[b"test -f ", &path, b" && sed -i '2d;5s/$/x/' ", &path]),
            6 => self.add(&[b"test -f ", &path, b" && cat ", &path, b" > ", &other]),
            7 => self.add(&[b"test -e ", &path, b" && touch ", &path]),
            _ => self.make(),
        }
    }
}

/// Runs a script in a directory of the host.
pub(crate) fn run_script(directory: &Path, script: &Path) {
    let status = Command::new("sh")
        .arg(script)
        .current_dir(directory)
        .status();
    assert!(status.unwrap().code().is_some());
}
