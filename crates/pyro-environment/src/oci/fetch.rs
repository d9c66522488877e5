//! To *fetch* the layers of an image that the cache does not have: several at once, each by one
//! process at a time, and each from where an earlier download of it stopped.

use std::fs;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pyro_oci::{Descriptor, Digest, Manifest, Registry};

use super::store::Store;
use crate::Error;
use crate::lock::Lock;
use crate::progress::{Listener, Progress};

/// The phase, as users see it.
const PHASE: &str = "download";

pub(crate) async fn layers(
    store: &Store,
    registry: &Registry<'_>,
    manifest: &Manifest,
    progress: Listener<'_>,
) -> Result<(), Error> {
    let mut missing: Vec<&Descriptor> = manifest.layers.iter().collect();
    // A manifest may list the same layer twice.
    missing.sort_by(|a, b| a.digest.cmp(&b.digest));
    missing.dedup_by(|a, b| a.digest == b.digest);
    let layers = missing.len();
    missing.retain(|layer| !is_there(store, layer));
    if missing.is_empty() {
        return Ok(());
    }
    // The largest first, so that the last one to end is a small one.
    missing.sort_by_key(|layer| std::cmp::Reverse(layer.size));
    let total: u64 = missing.iter().map(|layer| layer.size).sum();
    progress(Progress::Notice(format!(
        "downloading {} of {layers} layers ({}); {} are there already",
        missing.len(),
        amount(total),
        layers - missing.len()
    )));
    let done: Vec<AtomicU64> = missing.iter().map(|_| AtomicU64::new(0)).collect();
    let tell = || {
        progress(Progress::Bytes {
            phase: PHASE,
            done: done.iter().map(|done| done.load(Ordering::Relaxed)).sum(),
            total: Some(total),
        });
    };
    progress(Progress::Phase(PHASE));
    let next = AtomicUsize::new(0);
    let lane = || async {
        while let Some(layer) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            let at = missing.iter().position(|one| one.digest == layer.digest);
            let advance = |bytes| {
                if let Some(done) = at.and_then(|at| done.get(at)) {
                    done.store(bytes, Ordering::Relaxed);
                }
                tell();
            };
            layer_of(store, registry, layer, progress, &advance).await?;
        }
        Ok::<_, Error>(())
    };
    tokio::try_join!(lane(), lane(), lane())?;
    Ok(())
}

/// Whether all layers are there, as far as their lengths say.
pub(crate) fn are_there(store: &Store, manifest: &Manifest) -> bool {
    manifest.layers.iter().all(|layer| is_there(store, layer))
}

/// Whether a blob is there, as far as its length says. Its content is checked before it is used.
fn is_there(store: &Store, blob: &Descriptor) -> bool {
    fs::metadata(store.blob(&blob.digest)).is_ok_and(|found| found.len() == blob.size)
}

async fn layer_of(
    store: &Store,
    registry: &Registry<'_>,
    layer: &Descriptor,
    progress: Listener<'_>,
    advance: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Error> {
    let digest = &layer.digest;
    let _lock = Lock::acquire(&store.lock(digest), || {
        progress(Progress::Notice(format!(
            "waiting for another process to finish downloading {}",
            short(digest)
        )));
    })
    .await?;
    if is_there(store, layer) {
        advance(layer.size);
        return Ok(());
    }
    let part = store.part(digest);
    registry.download(layer, &part, advance).await?;
    let blob = store.blob(digest);
    fs::rename(&part, &blob).map_err(Error::cache("create", blob))
}

/// As much of a digest as tells it from others.
pub(crate) fn short(digest: &Digest) -> &str {
    &digest.hex()[..12]
}

/// A number of bytes, as people read it.
pub(crate) fn amount(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < 10 * MIB {
        return format!("{} KiB", bytes.div_ceil(1024));
    }
    format!("{} MiB", bytes.div_ceil(MIB))
}
