//! An *archive* holds images in files: an OCI layout, in a directory or packed, or what `docker save`
//! and `podman save` write. Of a packed one it has an index: whoever unpacks it puts each file
//! somewhere else, so that no name and no link in it leads anywhere.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::archive_name::{self, plain};
use crate::model::{DOCUMENT_LIMIT_BYTES, Document, Index, json};
use crate::{Descriptor, Digest, Error, Manifest, Resolved};

/// More files than archives have: there are a few for each layer of each image.
const FILES_LIMIT: usize = 20_000;
/// The longest name of a file or target of a link, in bytes.
const NAME_LIMIT: usize = 1024;
/// Links that may lead to each other.
const LINKS: usize = 8;
/// How deep indexes may lie in each other.
const INDEXES: usize = 3;
/// More images and layers than are looked at.
const LIST_LIMIT: usize = 1000;
/// How an OCI layout names its images.
const NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";
/// How containerd and Docker do.
const FULL_NAME_ANNOTATION: &str = "io.containerd.image.name";

/// What an archive is, as far as its name says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// What `docker save` writes: `manifest.json` says what is in it.
    Saved,
    /// An OCI layout: `index.json` says so.
    Layout,
}

/// Images in files.
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
    File(Held),
    Link(String),
}

/// A file that holds a blob, or something else of an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content, if it was computed.
    pub digest: Option<Digest>,
}

/// An image, and where its blobs lie.
#[derive(Debug)]
pub struct Found {
    /// The image.
    pub image: Resolved,
    /// The files of its configuration and its layers. Whether those without a digest are what they
    /// should be is not known.
    pub blobs: HashMap<Digest, Held>,
}

/// An image in a `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

impl Saved {
    fn tags(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }
}

