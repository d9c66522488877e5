//! The *place* of an image in the cache.

use pyro_oci::Digest;

use crate::layout::Layout;
use crate::manifest::FORMAT;
use crate::ready::Place;

/// The part of a digest that is shown as an image's version.
const VERSION_CHARACTERS: usize = 12;

/// Returns the place of the image with a manifest, whatever names it has.
pub(crate) fn place(layout: &Layout, digest: &Digest) -> Place {
    Place {
        directory: layout.image(digest.hex()),
        lock: layout.image_lock(digest.hex()),
        name: format!("image@{digest}"),
        version: digest.hex()[..VERSION_CHARACTERS].to_owned(),
        source_digest: format!("{FORMAT}-{}", digest.hex()),
    }
}
