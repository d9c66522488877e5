//! A *connection* to an HTTP server: TCP, TLS where the address says so, and a proxy where the
//! caller names one. One request after the other goes over it.
//!
//! The library reads no variable: proxies and certificates are handed to it.

mod connection;
mod proxies;
mod roots;

pub use connection::{Connection, speaks_no_tls};
pub use proxies::Proxies;
pub use roots::Roots;
