//! QEMU's *arguments*, as far as a fake machine depends on them.

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The machine that the arguments describe.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) control: RawFd,
    pub(super) agent: RawFd,
    /// The private disk.
    pub(super) disk: PathBuf,
    /// The file of the memory, if there is one.
    pub(super) memory: Option<PathBuf>,
    pub(super) processors: usize,
    /// Whether the machine waits for a saved state before it runs.
    pub(super) incoming: bool,
}

impl Arguments {
    pub(super) fn parse(words: &[OsString]) -> Self {
        let values = |flag: &str| {
            let pairs = words.windows(2);
            let flag = OsString::from(flag);
            pairs
                .filter(move |pair| pair[0] == flag)
                .map(|pair| pair[1].clone())
        };
        let descriptor = |id: &str| -> RawFd {
            let found = values("-chardev").find(|value| option(value, "id") == Some(id.into()));
            let value = found.unwrap_or_else(|| panic!("no -chardev {id}"));
            option(&value, "fd")
                .and_then(|number| number.to_str()?.parse().ok())
                .unwrap_or_else(|| panic!("no descriptor of {id}"))
        };
        let drive = values("-drive").find(|value| option(value, "id") == Some("rw".into()));
        let disk = drive.and_then(|value| option(&value, "file")).unwrap();
        let memory = values("-object").find_map(|value| option(&value, "mem-path"));
        let processors = values("-smp").next();
        Self {
            control: descriptor("control"),
            agent: descriptor("agent"),
            disk: disk.into(),
            memory: memory.map(PathBuf::from),
            processors: processors
                .and_then(|number| number.to_str()?.parse().ok())
                .unwrap_or(1),
            incoming: values("-incoming").next().is_some(),
        }
    }
}

/// The value of an option in a list such as `id=rw,file=/a`, where a comma in a value is doubled.
fn option(list: &OsStr, name: &str) -> Option<OsString> {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = list.as_bytes().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b',' && bytes.next_if_eq(&b',').is_none() {
            parts.push(Vec::new());
        } else {
            parts.last_mut().unwrap().push(byte);
        }
    }
    let prefix = format!("{name}=").into_bytes();
    let mut values = parts
        .iter()
        .filter_map(|part| part.strip_prefix(&prefix[..]));
    values
        .next()
        .map(|value| OsString::from_vec(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_and_commas_undone() {
        let list = OsStr::new("if=none,id=rw,file=/a,,b/disk");
        assert_eq!(option(list, "id"), Some("rw".into()));
        assert_eq!(option(list, "file"), Some("/a,b/disk".into()));
        assert_eq!(option(list, "fd"), None);
    }
}
