//! A *warm-up* makes the guest do work whose result is thrown away. Under software emulation all
//! code is translated when it runs for the first time: without a warm-up, a workspace's first push
//! took four times as long as the second. And if a template's agent and kernel have allocated
//! memory for an unpacking, its clones need not.

use std::io;
use std::time::Duration;

use pyro_protocol::{ARCHIVE_END, Call, DATA_CHUNK_BYTES};
use tar::{EntryType, Header};

use super::Guest;
use super::call::Streams;
use super::failure::Failure;
use super::run::Command;

/// Beside the staging directories.
const DESTINATION: &str = "/.pyro/warm_up";
const REMOVE: &str = "rm -r /.pyro/warm_up";
/// The limit of each of the two steps.
pub(crate) const WARM_UP_LIMIT: Duration = Duration::from_secs(30);

impl Guest {
    /// Unpacks an archive.
    pub(crate) async fn warm_up_unpacking(&self) -> Result<(), Failure> {
        let archive = archive().map_err(|error| Failure::Input(error.to_string()))?;
        let call = Call::Unpack {
            destination: DESTINATION.to_owned(),
            owner: None,
        };
        let streams = Streams {
            stdin: Some(&mut &archive[..]),
            stdout: &mut tokio::io::sink(),
            stderr: &mut tokio::io::sink(),
            controls: None,
            started: None,
        };
        let unpacked = self.call(&call, streams).await?;
        tracing::debug!(?unpacked, "warmed up");
        Ok(())
    }

    /// Runs a command that removes the unpacked files. It does not use the prestarted shell,
    /// because starting a shell is what has to be warmed up.
    pub(crate) async fn warm_up_command(&self) -> Result<(), Failure> {
        let remove = Command {
            argv: ["sh", "-c", REMOVE].map(str::to_owned).into(),
            ..Command::default()
        };
        let mut stderr = Vec::new();
        let streams = Streams {
            stdin: None,
            stdout: &mut tokio::io::sink(),
            stderr: &mut stderr,
            controls: None,
            started: None,
        };
        let outcome = self.run(&remove, streams).await?;
        let stderr = String::from_utf8_lossy(&stderr);
        tracing::debug!(?outcome, %stderr, "warmed up");
        Ok(())
    }
}

/// The content of a small push. One file has the size of a full chunk, so that all buffers are
/// used.
fn archive() -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let (small, large) = ("of no use\n", "0".repeat(DATA_CHUNK_BYTES));
    let bytes = small.len() + large.len();
    let end = format!("{{\"entries\":3,\"bytes\":{bytes}}}");
    let members = [
        ("directory/", EntryType::Directory, ""),
        ("directory/file", EntryType::Regular, small),
        ("file", EntryType::Regular, &large),
        (ARCHIVE_END, EntryType::Regular, &end),
    ];
    for (path, kind, content) in members {
        archive.append_pax_extensions([("mtime", &b"1.5"[..])])?;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content.as_bytes())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_is_what_its_end_says() {
        let bytes = archive().unwrap();
        let (mut entries, mut size, mut end) = (0, 0, String::new());
        for member in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut member = member.unwrap();
            if &*member.path_bytes() == ARCHIVE_END.as_bytes() {
                member.read_to_string(&mut end).unwrap();
                continue;
            }
            entries += 1;
            size += member.size();
        }
        assert_eq!(end, format!(r#"{{"entries":{entries},"bytes":{size}}}"#));
    }
}
