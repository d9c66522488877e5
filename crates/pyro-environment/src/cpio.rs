//! A *cpio* archive in the `newc` format, as the kernel unpacks it into its first root. Several
//! archives may follow one another in one file, each ended by its trailer.

/// `S_IFCHR`, `S_IFDIR`, `S_IFREG` of `stat(2)`.
const CHARACTER_DEVICE: u32 = 0o020_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// A device number.
#[derive(Clone, Copy, Debug, Default)]
struct Device {
    major: u32,
    minor: u32,
}

/// An archive being written. Everything in it belongs to root and has time zero.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    pub(crate) fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, Device::default(), &[]);
    }

    pub(crate) fn file(&mut self, path: &str, permissions: u32, contents: &[u8]) {
        self.entry(path, REGULAR | permissions, Device::default(), contents);
    }

    pub(crate) fn character_device(
        &mut self,
        path: &str,
        permissions: u32,
        major: u32,
        minor: u32,
    ) {
        self.entry(
            path,
            CHARACTER_DEVICE | permissions,
            Device { major, minor },
            &[],
        );
    }

    /// Ends the archive and returns its bytes, whose number is a multiple of four.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entries = u32::MAX; // Wraps to 0, the trailer's inode.
        self.entry("TRAILER!!!", 0, Device::default(), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: Device, contents: &[u8]) {
        self.entries = self.entries.wrapping_add(1);
        let size = u32::try_from(contents.len()).expect("a file of an initramfs is below 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        let links = if mode & DIRECTORY == 0 { 1 } else { 2 };
        let Device { major, minor } = device;
        // inode, mode, uid, gid, links, mtime, size, device of the file (2), device it is (2),
        // size of the name, checksum
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.directory("dev");
        archive.character_device("dev/console", 0o600, 5, 1);
        archive.file("init", 0o755, b"hello");
        archive.finish()
    }

    #[test]
    fn headers_are_those_of_the_format() {
        let bytes = sample();
        assert_eq!(bytes.len() % 4, 0);
        let expected = "07070100000001000041ed000000000000000000000002000000000000000000000000\
                        00000000000000000000000000000004000000";
        assert!(
            std::str::from_utf8(&bytes[..110])
                .unwrap()
                .starts_with(expected)
        );
        assert_eq!(&bytes[110..114], b"dev\0");
        let second = std::str::from_utf8(&bytes[116..226]).unwrap();
        assert_eq!(&second[14..22], "00002180", "a character device, mode 0600");
        assert_eq!(&second[78..94], "0000000500000001");
        assert!(bytes.windows(11).any(|window| window == b"TRAILER!!!\0"));
    }

    /// Asks `cpio` itself, where it is installed.
    #[test]
    fn cpio_can_list_it() {
        let Ok(mut child) = Command::new("cpio")
            .args(["--list", "--quiet", "--verbose", "--numeric-uid-gid"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            return;
        };
        child.stdin.take().unwrap().write_all(&sample()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = listing.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("drwxr-xr-x") && lines[0].ends_with(" dev"),
            "{listing}"
        );
        assert!(
            lines[1].starts_with("crw-------") && lines[1].contains("5,   1"),
            "{listing}"
        );
        assert!(
            lines[2].starts_with("-rwxr-xr-x") && lines[2].contains(" 5 "),
            "{listing}"
        );
    }
}
