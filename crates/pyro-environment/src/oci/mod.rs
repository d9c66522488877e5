//! *Images* of registries and archives, as environments: what a name means, and how it becomes
//! what can be booted.

mod fetch;
mod flatten;
mod store;

use std::sync::Arc;

use pyro_oci::{Digest, Reference, Registry, Settings};

use crate::error::Error;
use crate::layout::Layout;
use crate::manifest::FORMAT;
use crate::name::Name;
use crate::progress::{Listener, Progress};
use crate::ready::{self, Place, Ready, State};
use store::{Pin, Store};

/// When a registry is asked what a name stands for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// If the name has not been pulled before.
    #[default]
    Missing,
    /// Never: only what was pulled before is used.
    Never,
}

/// The part of a digest that is shown as an image's version.
const VERSION_CHARACTERS: usize = 12;

/// Returns the place of the image with a manifest.
fn place(layout: &Layout, reference: &Reference, digest: &Digest) -> Place {
    Place {
        directory: layout.image(digest.hex()),
        lock: layout.image_lock(digest.hex()),
        name: format!("{}@{digest}", reference.name()),
        version: digest.hex()[..VERSION_CHARACTERS].to_owned(),
        source_digest: format!("{FORMAT}-{}", digest.hex()),
    }
}

/// Makes an image ready: finds out what its name stands for, downloads what is missing, and makes
/// one file system of its layers.
pub(crate) async fn ready(
    layout: &Layout,
    settings: &Arc<Settings>,
    reference: &Reference,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<Ready, Error> {
    let store = Store::new(layout);
    let pin = find(&store, settings, reference, policy, progress).await?;
    let place = place(layout, reference, &pin.digest);
    // It is large, and seldom needed.
    let build = Box::pin(async {
        let image = store.image(&pin.digest)?;
        let registry = Registry::new(settings, reference);
        Box::pin(fetch::layers(&store, &registry, &image.manifest, progress)).await?;
        flatten::install(layout, &place, reference, image, progress).await
    });
    let mut ready = ready::ready(layout, &place, progress, build).await?;
    // With its digest, so that whoever keeps the name keeps the image.
    ready.name = reference.pinned(&pin.digest).to_string();
    Ok(ready)
}

/// Finds out which image a name stands for.
async fn find(
    store: &Store,
    settings: &Settings,
    reference: &Reference,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<Pin, Error> {
    let known = store.pin(reference)?;
    match (policy, known) {
        (PullPolicy::Missing | PullPolicy::Never, Some(pin)) => return Ok(pin),
        (PullPolicy::Never, None) => {
            return Err(Error::NotPulled {
                name: reference.to_string(),
            });
        }
        (PullPolicy::Always, _) | (PullPolicy::Missing, None) => {}
    }
    progress(Progress::Phase("resolve"));
    let registry = Registry::new(settings, reference);
    let resolved = registry.resolve().await?;
    let config = registry.blob(&resolved.manifest.config).await?;
    store.keep(reference, &resolved, &config)
}

/// Returns what was pulled by a name, if anything was, without asking anybody.
pub(crate) fn look(layout: &Layout, reference: &Reference) -> Result<(Place, State), Error> {
    let store = Store::new(layout);
    let Some(pin) = store.pin(reference)? else {
        return Ok((unknown(layout, reference), State::Absent));
    };
    let place = place(layout, reference, &pin.digest);
    let state = ready::look(&place)?;
    Ok((place, state))
}

/// The place of an image of which nothing is known but its name.
fn unknown(layout: &Layout, reference: &Reference) -> Place {
    let digest = Digest::of(reference.to_string().as_bytes());
    Place {
        name: reference.to_string(),
        version: String::new(),
        source_digest: String::new(),
        ..place(layout, reference, &digest)
    }
}

/// Returns the names that were pulled, sorted.
pub(crate) fn names(layout: &Layout) -> Result<Vec<Reference>, Error> {
    let mut names: Vec<_> = Store::new(layout)
        .pins()?
        .into_iter()
        .filter_map(|pin| pin.reference.parse::<Reference>().ok())
        .collect();
    names.sort_by_key(ToString::to_string);
    Ok(names)
}

/// Whether an environment may be pulled by somebody who may pull only what is in these registries
/// and repositories. The catalog is not pulled from a registry, and is always within.
pub fn is_within(name: &str, allowed: &[String]) -> bool {
    let Ok(Name::Image(reference)) = Name::parse(name) else {
        return true;
    };
    let name = reference.name();
    allowed.iter().any(|allowed| {
        let allowed = allowed.trim_end_matches('/');
        let rest = name.strip_prefix(allowed);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_pulled_is_told_by_whole_parts_of_names() {
        let allowed = ["docker.io/library".to_owned(), "localhost:5000/".to_owned()];
        for (name, expected) in [
            ("debian:12", true),
            ("alpine:3", true),
            ("ada/alpine:3", false),
            ("docker.io/library2/x", false),
            ("localhost:5000/team/app:1", true),
            ("localhost:50001/x", false),
        ] {
            assert_eq!(is_within(name, &allowed), expected, "{name}");
        }
    }
}
