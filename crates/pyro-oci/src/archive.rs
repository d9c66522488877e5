//! An *archive* holds an image in files: an OCI layout, in a directory or packed, or what
//! `docker save` and `podman save` write. A packed one is unpacked by name only: each of its files
//! becomes a numbered one, and what it is called stays in memory, so that no name or link in it
//! leads anywhere.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::model::{DOCUMENT_LIMIT_BYTES, Document, Index, json};
use crate::{Descriptor, Digest, Error, Manifest, Resolved};

/// More files than an image has: the specification's images have a blob for each layer.
const FILES_LIMIT: usize = 20_000;
/// Links that may lead to each other.
const LINKS: usize = 8;
/// How an OCI layout names its images.
const NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";
/// How containerd and Docker do.
const FULL_NAME_ANNOTATION: &str = "io.containerd.image.name";

/// An image in files.
#[derive(Debug)]
pub struct Archive {
    /// What the user calls it.
    name: String,
    files: Files,
}

#[derive(Debug)]
enum Files {
    Directory(PathBuf),
    Unpacked(HashMap<String, Unpacked>),
}

/// A file of a packed archive.
#[derive(Debug)]
enum Unpacked {
    File {
        path: PathBuf,
        digest: Digest,
        size: u64,
    },
    Link(String),
}

/// An image, and where its blobs lie.
#[derive(Debug)]
pub struct Found {
    /// The image.
    pub image: Resolved,
    /// The files of its configuration and its layers. They are not checked.
    pub blobs: HashMap<Digest, PathBuf>,
}

/// The images in a `manifest.json`, as `docker save` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

