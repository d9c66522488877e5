//! A *registry* as a source of one image: its manifest, and its blobs.

use std::path::Path;

use http::StatusCode;
use http::header::CONTENT_RANGE;

use crate::client::{Answer, Asked, Client};
use crate::model::{ACCEPTED, DOCUMENT_LIMIT_BYTES, Document};
use crate::part::Part;
use crate::reference::Version;
use crate::retry::Attempts;
use crate::{Descriptor, Digest, Error, Manifest, Reference, Settings};

/// How deep indexes may lie in each other.
const INDEXES: usize = 2;

/// A registry, asked for one image.
#[derive(Debug)]
pub struct Registry<'a> {
    client: Client<'a>,
    reference: &'a Reference,
}

/// The image that a name stands for now.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What it consists of.
    pub manifest: Manifest,
    /// The manifest as it came, whose digest is the image's.
    pub bytes: Vec<u8>,
    /// The digest of the manifest.
    pub digest: Digest,
}

impl<'a> Registry<'a> {
    /// Connects to nothing yet.
    pub fn new(settings: &'a Settings, reference: &'a Reference) -> Self {
        Self {
            client: Client::new(settings, reference),
            reference,
        }
    }

    /// Finds the image for this platform.
    ///
    /// # Errors
    /// When the registry cannot be asked, has no such image, or it is none that can be used.
    pub async fn resolve(&self) -> Result<Resolved, Error> {
        let mut version = self.reference.version();
        for _ in 0..=INDEXES {
            let bytes = self.document("manifests", &version.to_string()).await?;
            let digest = Digest::of(&bytes);
            if let Version::Digest(asked) = version {
                same(&asked, &digest)?;
            }
            match Document::read(&bytes)? {
                Document::Manifest(manifest) => {
                    return Ok(Resolved {
                        manifest,
                        bytes,
                        digest,
                    });
                }
                Document::Index(index) => {
                    version = Version::Digest(index.choose()?.digest.clone());
                }
            }
        }
        Err(Error::invalid(
            "its indexes lie in each other too deep".into(),
        ))
    }

    /// Gets a small blob, such as a configuration.
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says.
    pub async fn blob(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let bytes = self.document("blobs", blob.digest.as_str()).await?;
        same(&blob.digest, &Digest::of(&bytes))?;
        Ok(bytes)
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Vec<u8>, Error> {
        let mut attempts = Attempts::default();
        let path = format!("{kind}/{name}");
        let asked = Asked {
            accept: ACCEPTED,
            from: 0,
        };
        loop {
            let got = async {
                self.client
                    .get(&path, asked)
                    .await?
                    .whole(DOCUMENT_LIMIT_BYTES)
                    .await
            };
            match got.await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    /// Downloads a blob into a file, where it goes on if a part of the blob is there already. The
    /// file holds the blob, checked and on the disk, if this succeeds, and a part of it
    /// otherwise. `progress` is called with the bytes that are there.
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says: the file is removed then.
    pub async fn download(
        &self,
        blob: &Descriptor,
        path: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let mut part = Part::open(path, blob).await?;
        let mut attempts = Attempts::default();
        let mut furthest = part.length();
        progress(furthest);
        while part.length() < blob.size {
            let outcome;
            (part, outcome) = self.fetch(blob, part, progress).await?;
            if part.length() > furthest {
                furthest = part.length();
                attempts.got_further();
            }
            if let Err(error) = outcome {
                attempts.wait(error).await?;
            }
        }
        part.finish(blob).await
    }

    /// Asks once for what is missing. Returns the part, and why it is not complete.
    async fn fetch(
        &self,
        blob: &Descriptor,
        mut part: Part,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(Part, Result<(), Error>), Error> {
        let asked = Asked {
            accept: "*/*",
            from: part.length(),
        };
        let path = format!("blobs/{}", blob.digest);
        let mut answer = match self.client.get(&path, asked).await {
            Ok(answer) => answer,
            Err(error) => return Ok((part, Err(error))),
        };
        if !continues(&answer, asked.from) && asked.from > 0 {
            // It sends all of it again, or something else.
            part.clear().map_err(Error::io("clear", path))?;
            if answer.response().status() != StatusCode::OK {
                return Ok((part, Err(incomplete(&answer))));
            }
        }
        let mut length = part.length();
        let (sender, taking) = part.take();
        let outcome = loop {
            match answer.next().await {
                Ok(Some(bytes)) => {
                    length += bytes.len() as u64;
                    if length > blob.size {
                        break Err(Error::invalid(format!(
                            "{} has more than the {} bytes that its manifest says",
                            blob.digest, blob.size
                        )));
                    }
                    progress(length);
                    // If it cannot be written, the writer says why.
                    if sender.send(bytes).await.is_err() {
                        break Ok(());
                    }
                }
                Ok(None) if length < blob.size => break Err(incomplete(&answer)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(sender);
        let (part, written) = taking.end().await?;
        written?;
        Ok((part, outcome))
    }
}

/// Whether an answer goes on at this byte.
fn continues(answer: &Answer, from: u64) -> bool {
    let range = answer.response().headers().get(CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok());
    answer.response().status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn incomplete(answer: &Answer) -> Error {
    Error::Incomplete {
        host: answer.host().to_owned(),
    }
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
