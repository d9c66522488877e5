//! The *registries* of images, as far as the user's surroundings say how to reach them.

use std::ffi::OsString;
use std::path::PathBuf;

use pyro_environment::{Proxies, Settings};

use crate::{Error, variables};

/// Where the certificates of registries' authorities are, besides the user's own.
const CERTIFICATES: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/// How the registries of images are reached.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    /// Files with credentials, in the order in which they are looked at.
    credentials: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    insecure: Vec<String>,
    /// For plain HTTP, for TLS, and what none is used for.
    proxies: [String; 3],
    /// The registries and repositories from which models may have images pulled.
    pub for_models: Vec<String>,
}

impl Registries {
    /// Finds out what the variables say, which `get` returns by name.
    ///
    /// # Errors
    /// When a variable is no text.
    pub(crate) fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let path = |name: &str| get(name).map(PathBuf::from);
        let text = |name: &str| match get(name) {
            None => Ok(String::new()),
            Some(value) => value
                .into_string()
                .map_err(|value| Error::bad_variable(name, &value, "text")),
        };
        let either = |lower: &str, upper: &str| {
            text(lower).and_then(|value| {
                if value.is_empty() {
                    text(upper)
                } else {
                    Ok(value)
                }
            })
        };
        let home = path(variables::HOME);
        let in_home = |below: &str| home.as_ref().map(|home| home.join(below));
        // As containers-auth.json(5) and Docker say.
        let credentials = [
            path(variables::REGISTRY_AUTH_FILE),
            path(variables::XDG_RUNTIME_DIR)
                .map(|directory| directory.join("containers/auth.json")),
            path(variables::XDG_CONFIG_HOME)
                .or_else(|| in_home(".config"))
                .map(|directory| directory.join("containers/auth.json")),
            path(variables::DOCKER_CONFIG)
                .or_else(|| in_home(".docker"))
                .map(|directory| directory.join("config.json")),
        ];
        let own = in_home(".config/containers/certs.d");
        Ok(Self {
            credentials: credentials.into_iter().flatten().collect(),
            certificates: own
                .into_iter()
                .chain(CERTIFICATES.map(PathBuf::from))
                .collect(),
            insecure: list(&text(variables::INSECURE_REGISTRIES)?),
            proxies: [
                either("http_proxy", "HTTP_PROXY")?,
                either("https_proxy", "HTTPS_PROXY")?,
                either("no_proxy", "NO_PROXY")?,
            ],
            for_models: list(&text(variables::PULL_FROM)?),
        })
    }

    pub(crate) fn settings(&self) -> Settings {
        let [http, https, no] = &self.proxies;
        Settings {
            credentials: self.credentials.clone(),
            certificates: self.certificates.clone(),
            insecure: self.insecure.clone(),
            proxies: Proxies::new(http, https, no),
            ..Settings::default()
        }
    }
}

/// The parts of a list with commas.
pub(crate) fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}