impl Archive {
    /// Opens a directory with an OCI layout.
    pub fn directory(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            files: Files::Directory(path.to_owned()),
        }
    }

    /// Begins the index of a packed archive.
    pub fn packed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: Files::Unpacked(HashMap::new()),
        }
    }

    /// Adds a file of a packed archive. If several have one name, the last one counts.
    ///
    /// # Errors
    /// When there are too many, or the name is too long.
    pub fn add_file(&mut self, name: &[u8], held: Held) -> Result<(), Error> {
        self.add(name, Unpacked::File(held))
    }

    /// Adds a link of a packed archive. It leads to a name in the archive, or nowhere.
    ///
    /// # Errors
    /// As [`add_file`](Self::add_file).
    pub fn add_link(&mut self, name: &[u8], target: &[u8], symbolic: bool) -> Result<(), Error> {
        if target.len() > NAME_LIMIT {
            return Err(self.long_name(target));
        }
        let link = plain(&String::from_utf8_lossy(name));
        let beside = if symbolic {
            archive_name::parent(&link)
        } else {
            ""
        };
        let target = plain(&format!("{beside}/{}", String::from_utf8_lossy(target)));
        self.add(name, Unpacked::Link(target))
    }

    fn add(&mut self, name: &[u8], what: Unpacked) -> Result<(), Error> {
        if name.len() > NAME_LIMIT {
            return Err(self.long_name(name));
        }
        let Files::Unpacked(files) = &mut self.files else {
            return Err(self.problem("a file that was not looked for".into()));
        };
        if files.len() >= FILES_LIMIT {
            return Err(self.problem(format!("more than {FILES_LIMIT} files")));
        }
        files.insert(plain(&String::from_utf8_lossy(name)), what);
        Ok(())
    }

    /// Finds the image with a tag, or the only one if none is asked for. Blocks.
    ///
    /// # Errors
    /// When there is no such image, several may be meant, or something of it is missing.
    pub fn find(&self, form: Form, tag: Option<&str>) -> Result<Found, Error> {
        let (saved, layout) = ("manifest.json", "index.json");
        let has_saved = self.held(saved).is_some();
        // What Docker writes today is both.
        match form {
            Form::Saved if has_saved => self.find_saved(tag),
            _ if self.held(layout).is_some() => self.find_in_layout(tag),
            _ if has_saved => self.find_saved(tag),
            _ => Err(self.problem(format!("neither {saved} nor {layout}: it is no image"))),
        }
    }

    fn find_in_layout(&self, tag: Option<&str>) -> Result<Found, Error> {
        let index: Index = json("index", &self.read("index.json")?)?;
        self.check_count("images", index.manifests.len())?;
        let mut chosen = self.choose(&index, tag)?;
        for _ in 0..INDEXES {
            self.checked(&blob(&chosen.digest), &chosen)?;
            let bytes = self.read(&blob(&chosen.digest))?;
            same(&chosen.digest, &Digest::of(&bytes))?;
            match Document::read(&bytes)? {
                Document::Index(index) => chosen = index.choose()?.clone(),
                Document::Manifest(manifest) => {
                    return self.with_blobs(manifest, bytes, chosen.digest);
                }
            }
        }
        Err(self.problem("indexes that lie in each other too deep".into()))
    }

    /// Chooses among the images of a layout.
    fn choose(&self, index: &Index, tag: Option<&str>) -> Result<Descriptor, Error> {
        let all = index.manifests.as_slice();
        let named = match tag {
            None => all.iter().collect(),
            Some(tag) => archive_name::matching(all, tag, |one| {
                let (short, full) = names(one);
                short.into_iter().chain(full).collect()
            }),
        };
        let known = || all.iter().filter_map(|one| names(one).1.or(names(one).0));
        match (named.as_slice(), tag) {
            ([one], _) => Ok((*one).clone()),
            ([], Some(tag)) => Err(self.no_image(tag, known())),
            (several, _) => {
                let mut kinds: Vec<_> = several.iter().map(|one| names(one)).collect();
                kinds.dedup();
                if kinds.len() > 1 {
                    return Err(self.several(several.len(), known()));
                }
                // One for each platform, without an index of their own.
                let manifests = several.iter().map(|one| (*one).clone()).collect();
                Index { manifests }.choose().cloned()
            }
        }
    }

    /// Finds the blobs of an image in a layout.
    fn with_blobs(
        &self,
        manifest: Manifest,
        bytes: Vec<u8>,
        digest: Digest,
    ) -> Result<Found, Error> {
        self.check_count("layers", manifest.layers.len())?;
        let all = [&manifest.config].into_iter().chain(&manifest.layers);
        let blobs = all
            .map(|one| Ok((one.digest.clone(), self.checked(&blob(&one.digest), one)?)))
            .collect::<Result<_, Error>>()?;
        let image = Resolved {
            manifest,
            bytes,
            digest,
        };
        Ok(Found { image, blobs })
    }

    /// Finds an image in what `docker save` and `podman save` write.
    fn find_saved(&self, tag: Option<&str>) -> Result<Found, Error> {
        let images: Vec<Saved> = json("manifest.json", &self.read("manifest.json")?)?;
        self.check_count("images", images.len())?;
        let named = match tag {
            None => images.iter().collect(),
            Some(tag) => archive_name::matching(&images, tag, |one| {
                one.tags().iter().map(String::as_str).collect()
            }),
        };
        let known = || images.iter().flat_map(Saved::tags).map(String::as_str);
        let image = match (named.as_slice(), tag) {
            ([one], _) => *one,
            ([], Some(tag)) => return Err(self.no_image(tag, known())),
            _ => return Err(self.several(named.len(), known())),
        };
        self.check_count("layers", image.layers.len())?;
        let mut blobs = HashMap::new();
        let mut take = |name: &str| -> Result<(Digest, u64), Error> {
            let held = self.whole(name)?;
            let digest = match &held.digest {
                Some(digest) => digest.clone(),
                None => crate::hash(&held.path).map_err(Error::io("read", &held.path))?,
            };
            let size = held.size;
            blobs.insert(digest.clone(), held);
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
        let image = Resolved {
            manifest,
            bytes,
            digest,
        };
        Ok(Found { image, blobs })
    }

    /// A file that is as long as it should be and, if that is known, has the digest.
    fn checked(&self, name: &str, expected: &Descriptor) -> Result<Held, Error> {
        let held = self.whole(name)?;
        if held.size != expected.size {
            return Err(self.problem(format!(
                "{} with {} bytes instead of {}",
                expected.digest, held.size, expected.size
            )));
        }
        if let Some(found) = &held.digest {
            same(&expected.digest, found)?;
        }
        Ok(held)
    }

    fn whole(&self, name: &str) -> Result<Held, Error> {
        self.held(name).ok_or_else(|| {
            let name = pyro_text::line(name);
            self.problem(format!("no file '{name}': not all of the image is there"))
        })
    }

    fn held(&self, name: &str) -> Option<Held> {
        match &self.files {
            Files::Directory(directory) => {
                let path = directory.join(plain(name));
                let metadata = fs::metadata(&path).ok()?;
                metadata.is_file().then_some(Held {
                    path,
                    size: metadata.len(),
                    digest: None,
                })
            }
            Files::Unpacked(files) => {
                let mut name = plain(name);
                for _ in 0..=LINKS {
                    match files.get(&name)? {
                        Unpacked::File(held) => return Some(held.clone()),
                        Unpacked::Link(target) => name.clone_from(target),
                    }
                }
                None
            }
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let held = self.whole(name)?;
        let file = File::open(&held.path).map_err(Error::io("open", &held.path))?;
        let mut bytes = Vec::new();
        file.take(DOCUMENT_LIMIT_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &held.path))?;
        if bytes.len() > DOCUMENT_LIMIT_BYTES {
            let name = pyro_text::line(name);
            let problem = format!("'{name}' of more than {DOCUMENT_LIMIT_BYTES} bytes");
            return Err(self.problem(problem));
        }
        Ok(bytes)
    }

    fn check_count(&self, what: &str, count: usize) -> Result<(), Error> {
        if count <= LIST_LIMIT {
            return Ok(());
        }
        Err(self.problem(format!("more than {LIST_LIMIT} {what}")))
    }

    fn no_image<'a>(&self, tag: &str, known: impl Iterator<Item = &'a str>) -> Error {
        Error::NotInArchive {
            archive: self.name.clone(),
            image: pyro_text::line(tag),
            known: listed(known),
        }
    }

    fn several<'a>(&self, count: usize, known: impl Iterator<Item = &'a str>) -> Error {
        Error::Several {
            archive: self.name.clone(),
            count,
            known: listed(known),
        }
    }

    fn long_name(&self, name: &[u8]) -> Error {
        let bytes = name.len();
        self.problem(format!("a name of {bytes} bytes"))
    }

    fn problem(&self, problem: String) -> Error {
        Error::Archive {
            archive: self.name.clone(),
            problem,
        }
    }
}

/// The names of an image in an index, without and with its repository.
fn names(one: &Descriptor) -> (Option<&str>, Option<&str>) {
    let name = |key| one.annotations.get(key).map(String::as_str);
    (name(NAME_ANNOTATION), name(FULL_NAME_ANNOTATION))
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A few names, for an error.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = names.take(SHOWN + 1).collect();
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0 => "none with a name".clone_into(&mut text),
        count if count > SHOWN => text.push_str(", …"),
        _ => {}
    }
    pyro_text::line(&text)
}

fn same(asked: &Digest, found: &Digest) -> Result<(), Error> {
    if asked == found {
        return Ok(());
    }
    Err(Error::Damaged {
        digest: asked.clone(),
        found: found.clone(),
    })
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
