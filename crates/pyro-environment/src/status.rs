//! The *status* of an environment: what the catalog says of it, and whether it is installed.

use std::path::PathBuf;

use pyro_oci::Reference;

use crate::catalog::Entry;
use crate::layout::{Layout, MANIFEST};
use crate::manifest::Image;
use crate::ready::{self, Place, State};
use crate::source::Source;
use crate::{Error, disk_use, oci};

/// An environment and its state in the cache.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it is called.
    pub name: String,
    /// Its version: that of the entry of the catalog, or the beginning of an image's digest.
    pub version: String,
    /// What it is for, in one sentence.
    pub description: String,
    /// The packages that it promises.
    pub default_packages: Vec<String>,
    /// The distribution; empty if it is not known.
    pub distribution: String,
    /// The distribution's release.
    pub distribution_version: String,
    /// The versions of this product that can use it.
    pub compatibility: &'static str,
    /// Digest of the recipe, or of the image's manifest: SHA-256 in hexadecimal.
    pub source_digest: String,
    /// Whether it is an image, and not an entry of the catalog.
    pub is_image: bool,
    /// The name of its image, if it is one of a registry.
    pub reference: Option<Reference>,
    /// The root of the cache.
    pub cache_dir: PathBuf,
    /// Where it is, or would be, installed.
    pub install_dir: PathBuf,
    /// What is installed, if it is.
    pub installation: Option<Installation>,
}

impl Status {
    /// Whether it is installed: the files are there with the right sizes. Their contents are
    /// looked at when it is made ready.
    pub fn installed(&self) -> bool {
        self.installation.is_some()
    }
}

/// An installed environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The file that describes it.
    pub manifest: PathBuf,
    /// Where it came from.
    pub source: String,
    /// When, in seconds since 1970.
    pub installed_at: u64,
    /// What `uname -r` says in it.
    pub kernel_version: String,
    /// SHA-256 of the root file system's image, in hexadecimal.
    pub digest: String,
    /// Bytes that it takes on the disk: kernel, modules, image, and the layers that an image was made
    /// from. All but the image may be shared with other environments.
    pub size: u64,
}

/// Returns the state of an entry of the catalog.
pub(crate) fn of(layout: &Layout, entry: &Entry) -> Result<Status, Error> {
    let place = Place::of(layout, entry);
    let installation = installation(&place, ready::look(&place)?);
    Ok(Status {
        name: place.name,
        version: place.version,
        description: entry.description.to_owned(),
        default_packages: entry
            .default_packages
            .iter()
            .map(|&name| name.into())
            .collect(),
        distribution: entry.distribution.to_owned(),
        distribution_version: entry.distribution_version.to_owned(),
        compatibility: entry.compatibility,
        source_digest: place.source_digest,
        is_image: false,
        reference: None,
        cache_dir: layout.cache().to_owned(),
        install_dir: place.directory,
        installation,
    })
}

/// Returns the state of an image, as its name was pulled last.
pub(crate) fn of_image(layout: &Layout, source: &Source) -> Result<Status, Error> {
    let (place, state) = oci::look(layout, source)?;
    let image = match &state {
        State::Installed(manifest) => manifest.image.clone(),
        State::Absent | State::Unusable(_) => None,
    };
    let said =
        |value: fn(&Image) -> &String| image.as_ref().map(value).cloned().unwrap_or_default();
    let mut installation = installation(&place, state);
    if let (Some(installation), Some(image)) = (&mut installation, &image) {
        installation.size += oci::size_of_layers(layout, image);
    }
    Ok(Status {
        name: source.to_string(),
        version: place.version,
        description: format!("The image {source}."),
        default_packages: Vec::new(),
        distribution: said(|image| &image.distribution),
        distribution_version: said(|image| &image.distribution_version),
        compatibility: ">=2.0.0",
        source_digest: image
            .map(|image| image.digest.hex().to_owned())
            .unwrap_or_default(),
        is_image: true,
        reference: match source {
            Source::Registry(reference) => Some(reference.clone()),
            Source::Local(_) => None,
        },
        cache_dir: layout.cache().to_owned(),
        install_dir: place.directory,
        installation,
    })
}

fn installation(place: &Place, state: State) -> Option<Installation> {
    let State::Installed(manifest) = state else {
        return None;
    };
    Some(Installation {
        size: disk_use::of(&place.directory),
        manifest: place.directory.join(MANIFEST),
        source: manifest.source,
        installed_at: manifest.installed_at,
        kernel_version: manifest.kernel_version,
        digest: manifest.files.rootfs.sha256,
    })
}
