//! The *name* of an environment: what it means.

use crate::Error;
use crate::catalog::{self, Entry};
use crate::source::Source;

/// What the name of an environment means.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// An entry of the catalog.
    Entry(&'static Entry),
    /// An image.
    Image(Source),
}

impl Name {
    /// Finds out what a name means. Those of the catalog come first; others are images if they
    /// have a colon, a slash or an at sign, unless they are a typing error away from the catalog.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        if let Some(source) = Source::explicit(name) {
            return source.map(Self::Image);
        }
        let unknown = match catalog::find(name) {
            Ok(entry) => return Ok(Self::Entry(entry)),
            Err(unknown) => unknown,
        };
        if !name.contains([':', '/', '@']) || unknown.has_nearest() {
            return Err(unknown);
        }
        name.parse()
            .map(|reference| Self::Image(Source::Registry(reference)))
            .map_err(|source| unknown.because(source))
    }

    /// The error for a name that was taken for an image, because it is none of the catalog, and
    /// cannot be had as such.
    pub(crate) fn explain(name: &str, error: Error) -> Error {
        let Err(unknown) = catalog::find(name) else {
            return error;
        };
        match error {
            error if Source::explicit(name).is_some() || is_full(name) => error,
            Error::Image(source) => unknown.because(source),
            Error::NotPulled { .. } => unknown,
            error => error,
        }
    }
}

/// Whether a name has a registry or a repository, so that nobody takes it for one of the catalog.
fn is_full(name: &str) -> bool {
    name.contains(['/', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_comes_first_and_what_looks_like_an_image_is_one() {
        assert!(matches!(Name::parse("debian:12"), Ok(Name::Entry(_))));
        for (name, image) in [
            ("oci:debian:12", "docker.io/library/debian:12"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
        ] {
            let Ok(Name::Image(source)) = Name::parse(name) else {
                panic!("{name}")
            };
            assert_eq!(source.to_string(), image);
        }
        // Neither is asked of a registry.
        for name in ["alpine", "debain:12", "", "a:b:c"] {
            let error = Name::parse(name).unwrap_err();
            assert_eq!(error.code(), "unknown_environment", "{name}");
        }
    }
}
