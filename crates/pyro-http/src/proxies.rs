//! The *proxies*: which server is reached through which other one.

use std::net::IpAddr;

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

    /// Returns the proxy for a URL, if there is one. A proxy reaches another host's loopback, so there
    /// is none for this one's.
    pub(crate) fn find(&self, url: &Uri) -> Option<Proxy> {
        if is_loopback(url.host().unwrap_or_default()) {
            return None;
        }
        let found = self.0.as_ref()?.intercept(url)?;
        Some(Proxy {
            uri: found.uri().clone(),
            authorization: found.basic_auth().cloned(),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_used_for_other_hosts_only() {
        let proxies = Proxies::new("http://proxy:1", "proxy:2", "example.org");
        for (url, proxy) in [
            ("http://example.com/", Some("http://proxy:1/")),
            ("https://example.com/", Some("http://proxy:2/")),
            ("https://example.org/", None),
            ("https://www.example.org/", None),
            ("http://localhost:5000/", None),
            ("http://127.0.0.1:5000/", None),
            ("http://[::1]:5000/", None),
        ] {
            let found = proxies.find(&url.parse().unwrap());
            let found = found.map(|proxy| proxy.uri.to_string());
            assert_eq!(found.as_deref(), proxy, "{url}");
        }
    }
}