impl Archive {
    /// Opens a directory with an OCI layout.
    pub fn directory(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            files: Files::Directory(path.to_owned()),
        }
    }

    /// Unpacks an archive, of at most so many bytes, into a directory that is empty. Blocks.
    ///
    /// # Errors
    /// When it is no tar archive, or is larger, or has more files than an image may have.
    pub fn unpack(
        name: &str,
        archive: impl Read,
        into: &Path,
        limit_bytes: u64,
    ) -> Result<Self, Error> {
        let broken = |source: io::Error| Error::Archive {
            archive: name.to_owned(),
            problem: format!(
                "something that is no tar archive: {}",
                pyro_text::line(&source.to_string())
            ),
        };
        let mut files = HashMap::new();
        let mut total = 0_u64;
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = plain(&String::from_utf8_lossy(&entry.path_bytes()));
            if files.len() >= FILES_LIMIT {
                return Err(problem(name, format!("more than {FILES_LIMIT} files")));
            }
            let kind = entry.header().entry_type();
            if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                let beside = if kind.is_symlink() { parent(&path) } else { "" };
                let target = plain(&format!("{beside}/{target}"));
                files.insert(path, Unpacked::Link(target));
            } else if kind.is_file() {
                let spooled = into.join(files.len().to_string());
                let (digest, size) =
                    spool(&mut entry, &spooled, limit_bytes - total).map_err(|failure| {
                        match failure {
                            Spool::TooLarge => {
                                problem(name, format!("more than {limit_bytes} bytes"))
                            }
                            Spool::Archive(source) => broken(source),
                            Spool::File(source) => Error::io("write", &spooled)(source),
                        }
                    })?;
                total += size;
                files.insert(
                    path,
                    Unpacked::File {
                        path: spooled,
                        digest,
                        size,
                    },
                );
            }
        }
        Ok(Self {
            name: name.to_owned(),
            files: Files::Unpacked(files),
        })
    }

    /// Finds the image with a tag, or the only one if none is asked for. Blocks.
    ///
    /// # Errors
    /// When there is no such image, or something of it is missing.
    pub fn find(&self, tag: Option<&str>) -> Result<Found, Error> {
        if self.path("index.json").is_some() {
            return self.find_in_layout(tag);
        }
        if self.path("manifest.json").is_some() {
            return self.find_saved(tag);
        }
        Err(problem(
            &self.name,
            "neither index.json nor manifest.json: it is no image".into(),
        ))
    }

    fn find_in_layout(&self, tag: Option<&str>) -> Result<Found, Error> {
        let index: Index = json("index", &self.read("index.json")?)?;
        let named: Vec<_> = match tag {
            None => index.manifests.iter().collect(),
            Some(tag) => index
                .manifests
                .iter()
                .filter(|one| {
                    let (short, full) = names(one);
                    short == Some(tag) || full.is_some_and(|full| is_named(full, tag))
                })
                .collect(),
        };
        let of_this_platform = |index: Index| index.choose().cloned();
        let mut chosen = match (named.as_slice(), tag) {
            ([one], _) => (*one).clone(),
            ([], Some(tag)) => {
                return Err(self.no_image(
                    tag,
                    index.manifests.iter().filter_map(|one| {
                        let (short, full) = names(one);
                        full.or(short)
                    }),
                ));
            }
            // One for each platform, without an index of their own.
            (several, _) => of_this_platform(Index {
                manifests: several.iter().map(|one| (*one).clone()).collect(),
            })?,
        };
        loop {
            let bytes = self.read(&blob(&chosen.digest))?;
            match Document::read(&bytes)? {
                Document::Index(index) => chosen = of_this_platform(index)?,
                Document::Manifest(manifest) => {
                    let digest = Digest::of(&bytes);
                    if digest != chosen.digest {
                        return Err(Error::Damaged {
                            digest: chosen.digest,
                            found: digest,
                        });
                    }
                    let all = [&manifest.config].into_iter().chain(&manifest.layers);
                    let blobs = all
                        .map(|one| Ok((one.digest.clone(), self.whole(&blob(&one.digest))?)))
                        .collect::<Result<_, Error>>()?;
                    let image = Resolved {
                        manifest,
                        bytes,
                        digest,
                    };
                    return Ok(Found { image, blobs });
                }
            }
        }
    }

    /// What `docker save` wrote before version 25, and what `podman save` writes.
    fn find_saved(&self, tag: Option<&str>) -> Result<Found, Error> {
        let images: Vec<Saved> = json("manifest.json", &self.read("manifest.json")?)?;
        let tags = |image: &'_ Saved| image.repo_tags.clone().unwrap_or_default();
        let named: Vec<_> = images
            .iter()
            .filter(|image| tag.is_none_or(|tag| tags(image).iter().any(|one| is_named(one, tag))))
            .collect();
        let all: Vec<String> = images.iter().flat_map(tags).collect();
        let image = match (named.as_slice(), tag) {
            ([one], _) => *one,
            ([], Some(tag)) => return Err(self.no_image(tag, all.iter().map(String::as_str))),
            _ => {
                return Err(problem(
                    &self.name,
                    format!(
                        "{} images; append :TAG to name one: {}",
                        named.len(),
                        pyro_text::line(&all.join(", "))
                    ),
                ));
            }
        };
        let mut blobs = HashMap::new();
        let mut take = |name: &str| -> Result<(Digest, u64), Error> {
            let (path, digest, size) = self.described(name)?;
            blobs.insert(digest.clone(), path);
            Ok((digest, size))
        };
        let (digest, size) = take(&image.config)?;
        let config = Descriptor::config(digest, size);
        let layers = image.layers.iter().map(|layer| {
            let (digest, size) = take(layer)?;
            Ok(Descriptor::layer(digest, size))
        });
        let manifest = Manifest::new(config, layers.collect::<Result<_, Error>>()?);
        let bytes = serde_json::to_vec(&manifest).map_err(|source| Error::Document {
            what: "manifest",
            source,
        })?;
        let digest = Digest::of(&bytes);
        Ok(Found {
            image: Resolved {
                manifest,
                bytes,
                digest,
            },
            blobs,
        })
    }

    fn no_image<'a>(&self, tag: &str, known: impl Iterator<Item = &'a str>) -> Error {
        let known: Vec<_> = known.collect();
        let known = if known.is_empty() {
            "none with a name".into()
        } else {
            known.join(", ")
        };
        problem(
            &self.name,
            format!(
                "no image '{}'; it has: {}",
                pyro_text::line(tag),
                pyro_text::line(&known)
            ),
        )
    }

    /// Where a file lies.
    fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.files {
            Files::Directory(directory) => {
                let path = directory.join(name);
                path.is_file().then_some(path)
            }
            Files::Unpacked(files) => {
                let (path, _, _) = unpacked(files, name)?;
                Some(path.to_owned())
            }
        }
    }

    fn whole(&self, name: &str) -> Result<PathBuf, Error> {
        self.path(name)
            .ok_or_else(|| problem(&self.name, format!("no file '{}'", pyro_text::line(name))))
    }

    /// A file's path, digest and length.
    fn described(&self, name: &str) -> Result<(PathBuf, Digest, u64), Error> {
        let path = self.whole(name)?;
        match &self.files {
            Files::Unpacked(files) => {
                if let Some((path, digest, size)) = unpacked(files, name) {
                    return Ok((path.to_owned(), digest.clone(), size));
                }
            }
            Files::Directory(_) => {
                let digest = hash(&path).map_err(Error::io("read", &path))?;
                let size = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
                return Ok((path, digest, size));
            }
        }
        Err(problem(
            &self.name,
            format!("no file '{}'", pyro_text::line(name)),
        ))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.whole(name)?;
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let mut bytes = Vec::new();
        let limit = DOCUMENT_LIMIT_BYTES as u64 + 1;
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &path))?;
        if bytes.len() > DOCUMENT_LIMIT_BYTES {
            return Err(problem(
                &self.name,
                format!(
                    "'{}' of more than {DOCUMENT_LIMIT_BYTES} bytes",
                    pyro_text::line(name)
                ),
            ));
        }
        Ok(bytes)
    }
}

