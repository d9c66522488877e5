//! To *export* an image of the cache into a file that other tools read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::Path;

use pyro_archive::with_decompressed;
use pyro_oci::{Descriptor, Digest, Form};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::store::{Documents, Store};
use super::watch::{Watch, watched};
use crate::Error;
use crate::layout::Layout;
use crate::progress::Listener;
use crate::source::Source;

/// The phase, as users see it.
const PHASE: &str = "export";
const BUFFER: usize = 1 << 18;
/// More than any layer has, decompressed.
const LAYER_LIMIT: u64 = 1 << 40;

/// Writes an image to a new file.
pub(crate) async fn export(
    layout: &Layout,
    source: &Source,
    form: Form,
    to: &Path,
    progress: Listener<'_>,
) -> Result<(), Error> {
    let store = Store::new(layout);
    let held = store.hold(progress).await?;
    let not_pulled = || Error::NotPulled {
        name: source.to_string(),
    };
    let pin = store.pin(source)?.ok_or_else(not_pulled)?;
    let image = store.image(&pin.digest)?;
    let total: u64 = image.manifest.layers.iter().map(|layer| layer.size).sum();
    let (name, to) = (source.exported_name(), to.to_owned());
    watched(PHASE, Some(total), progress, move |watch| {
        let _held = held;
        let file = File::create_new(&to).map_err(Error::cache("create", &to))?;
        let mut archive = Archive {
            builder: Builder::new(BufWriter::with_capacity(BUFFER, file)),
            to: &to,
            store: &store,
            watch,
        };
        match form {
            Form::Layout => archive.layout(&image, name.as_deref())?,
            Form::Saved => archive.saved(&image, name.as_deref())?,
        }
        let file = archive.builder.into_inner().and_then(|buffered| {
            let flushed = buffered.into_inner();
            flushed.map_err(io::IntoInnerError::into_error)
        });
        file.and_then(|file| file.sync_all())
            .map_err(Error::cache("write", &to))
    })
    .await
}

struct Archive<'a> {
    builder: Builder<BufWriter<File>>,
    to: &'a Path,
    store: &'a Store,
    watch: &'a Watch,
}

impl Archive<'_> {
    /// Writes an OCI layout (image-spec, "image layout").
    fn layout(&mut self, image: &Documents, name: Option<&str>) -> Result<(), Error> {
        let manifest = &image.manifest;
        let blob = self.store.blob(&image.digest);
        let size = fs::metadata(&blob).map_err(Error::cache("read", blob))?;
        let mut described = json!({
            "mediaType": manifest.media_type.as_deref().unwrap_or(pyro_oci::MANIFEST),
            "digest": image.digest,
            "size": size.len(),
        });
        if let Some(name) = name {
            described["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        self.document("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
        self.document(
            "index.json",
            &json!({"schemaVersion": 2, "manifests": [described]}),
        )?;
        let layers = manifest.layers.iter().map(|layer| &layer.digest);
        let blobs = [&image.digest, &manifest.config.digest];
        let mut there = BTreeSet::new();
        for digest in blobs.into_iter().chain(layers) {
            // A manifest may list a layer twice.
            if there.insert(digest) {
                self.blob(digest)?;
            }
        }
        Ok(())
    }

    /// Writes what `docker save` writes: layers that are not compressed, and a list of them.
    fn saved(&mut self, image: &Documents, name: Option<&str>) -> Result<(), Error> {
        let diffs = &image.config.rootfs.diff_ids;
        let config = format!("{}.json", image.manifest.config.digest.hex());
        let layers: Vec<_> = diffs.iter().map(layer_name).collect();
        let mut there = BTreeSet::new();
        for (layer, diff) in image.manifest.layers.iter().zip(diffs) {
            if there.insert(diff) {
                self.plain_layer(layer, diff)?;
            }
        }
        let blob = self.store.blob(&image.manifest.config.digest);
        let bytes = fs::read(&blob).map_err(Error::cache("read", blob))?;
        self.member(&config, bytes.len() as u64, &mut &bytes[..])?;
        let tags: Vec<_> = name.into_iter().collect();
        let listed = json!([{"Config": config, "RepoTags": tags, "Layers": layers}]);
        self.document("manifest.json", &listed)
    }

    /// Writes a layer as it is without compression; its length has to be known first.
    fn plain_layer(&mut self, layer: &Descriptor, diff: &Digest) -> Result<(), Error> {
        let path = self.store.blob(&layer.digest);
        let open = || File::open(&path).map_err(Error::cache("open", &path));
        let length = with_decompressed(open()?, |content| {
            io::copy(&mut content.take(LAYER_LIMIT), &mut io::sink())
        });
        let length = length.flatten().map_err(Error::cache("read", &path))?;
        let input = self.watch.over(open()?);
        let name = layer_name(diff);
        with_decompressed(input, |content| self.member(&name, length, content))
            .map_err(Error::cache("read", &path))?
    }

    fn blob(&mut self, digest: &Digest) -> Result<(), Error> {
        let path = self.store.blob(digest);
        let file = File::open(&path).map_err(Error::cache("open", &path))?;
        let size = file.metadata().map_err(Error::cache("read", &path))?.len();
        let watch = self.watch;
        let name = format!("blobs/sha256/{}", digest.hex());
        self.member(&name, size, &mut watch.over(file))
    }

    fn document(&mut self, name: &str, document: &Value) -> Result<(), Error> {
        let bytes = document.to_string().into_bytes();
        self.member(name, bytes.len() as u64, &mut &bytes[..])
    }

    fn member(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<(), Error> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(size);
        let written = self.builder.append_data(&mut header, name, content);
        written.map_err(Error::cache("write", self.to))
    }
}

fn layer_name(diff: &Digest) -> String {
    format!("{}.tar", diff.hex())
}
