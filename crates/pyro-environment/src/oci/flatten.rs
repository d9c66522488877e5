//! To *flatten* an image: the file system that its layers amount to becomes one image that boots.

use std::fs::{self, File};
use std::path::Path;

use super::fetch::short;
use super::store::{Documents, Store};
use super::watch::{Watch, watched};
use crate::Error;
use crate::kernel::{self, blocking};
use crate::layout::{Layout, ROOTFS};
use crate::manifest::{Image, Manifest};
use crate::partial::Partial;
use crate::preflight;
use crate::progress::{Listener, Progress};
use crate::ready::{self, Place};
use crate::source::Source;
use pyro_archive::{Flattened, LayerImage, LayerLimits, Wanted};

const PHASE: &str = "unpack";
/// The longest `/etc/os-release` that is read, in bytes.
const OS_RELEASE_LIMIT: u64 = 64 * 1024;

/// Installs an image whose layers are in the cache. The caller holds its lock.
pub(crate) async fn install(
    layout: &Layout,
    place: &Place,
    source: &Source,
    documents: Documents,
    progress: Listener<'_>,
) -> Result<Manifest, Error> {
    let partial = {
        let layout = layout.clone();
        let key = documents.digest.hex().to_owned();
        blocking(move || {
            let directory = layout.images();
            fs::create_dir_all(&directory).map_err(Error::cache("create", &directory))?;
            Partial::create(&directory, &key)
        })
        .await?
    };
    let install = partial.path().join("install");
    fs::create_dir(&install).map_err(Error::cache("create", &install))?;
    progress(Progress::Phase(PHASE));
    let rootfs = flatten(layout, &install, documents, progress);
    let kernel = kernel::any(layout, &install, progress);
    let (image, kernel) = tokio::try_join!(rootfs, kernel)?;

    progress(Progress::Phase("verify"));
    let (place, source) = (place.clone(), source.origin());
    blocking(move || {
        let manifest = ready::describe(&place, &install, kernel, source, Some(image))
            .map_err(Error::cache("write", &install))?;
        let target = &place.directory;
        kernel::replace_directory(&install, target).map_err(Error::cache("create", target))?;
        drop(partial);
        Ok(manifest)
    })
    .await
}

/// Makes the image of the root file system, on a thread of its own that ends when nobody waits for
/// it any more.
async fn flatten(
    layout: &Layout,
    install: &Path,
    documents: Documents,
    progress: Listener<'_>,
) -> Result<Image, Error> {
    let layers = documents.manifest.layers.iter();
    let total = layers.map(|layer| layer.size).sum();
    let (layout, path) = (layout.clone(), install.join(ROOTFS));
    watched(PHASE, Some(total), progress, move |watch| {
        write(&layout, &path, &documents, watch)
    })
    .await
}

fn write(
    layout: &Layout,
    path: &Path,
    documents: &Documents,
    watch: &Watch,
) -> Result<Image, Error> {
    let store = Store::new(layout);
    let failed = |source| Error::Layers {
        image: short(&documents.digest).to_owned(),
        source: Box::new(source),
    };
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path);
    let file = file.map_err(Error::cache("create", path))?;
    let available = preflight::available(&layout.images())?;
    let limits = LayerLimits::default();
    let limits = LayerLimits {
        content_bytes: limits.content_bytes.min(available),
        ..limits
    };
    let mut image = LayerImage::create(file, limits).map_err(failed)?;
    let diffs = &documents.config.rootfs.diff_ids;
    for (layer, diff) in documents.manifest.layers.iter().zip(diffs) {
        let blob = store.blob(&layer.digest);
        let found = pyro_oci::hash(&blob).map_err(Error::cache("read", &blob))?;
        if found != layer.digest {
            // The next call downloads it again.
            fs::remove_file(&blob).map_err(Error::cache("remove", &blob))?;
            let digest = layer.digest.clone();
            return Err(pyro_oci::Error::Damaged { digest, found }.into());
        }
        let input = File::open(&blob).map_err(Error::cache("open", &blob))?;
        let report = image
            .add_layer(short(&layer.digest), watch.over(input))
            .map_err(failed)?;
        if report.diff_id != diff.as_str() {
            let problem = format!(
                "the layer {} unpacks to {} where its configuration says {diff}",
                layer.digest, report.diff_id
            );
            return Err(pyro_oci::Error::Invalid { problem }.into());
        }
    }
    let process = documents.config.config.clone();
    let mut directories = process.volumes.clone();
    directories.extend(
        [process.working_dir.clone()]
            .into_iter()
            .filter(|path| !path.is_empty()),
    );
    let flattened = image.finish(&Wanted { directories }).map_err(failed)?;
    let release = os_release(&flattened).map_err(failed)?;
    let value = |name: &str| field(&release, name);
    Ok(Image {
        digest: documents.digest.clone(),
        config_digest: documents.manifest.config.digest.clone(),
        layers: documents
            .manifest
            .layers
            .iter()
            .map(|layer| layer.digest.clone())
            .collect(),
        has_shell: flattened.is_program("/bin/sh"),
        distribution: value("ID"),
        distribution_version: value("VERSION_ID"),
        process,
    })
}

fn os_release(image: &Flattened) -> Result<String, pyro_archive::Error> {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(bytes) = image.read(path, OS_RELEASE_LIMIT)? {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(String::new())
}

/// A value in a file of `NAME=VALUE`, without quotes; it is somebody else's text.
fn field(text: &str, name: &str) -> String {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = value.unwrap_or_default().trim().trim_matches(['"', '\'']);
    value
        .chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}
