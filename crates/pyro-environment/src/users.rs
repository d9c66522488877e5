//! The *users* of environments: workspaces and VMs, whose disks are layers above them.

use std::collections::BTreeSet;

use pyro_oci::Digest;

use crate::name::Name;

/// Something whose environment must stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What it is, and its id, as users know it.
    pub id: String,
    /// The name of its environment, as [`Ready`](crate::Ready) had it.
    pub environment: String,
}

/// All who use environments.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Those who are known.
    pub known: Vec<User>,
    /// Whether there may be more: then nothing is removed that somebody may use.
    pub may_be_more: bool,
}

impl Users {
    /// Those who use an environment of the catalog.
    pub(crate) fn of_entry(&self, name: &str) -> Vec<String> {
        let all = self.known.iter().filter(|user| user.environment == name);
        all.map(|user| user.id.clone()).collect()
    }

    /// Those who use an image.
    pub(crate) fn of_image(&self, digest: &Digest) -> Vec<String> {
        let all = self.known.iter();
        all.filter(|user| image(user).as_ref() == Some(digest))
            .map(|user| user.id.clone())
            .collect()
    }

    /// All images that are used; none if that is not known.
    pub(crate) fn images(&self) -> Option<BTreeSet<Digest>> {
        (!self.may_be_more).then(|| self.known.iter().filter_map(image).collect())
    }
}

fn image(user: &User) -> Option<Digest> {
    match Name::parse(&user.environment) {
        Ok(Name::Image(source)) => source.digest().cloned(),
        _ => None,
    }
}
