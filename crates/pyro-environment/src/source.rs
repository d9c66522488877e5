//! The *source* of an image: where it is had, and by what name. Its text is what an image's
//! environment is called.

use std::fmt;
use std::path::{Path, PathBuf};

use pyro_oci::{Digest, Form, Reference, Version};

use crate::Error;

/// Before the name of an image of a registry, for one that would mean something else without.
const REGISTRY: &str = "oci:";
/// Before the name of an image that was saved in the cache.
const SAVED: &str = "local:";
const SAVED_NAME_BYTES: usize = 128;

/// Where an image is had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// At a registry.
    Registry(Reference),
    /// On this host.
    Local(Local),
}

/// An image on this host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Local {
    pub(crate) place: LocalPlace,
    /// If it was pulled before, which one is meant.
    pub(crate) digest: Option<Digest>,
}

/// Where on this host an image is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LocalPlace {
    /// In a file, packed.
    Packed {
        form: Form,
        path: PathBuf,
        tag: Option<String>,
    },
    /// In a directory with an OCI layout.
    Directory { path: PathBuf, tag: Option<String> },
    /// In the storage of a program, under a name.
    Storage { program: Program, name: String },
    /// Only in the cache, where it was saved.
    Saved { name: String },
}

/// A program that has images.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    Docker,
    Podman,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// The kinds of names, by what is before the colon.
const KINDS: [(&str, Kind); 6] = [
    ("docker-archive:", Kind::Packed(Form::Saved)),
    ("oci-archive:", Kind::Packed(Form::Layout)),
    ("oci-layout:", Kind::Directory),
    ("docker:", Kind::Storage(Program::Docker)),
    ("podman:", Kind::Storage(Program::Podman)),
    (SAVED, Kind::Saved),
];

#[derive(Clone, Copy)]
enum Kind {
    Packed(Form),
    Directory,
    Storage(Program),
    Saved,
}

impl Source {
    /// Reads the name of an image that is to be saved, with or without what is before the colon.
    pub(crate) fn to_save(text: &str) -> Result<Self, Error> {
        let name = text.strip_prefix(SAVED).unwrap_or(text);
        let source = Self::parse(&format!("{SAVED}{name}"))?;
        if source.digest().is_some() {
            let text = text.escape_debug().to_string();
            let problem = "the digest comes from what is saved".into();
            return Err(Error::LocalName { text, problem });
        }
        Ok(source)
    }

    /// Reads a name that says by what is before its first colon where the image is; none if it does
    /// not say so. Relative paths are made absolute.
    pub(crate) fn explicit(text: &str) -> Option<Result<Self, Error>> {
        if let Some(rest) = text.strip_prefix(REGISTRY) {
            return Some(rest.parse().map(Self::Registry).map_err(Error::Image));
        }
        let mut kinds = KINDS.iter();
        let (rest, kind) =
            kinds.find_map(|(prefix, kind)| Some((text.strip_prefix(prefix)?, *kind)))?;
        let local = Local::parse(kind, rest).map_err(|problem| {
            let text = text.escape_debug().to_string();
            Error::LocalName { text, problem }
        });
        Some(local.map(Self::Local))
    }

    /// Reads the text of a source.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::explicit(text).unwrap_or_else(|| Ok(Self::Registry(text.parse()?)))
    }

    /// Returns the digest, if it is in the name.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Registry(reference) => reference.digest(),
            Self::Local(local) => local.digest.as_ref(),
        }
    }

    /// Returns the name with a digest, which always means the same image.
    pub(crate) fn pinned(&self, digest: &Digest) -> Self {
        match self {
            Self::Registry(reference) => Self::Registry(reference.pinned(digest)),
            Self::Local(local) => Self::Local(Local {
                digest: Some(digest.clone()),
                ..local.clone()
            }),
        }
    }

    /// Returns what an exported image is called: a name with a tag that container tools take. None if it
    /// has no name but that of a file.
    pub(crate) fn exported_name(&self) -> Option<String> {
        match self {
            Self::Registry(reference) => match reference.version() {
                Version::Tag(tag) => Some(format!("{}:{tag}", reference.name())),
                Version::Digest(_) => None,
            },
            Self::Local(local) => match &local.place {
                LocalPlace::Saved { name } if name.contains(':') => {
                    Some(format!("localhost/{name}"))
                }
                LocalPlace::Saved { name } => Some(format!("localhost/{name}:latest")),
                _ => None,
            },
        }
    }

    /// Returns where it comes from, without what may change: the tag and the digest.
    pub(crate) fn origin(&self) -> String {
        match self {
            Self::Registry(reference) => format!("{REGISTRY}{}", reference.name()),
            Self::Local(local) => local.place.to_string(),
        }
    }
}

