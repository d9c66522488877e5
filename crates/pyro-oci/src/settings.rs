//! The *settings* of whoever fetches images: what the host and its user say about registries. The
//! library reads no variable: a caller finds the files and hands their names over.

use std::path::PathBuf;
use std::time::Duration;

use pyro_http::Proxies;

/// How registries are reached.
#[derive(Debug)]
pub struct Settings {
    /// Files with credentials, in the order in which they are looked at. They need not exist.
    pub credentials: Vec<PathBuf>,
    /// Directories that may have a directory named as a registry (`HOST[:PORT]`), with the
    /// certificates of its authority in files `*.crt`.
    pub certificates: Vec<PathBuf>,
    /// Registries (`HOST[:PORT]`) that may be reached without TLS, besides those on this host.
    pub insecure: Vec<String>,
    /// Through what they are reached.
    pub proxies: Proxies,
    /// How long the body of an answer may stand still; half a minute by default.
    pub idle_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: Vec::new(),
            certificates: Vec::new(),
            insecure: Vec::new(),
            proxies: Proxies::default(),
            idle_limit: Duration::from_secs(30),
        }
    }
}
