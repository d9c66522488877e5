//! *Benches*: each measures one promise of `SPECIFICATION.md` and reports a table in Markdown,
//! with what it was measured on.

pub mod cold;
mod host;
mod statistics;

pub use host::Host;
pub use statistics::{Samples, Table};