impl Local {
    fn parse(kind: Kind, rest: &str) -> Result<Self, String> {
        let (rest, digest) = match rest.rsplit_once('@') {
            // A file may be called so, too, but for the digest.
            Some((before, digest)) if digest.starts_with("sha256:") => {
                (before, Some(digest.parse()?))
            }
            _ => (rest, None),
        };
        let place = match kind {
            Kind::Saved => LocalPlace::Saved { name: saved(rest)? },
            Kind::Storage(program) => LocalPlace::Storage {
                program,
                name: stored(rest)?,
            },
            Kind::Packed(form) => {
                let (path, tag) = file(rest)?;
                LocalPlace::Packed { form, path, tag }
            }
            Kind::Directory => {
                let (path, tag) = file(rest)?;
                LocalPlace::Directory { path, tag }
            }
        };
        Ok(Self { place, digest })
    }
}

/// Checks the name of a saved image. It may have a tag, as a part of the name.
fn saved(text: &str) -> Result<String, String> {
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte);
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins_well && text.len() <= SAVED_NAME_BYTES && text.bytes().all(is_part) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a name of lower-case letters, digits, '.', '_', '-', '/' and ':', of at most \
         {SAVED_NAME_BYTES} bytes, has to follow the colon"
    ))
}

/// Reads the path of a file and the tag of an image in it.
fn file(text: &str) -> Result<(PathBuf, Option<String>), String> {
    let (path, tag) = match text.split_once(':') {
        Some((_, "")) => return Err("the name of an image has to follow the last colon".into()),
        Some((path, tag)) => (path, Some(tag.to_owned())),
        None => (text, None),
    };
    match path {
        "" => return Err("a path has to follow the colon".into()),
        "-" => {
            return Err("an archive is read from a file, not from standard input".into());
        }
        _ => {}
    }
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    Ok((path, tag))
}

/// Checks the name of an image in the storage of a program, which must not be taken for an option.
fn stored(text: &str) -> Result<String, String> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@[]".contains(&byte);
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'[');
    if begins_well && text.bytes().all(is_part) {
        return Ok(text.to_owned());
    }
    Err("the name or the id of an image has to follow the colon".into())
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(formatter),
            Self::Local(local) => local.fmt(formatter),
        }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(formatter)?;
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LocalPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_tag = |formatter: &mut fmt::Formatter<'_>, kind: &str, path: &Path, tag| {
            write!(formatter, "{kind}:{}", path.display())?;
            match tag {
                Some(tag) => write!(formatter, ":{tag}"),
                None => Ok(()),
            }
        };
        match self {
            Self::Packed { form, path, tag } => {
                let kind = match form {
                    Form::Saved => "docker-archive",
                    Form::Layout => "oci-archive",
                };
                with_tag(formatter, kind, path, tag.as_ref())
            }
            Self::Directory { path, tag } => with_tag(formatter, "oci-layout", path, tag.as_ref()),
            Self::Saved { name } => write!(formatter, "{SAVED}{name}"),
            Self::Storage { program, name } => write!(formatter, "{}:{name}", program.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_the_image_is_and_is_read_again_as_it_is_shown() {
        let hex = "a".repeat(64);
        for (text, whole) in [
            ("oci:debian:12", "docker.io/library/debian:12"),
            ("docker-archive:/a/b.tar", "docker-archive:/a/b.tar"),
            ("docker-archive:/a/./b.tar:1", "docker-archive:/a/b.tar:1"),
            (
                "oci-archive:/b.tar:localhost:5000/app:1",
                "oci-archive:/b.tar:localhost:5000/app:1",
            ),
            (
                &format!("oci-layout:/l:1@sha256:{hex}"),
                &format!("oci-layout:/l:1@sha256:{hex}"),
            ),
            ("docker:app:1", "docker:app:1"),
            ("local:mine/app:1", "local:mine/app:1"),
            ("podman:localhost/app@sha256", "podman:localhost/app@sha256"),
        ] {
            let source = Source::explicit(text).unwrap().unwrap();
            assert_eq!(source.to_string(), whole);
            assert_eq!(Source::parse(whole).unwrap(), source);
            let pinned = source.pinned(&hex_digest());
            assert_eq!(Source::parse(&pinned.to_string()).unwrap(), pinned);
        }
        let relative = Source::parse("oci-layout:l").unwrap().to_string();
        assert!(relative.starts_with("oci-layout:/") && relative.ends_with("/l"));
        assert!(Source::explicit("debian:12").is_none());
    }

    fn hex_digest() -> Digest {
        Digest::of(b"x")
    }

    #[test]
    fn what_is_no_name_is_refused_and_no_option_is_handed_to_a_program() {
        for text in [
            "docker-archive:",
            "docker-archive:-",
            "docker-archive:-:app",
            "docker-archive:/a:",
            "oci-archive::tag",
            "oci-layout:/a@sha256:12",
            "docker:",
            "docker:--help",
            "podman:-o",
            "podman:a b",
            "podman:a;b",
            "podman:\n",
            "local:",
            "local:Mine",
            "local:../mine",
            "local:a b",
        ] {
            let error = Source::explicit(text).unwrap().unwrap_err();
            assert_eq!(error.code(), "image_name_invalid", "{text}");
        }
    }
}
