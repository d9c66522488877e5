//! *Images* of registries and archives, as environments: what a name means, and how it becomes
//! what can be booted.

mod export;
mod fetch;
mod flatten;
mod local;
mod place;
mod prune;
mod save;
mod saved;
mod store;
mod watch;

use std::sync::Arc;

use pyro_oci::{Digest, Reference, Registry, Settings};

use crate::disk_use;
use crate::error::Error;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::manifest::Image;
use crate::name::Name;
use crate::progress::{Listener, Progress};
use crate::pull_policy::PullPolicy;
use crate::ready::{self, Place, Ready, State};
use crate::source::{Local, Source};
pub(crate) use export::export;
use place::place;
pub(crate) use prune::{installed, prune, sweep};
pub(crate) use save::{name_image, save};
use store::{Pin, Store};

/// Makes an image ready: finds out what its name stands for, gets what is missing, and makes one
/// file system of its layers.
pub(crate) async fn ready(
    layout: &Layout,
    settings: &Arc<Settings>,
    source: &Source,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<Ready, Error> {
    let store = Store::new(layout);
    let (pin, news) = match source {
        Source::Registry(reference) => find(&store, settings, reference, policy, progress).await?,
        Source::Local(local) => (local::find(layout, local, policy, progress).await?, None),
    };
    let place = place(layout, &pin.digest);
    // It is large, and seldom needed.
    let build = Box::pin(async {
        let _held = store.hold(progress).await?;
        let image = store.image(&pin.digest)?;
        match source {
            Source::Registry(_) if fetch::are_there(&store, &image.manifest) => {}
            // Whoever may not ask what a name stands for may not ask for its layers either.
            Source::Registry(reference) if policy == PullPolicy::Never => {
                return Err(Error::NotPulled {
                    name: reference.to_string(),
                });
            }
            Source::Registry(reference) => {
                let registry = Registry::new(settings, reference);
                Box::pin(fetch::layers(&store, &registry, &image.manifest, progress)).await?;
            }
            Source::Local(local) if !fetch::are_there(&store, &image.manifest) => {
                again(layout, local, &pin.digest, policy, progress).await?;
            }
            Source::Local(_) => {}
        }
        flatten::install(layout, &place, source, image, progress).await
    });
    let mut ready = ready::ready(layout, &place, progress, build).await?;
    // Not before: until all of an image is there, its name stands for what it stood for.
    if news.is_some() {
        store.keep_pin(&pin)?;
    }
    // With its digest, so that whoever keeps the name keeps the image.
    ready.name = source.pinned(&pin.digest).to_string();
    Ok(ready)
}

/// Imports an image once more, of which a layer was lost or damaged.
async fn again(
    layout: &Layout,
    local: &Local,
    digest: &Digest,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<(), Error> {
    let policy = match policy {
        PullPolicy::Never => PullPolicy::Never,
        PullPolicy::Always | PullPolicy::Missing => PullPolicy::Always,
    };
    let pinned = Local {
        digest: Some(digest.clone()),
        ..local.clone()
    };
    local::find(layout, &pinned, policy, progress).await?;
    Ok(())
}

/// Finds out which image a name stands for. A lock says that the registry was asked: the answer has
/// to be kept, and nothing of it is removed before.
async fn find(
    store: &Store,
    settings: &Settings,
    reference: &Reference,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<(Pin, Option<Lock>), Error> {
    let source = Source::Registry(reference.clone());
    let known = store.pin(&source)?;
    match (policy, known) {
        (PullPolicy::Missing | PullPolicy::Never, Some(pin)) => return Ok((pin, None)),
        (PullPolicy::Never, None) => {
            return Err(Error::NotPulled {
                name: reference.to_string(),
            });
        }
        (PullPolicy::Always, _) | (PullPolicy::Missing, None) => {}
    }
    progress(Progress::Notice(format!("asking for {reference}")));
    progress(Progress::Phase("resolve"));
    let held = store.hold(progress).await?;
    let registry = Registry::new(settings, reference);
    let resolved = registry.resolve().await?;
    let config = registry.blob(&resolved.manifest.config).await?;
    let pin = store.keep_documents(&source, &resolved, &config, None)?;
    Ok((pin, Some(held)))
}

/// Returns what was pulled by a name, if anything was, without asking anybody.
pub(crate) fn look(layout: &Layout, source: &Source) -> Result<(Place, State), Error> {
    let store = Store::new(layout);
    let Some(pin) = store.pin(source)? else {
        return Ok((unknown(layout, source), State::Absent));
    };
    let place = place(layout, &pin.digest);
    let state = ready::look(&place)?;
    Ok((place, state))
}

/// The place of an image of which nothing is known but its name.
fn unknown(layout: &Layout, source: &Source) -> Place {
    let digest = Digest::of(source.to_string().as_bytes());
    Place {
        name: source.to_string(),
        version: String::new(),
        source_digest: String::new(),
        ..place(layout, &digest)
    }
}

/// Returns the names that were pulled, sorted.
pub(crate) fn names(layout: &Layout) -> Result<Vec<Source>, Error> {
    let mut names: Vec<_> = Store::new(layout)
        .pins()?
        .into_iter()
        .filter_map(|pin| Source::parse(&pin.reference).ok())
        .collect();
    names.sort_by_key(ToString::to_string);
    Ok(names)
}

/// The names of an image that is to be removed.
pub(crate) struct Names {
    /// The image; none if it was not pulled.
    pub(crate) digest: Option<Digest>,
    /// Those that go.
    pub(crate) these: Vec<Pin>,
    /// How many others it has.
    pub(crate) others: usize,
}

/// Returns what goes with a name: with a digest, all names of the image.
pub(crate) fn names_of(layout: &Layout, source: &Source) -> Result<Names, Error> {
    let store = Store::new(layout);
    let name = source.to_string();
    let digest = store.pin(source)?.map(|pin| pin.digest);
    let all = store.pins()?.into_iter();
    let all = all.filter(|pin| Some(&pin.digest) == digest.as_ref());
    let goes = |pin: &Pin| source.digest().is_some() || pin.reference == name;
    let (these, others): (Vec<_>, Vec<_>) = all.partition(goes);
    Ok(Names {
        digest,
        these,
        others: others.len(),
    })
}

/// Forgets what names stand for.
pub(crate) fn forget(layout: &Layout, names: &[Pin]) -> Result<(), Error> {
    let store = Store::new(layout);
    names.iter().try_for_each(|pin| prune::forget(&store, pin))
}

/// Returns the bytes of an image's layers as they came.
pub(crate) fn size_of_layers(layout: &Layout, image: &Image) -> u64 {
    let store = Store::new(layout);
    let layers = image.layers.iter();
    layers.map(|layer| disk_use::of(&store.blob(layer))).sum()
}

/// Whether an environment may be pulled by somebody who may pull only what is in these registries
/// and repositories. The catalog is not pulled from a registry, and is always within. A file or a
/// program of this host never is: whoever may not read it must not read it as an image either.
pub fn is_within(name: &str, allowed: &[String]) -> bool {
    let reference = match Name::parse(name) {
        Ok(Name::Image(Source::Registry(reference))) => reference,
        Ok(Name::Image(Source::Local(_))) => return false,
        Ok(Name::Entry(_)) | Err(_) => return true,
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
            ("docker-archive:/etc/shadow", false),
            ("oci-layout:docker.io/library", false),
            ("docker:docker.io/library/debian", false),
        ] {
            assert_eq!(is_within(name, &allowed), expected, "{name}");
        }
    }
}
