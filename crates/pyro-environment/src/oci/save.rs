//! To *save* a root file system as an image of one layer, which only the cache has.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use pyro_oci::{Digest, Process, Resolved, written_image};
use sha2::{Digest as _, Sha256};

use super::fetch::are_there;
use super::store::{Pin, Store};
use super::watch::watched;
use crate::Error;
use crate::layout::Layout;
use crate::progress::Listener;
use crate::source::Source;

/// The phase, as users see it.
const PHASE: &str = "save";
const BUFFER: usize = 1 << 17;

/// Makes an image of a layer, an uncompressed tar file, and gives it a name, which may have stood for
/// another one before. Returns the digest of its manifest.
pub(crate) async fn save(
    layout: &Layout,
    source: Source,
    layer: PathBuf,
    process: Process,
    progress: Listener<'_>,
) -> Result<Digest, Error> {
    let store = Store::new(layout);
    // Nobody removes images meanwhile.
    let held = store.hold(progress).await?;
    let total = fs::metadata(&layer).map_err(Error::cache("read", &layer))?;
    watched(PHASE, Some(total.len()), progress, move |watch| {
        let _held = held;
        store.create()?;
        let spool = store.spool()?;
        let packed = spool.path().join("layer.tar.gz");
        let input = File::open(&layer).map_err(Error::cache("open", &layer))?;
        let compressed = compress(&mut watch.over(input), &packed);
        let (diff_id, digest, size) = compressed.map_err(Error::cache("write", &packed))?;
        let blob = store.blob(&digest);
        fs::rename(&packed, &blob).map_err(Error::cache("create", &blob))?;
        let (config, bytes) = written_image(&process, &diff_id, &digest, size);
        let resolved = Resolved {
            manifest: pyro_oci::read_manifest(&bytes)?,
            digest: Digest::of(&bytes),
            bytes,
        };
        Ok(store.keep(&source, &resolved, &config, None)?.digest)
    })
    .await
}

/// Gives an image another name. Returns whether it is there, with its layers.
pub(crate) async fn name_image(
    layout: &Layout,
    source: &Source,
    digest: &str,
    progress: Listener<'_>,
) -> Result<bool, Error> {
    let store = Store::new(layout);
    let _held = store.hold(progress).await?;
    let Ok(digest) = format!("sha256:{digest}").parse::<Digest>() else {
        return Ok(false);
    };
    match store.image(&digest) {
        Ok(image) if are_there(&store, &image.manifest) => {
            store.keep_pin(&Pin::now(source, &digest, None))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Compresses a layer. Returns its digest as it was, and the digest and length of what was written.
fn compress(input: &mut dyn Read, to: &Path) -> io::Result<(Digest, Digest, u64)> {
    let output = Counted {
        inner: File::create_new(to)?,
        hasher: Sha256::new(),
        bytes: 0,
    };
    // The layer is read once or twice, and not sent far.
    let mut encoder = GzEncoder::new(output, Compression::fast());
    let mut plain = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        plain.update(&buffer[..count]);
        encoder.write_all(&buffer[..count])?;
    }
    let output = encoder.finish()?;
    output.inner.sync_all()?;
    Ok((
        Digest::finish(plain),
        Digest::finish(output.hasher),
        output.bytes,
    ))
}

/// A file whose digest and length are computed while it is written.
struct Counted {
    inner: File,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
