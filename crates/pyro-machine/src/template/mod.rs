//! A *template* is a machine that was booted, prepared and warmed up once: its memory as a sparse
//! file, the state of its devices, its disk. Clones map the memory privately and continue from that
//! state.
//!
//! QEMU verifies next to nothing when it restores: another image, another processor, another number
//! of them "work", or hang. So a template is found only by a digest of everything it depends on,
//! and used only if its files are unchanged, to the inode and the nanosecond.

mod key;
mod kind;
mod lock;
mod record;
mod stamp;
mod store;

pub(crate) use key::TemplateKey;
pub(crate) use kind::TemplateKind;
pub(crate) use store::{Template, TemplateBuilder, TemplateLookup, Templates, sweep};
