//! The *proxies*: which server is reached through which other one.

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

/// The proxies of the user's environment.
#[derive(Debug, Default)]
pub struct Proxies(Option<Matcher>);

/// A proxy, and what it knows its user by.
pub(crate) struct Proxy {
    pub(crate) uri: Uri,
    pub(crate) authorization: Option<HeaderValue>,
}

impl Proxies {
    /// Takes the values of the customary variables `http_proxy`, `https_proxy` and `no_proxy`. An
    /// empty one counts as not given.
    pub fn new(http: &str, https: &str, no: &str) -> Self {
        if http.is_empty() && https.is_empty() {
            return Self(None);
        }
        let matcher = Matcher::builder()
            .http(http.to_owned())
            .https(https.to_owned())
            .no(no.to_owned())
            .build();
        Self(Some(matcher))
    }

    /// Returns the proxy for a URL, if there is one.
    pub(crate) fn find(&self, url: &Uri) -> Option<Proxy> {
        let found = self.0.as_ref()?.intercept(url)?;
        Some(Proxy {
            uri: found.uri().clone(),
            authorization: found.basic_auth().cloned(),
        })
    }
}