/// The names of an image in an index, without and with its repository.
fn names(one: &Descriptor) -> (Option<&str>, Option<&str>) {
    let name = |key| one.annotations.get(key).map(String::as_str);
    (name(NAME_ANNOTATION), name(FULL_NAME_ANNOTATION))
}

/// Follows links by name.
fn unpacked<'a>(
    files: &'a HashMap<String, Unpacked>,
    name: &str,
) -> Option<(&'a Path, &'a Digest, u64)> {
    let mut name = plain(name);
    for _ in 0..=LINKS {
        match files.get(&name)? {
            Unpacked::File { path, digest, size } => return Some((path, digest, *size)),
            Unpacked::Link(target) => name.clone_from(target),
        }
    }
    None
}

/// A name without what does not change it, from the archive's root.
fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Whether a name in an archive is what the user wrote: the whole, or its tag.
fn is_named(name: &str, asked: &str) -> bool {
    name == asked
        || name.rsplit_once(':').is_some_and(|(_, tag)| tag == asked)
        || name.rsplit_once('/').is_some_and(|(_, last)| last == asked)
        || name.ends_with(asked) && name[..name.len() - asked.len()].ends_with('/')
}

enum Spool {
    TooLarge,
    Archive(io::Error),
    File(io::Error),
}

/// Copies an entry to a file, and hashes it.
fn spool(entry: &mut impl Read, to: &Path, limit: u64) -> Result<(Digest, u64), Spool> {
    let mut file = File::create_new(to).map_err(Spool::File)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0_u64;
    loop {
        let count = match entry.read(&mut buffer) {
            Ok(0) => return Ok((Digest::finish(hasher), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Spool::Archive(error)),
        };
        size += count as u64;
        if size > limit {
            return Err(Spool::TooLarge);
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(Spool::File)?;
    }
}

/// Computes the digest of a file.
///
/// # Errors
/// When it cannot be read.
pub fn hash(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest::finish(hasher)),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn problem(archive: &str, problem: String) -> Error {
    Error::Archive {
        archive: archive.to_owned(),
        problem,
    }
}
