//! The *output* of mmdebstrap, apt and dpkg, read for progress.

use crate::Progress;

const DOWNLOAD: &str = "download";
const UNPACK: &str = "unpack";
const INSTALL: &str = "install";

/// What the lines so far add up to. mmdebstrap installs in two rounds, so totals grow once.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: u64,
    bytes_total: Option<u64>,
    unpacked: u64,
    packages: u64,
    packages_total: Option<u64>,
}

impl Reader {
    /// Reads one line and returns the news in it.
    pub(super) fn line(&mut self, line: &str) -> Option<Progress> {
        match line {
            "I: running apt-get update..." => return Some(Progress::Phase("update")),
            "I: downloading packages with apt..." => return Some(Progress::Phase(DOWNLOAD)),
            "I: extracting archives..." => return Some(Progress::Phase(INSTALL)),
            _ => {}
        }
        if let Some(needed) = line.strip_prefix("Need to get ") {
            *self.bytes_total.get_or_insert(0) += size(needed)?;
            return Some(self.bytes_progress());
        }
        if let Some(count) = newly_installed(line) {
            *self.packages_total.get_or_insert(0) += count;
            return None;
        }
        if line.starts_with("Get:") && self.bytes_total.is_some() {
            self.bytes += size(line.strip_suffix(']')?.rsplit_once('[')?.1)?;
            return Some(self.bytes_progress());
        }
        if line.starts_with("Setting up ") && line.ends_with(" ...") {
            self.packages += 1;
            return Some(self.packages_progress(INSTALL, self.packages));
        }
        if line.starts_with("Unpacking ") && line.ends_with(" ...") {
            self.unpacked += 1;
            return Some(self.packages_progress(UNPACK, self.unpacked));
        }
        None
    }

    fn packages_progress(&self, phase: &'static str, done: u64) -> Progress {
        Progress::Packages {
            phase,
            done,
            total: self.packages_total,
        }
    }

    fn bytes_progress(&self) -> Progress {
        // Sizes are printed rounded, so their sum may be above the total.
        let done = self
            .bytes_total
            .map_or(self.bytes, |total| total.min(self.bytes));
        Progress::Bytes {
            phase: DOWNLOAD,
            done,
            total: self.bytes_total,
        }
    }
}

/// Reads the size at the start of the text, as apt prints it: `9900 B`, `34.8 kB`, `1,477 B`,
/// `29.7 MB/40 MB of archives.`
fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))?;
    let (number, rest) = text.split_at(end);
    let unit = rest.trim_start();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.replace(',', "").parse().ok()?;
    let tenths: u64 = fraction.get(..1)?.parse().ok()?;
    let factor = match unit.bytes().next()? {
        b'B' => 1,
        b'k' => 1_000,
        b'M' => 1_000_000,
        b'G' => 1_000_000_000,
        _ => return None,
    };
    Some(whole.checked_mul(factor)? + tenths * factor / 10)
}

/// Reads the number of packages from `0 upgraded, 69 newly installed, 0 to remove and …`.
fn newly_installed(line: &str) -> Option<u64> {
    let (before, _) = line.split_once(" newly installed")?;
    before.rsplit_once(' ')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a real build, shortened.
    const OUTPUT: &str = "\
I: chroot architecture amd64 is equal to the host's architecture
I: running apt-get update...
Get:1 http://mirror.example/debian bookworm InRelease [151 kB]
Get:3 http://mirror.example/debian bookworm/main amd64 Packages [8790 kB]
Fetched 9354 kB in 1s (8867 kB/s)
Reading package lists...
I: downloading packages with apt...
The following NEW packages will be installed:
  base-files base-passwd bash bsdutils coreutils dash debconf debianutils
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Need to get 2.9 MB of archives.
After this operation, 139 MB of additional disk space will be used.
Get:1 http://mirror.example/debian bookworm/main amd64 gcc-12-base amd64 12.2.0-14+deb12u1 [37.6 kB]
Get:2 http://mirror.example/debian bookworm/main amd64 libc6 amd64 2.36-9+deb12u14 [2759 kB]
I: extracting archives...
I: installing essential packages...
Selecting previously unselected package gcc-12-base:amd64.
Unpacking gcc-12-base:amd64 (12.2.0-14+deb12u1) ...
Setting up gcc-12-base:amd64 (12.2.0-14+deb12u1) ...
Setting up libc6:amd64 (2.36-9+deb12u14) ...
I: installing remaining packages inside the chroot...
0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
Need to get 9900 B of archives.
Get:1 http://mirror.example/debian bookworm/main amd64 libdebconfclient0 amd64 0.270 [9900 B]
Setting up libdebconfclient0 (0.270) ...
I: success in 19.0766 seconds";

    #[test]
    fn a_real_build_is_understood() {
        let mut reader = Reader::default();
        let news: Vec<_> = OUTPUT
            .lines()
            .filter_map(|line| reader.line(line))
            .collect();
        let bytes = |done, total| Progress::Bytes {
            phase: DOWNLOAD,
            done,
            total: Some(total),
        };
        let packages = |phase, done, total| Progress::Packages {
            phase,
            done,
            total: Some(total),
        };
        assert_eq!(
            news,
            [
                Progress::Phase("update"),
                Progress::Phase(DOWNLOAD),
                bytes(0, 2_900_000),
                bytes(37_600, 2_900_000),
                bytes(2_796_600, 2_900_000),
                Progress::Phase(INSTALL),
                packages(UNPACK, 1, 2),
                packages(INSTALL, 1, 2),
                packages(INSTALL, 2, 2),
                bytes(2_796_600, 2_909_900),
                bytes(2_806_500, 2_909_900),
                packages(INSTALL, 3, 3),
            ]
        );
    }

    #[test]
    fn sizes_are_read_as_apt_prints_them() {
        assert_eq!(size("9900 B"), Some(9900));
        assert_eq!(size("1,477 B"), Some(1477));
        assert_eq!(size("34.8 kB"), Some(34_800));
        assert_eq!(size("29.7 MB/30.1 MB of archives."), Some(29_700_000));
        assert_eq!(size("2 GB"), Some(2_000_000_000));
        assert_eq!(size("many"), None);
        assert_eq!(size(""), None);
        assert_eq!(size("1.é MB"), None);
    }
}
