//! *OCI images*: what containers are started from, and where they come from. The crate reads their
//! names, asks registries, and finds images in archives; it keeps nothing, and does not look into
//! layers.
//!
//! All that comes from outside has a limit on its size and on its time, and counts only if its
//! digest is the one that was asked for.
//!
//! The words are in `docs/glossary.md`.

mod archive;
mod archive_name;
mod challenge;
mod client;
mod credentials;
mod digest;
mod error;
mod model;
mod part;
mod reference;
mod registry;
mod retry;
mod settings;
mod written;

pub use archive::{Archive, Form, Found, Held};
pub use digest::{Digest, hash};
pub use error::Error;
pub use model::OCI_MANIFEST as MANIFEST;
pub use model::{Descriptor, ImageConfig, Manifest, Platform, Process, RootFs, read_manifest};
pub use reference::{Reference, Version};
pub use registry::{Registry, Resolved};
pub use settings::Settings;
pub use written::written_image;
