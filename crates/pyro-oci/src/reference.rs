//! A *reference* is the name of an image in a registry, as container tools write it:
//! `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`. The grammar is that of the distribution
//! specification and of its reference implementation.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, Error};

/// The registry of a name without a host.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Where its interface is.
const DEFAULT_REGISTRY_HOST: &str = "registry-1.docker.io";
/// The first part of a repository that has no other, at that registry.
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";
/// The longest repository, with its registry, in characters.
const NAME_LIMIT: usize = 255;
const TAG_LIMIT: usize = 128;

/// The name of an image. It is shown in full, registry and namespace included.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Reference {
    registry: String,
    repository: String,
    /// `None` only if there is a digest.
    tag: Option<String>,
    digest: Option<Digest>,
}

/// What a registry is asked for a manifest by.
#[derive(Clone, Debug)]
pub enum Version {
    /// By a name that can be moved.
    Tag(String),
    /// By its content.
    Digest(Digest),
}

impl Reference {
    /// Returns the registry's host, and its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the host of the registry's interface, and its port if it has one.
    pub fn registry_host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY {
            DEFAULT_REGISTRY_HOST
        } else {
            &self.registry
        }
    }

    /// Returns the repository, such as `library/debian`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns by what a manifest is asked for: a digest wins over a tag.
    pub fn version(&self) -> Version {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Version::Digest(digest.clone()),
            (None, Some(tag)) => Version::Tag(tag.clone()),
            (None, None) => Version::Tag(DEFAULT_TAG.into()),
        }
    }

    /// Returns the name of the image that this name stands for now: with its digest.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self {
            digest: Some(digest.clone()),
            ..self.clone()
        }
    }

    /// Returns registry and repository, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => formatter.write_str(tag),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |problem: String| Error::Reference {
            text: pyro_text::line(text),
            problem,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(invalid)?)),
            None => (text, None),
        };
        // A colon before a slash belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(invalid(format!("'{}' is no tag", pyro_text::line(tag))));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest.to_owned()),
            _ => (DEFAULT_REGISTRY, name.to_owned()),
        };
        // Both are names of the same registry.
        let registry = match registry {
            "index.docker.io" => DEFAULT_REGISTRY,
            other => other,
        };
        let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
            format!("{DEFAULT_NAMESPACE}/{repository}")
        } else {
            repository
        };
        if !is_host(registry) {
            let host = pyro_text::line(registry);
            return Err(invalid(format!("'{host}' is no host of a registry")));
        }
        if let Some(part) = repository.split('/').find(|part| !is_component(part)) {
            let why = if part.is_empty() {
                "a part of its repository is empty".into()
            } else if part.bytes().any(|byte| byte.is_ascii_uppercase()) {
                format!("'{part}' has capital letters, which repositories do not")
            } else {
                let part = pyro_text::line(part);
                format!("'{part}' cannot be a part of a repository")
            };
            return Err(invalid(why));
        }
        if registry.len() + 1 + repository.len() > NAME_LIMIT {
            return Err(invalid(format!(
                "it is longer than {NAME_LIMIT} characters"
            )));
        }
        let tag = tag.map(ToOwned::to_owned);
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.or_else(|| digest.is_none().then(|| DEFAULT_TAG.into())),
            digest,
        })
    }
}

/// Whether the first part of a name is a registry and not the beginning of a repository.
fn is_registry(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':']) || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_named = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    is_named && port.is_none_or(is_port)
}

/// Lower-case letters and digits, in groups parted by a dot, one or two underscores, or dashes.
fn is_component(part: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator = |separator: &str| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    part.bytes().next().is_some_and(is_alphanumeric)
        && part.bytes().last().is_some_and(is_alphanumeric)
        && part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_LIMIT
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        let hex = "a".repeat(64);
        for (text, whole) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:12", "docker.io/library/debian:12"),
            ("index.docker.io/debian", "docker.io/library/debian:latest"),
            ("ada/tool:1.0-rc_1", "docker.io/ada/tool:1.0-rc_1"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/team/app:1", "localhost:5000/team/app:1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            (
                "registry.example/a__b/c--d.e",
                "registry.example/a__b/c--d.e:latest",
            ),
            (
                &format!("example.org/app@sha256:{hex}"),
                &format!("example.org/app@sha256:{hex}"),
            ),
            (
                &format!("example.org/app:1@sha256:{hex}"),
                &format!("example.org/app:1@sha256:{hex}"),
            ),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), whole);
            assert_eq!(whole.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            ":",
            "@",
            "Debian:12",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:-x",
            "a:b:c",
            "a_",
            "a..b",
            "a___b",
            "a b",
            "ex ample.org/a",
            "-host.org/a",
            "host.org:0/a",
            "host.org:99999/a",
            "a@sha256:12",
            "a@sha512:12",
            "a\n",
            "ä",
            &"a".repeat(256),
            &format!("a:{}", "t".repeat(129)),
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
