//! The *store* of images in the cache: an OCI layout of blobs, and *pins*, which say which image a
//! name stood for when it was pulled.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pyro_oci::{Digest, ImageConfig, Manifest, Resolved};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::Error;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::manifest::{self, Stamp};
use crate::progress::{Listener, Progress};
use crate::source::Source;

/// What makes a directory an OCI layout.
const LAYOUT: &str = "{\"imageLayoutVersion\": \"1.0.0\"}\n";

/// Which image a name stood for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Pin {
    pub(crate) reference: String,
    /// The digest of the manifest.
    pub(crate) digest: Digest,
    /// When, in seconds since 1970.
    pub(crate) pulled_at: u64,
    /// What the file was that the image was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stamp: Option<Stamped>,
}

/// What tells a file from one that was written later under the same name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Stamped {
    size: u64,
    stamp: Stamp,
}

impl Stamped {
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            size: metadata.len(),
            stamp: Stamp::of(&metadata),
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

/// An image's documents.
pub(crate) struct Documents {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
}

impl Pin {
    /// A name stands for an image from now on.
    pub(crate) fn now(source: &Source, digest: &Digest, stamp: Option<Stamped>) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            reference: source.to_string(),
            digest: digest.clone(),
            pulled_at: now.unwrap_or_default().as_secs(),
            stamp,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    layout: Layout,
}

impl Store {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            layout: layout.clone(),
        }
    }

    /// Returns where a blob lies, or will lie when it is there as a whole.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.layout.blobs().join(digest.hex())
    }

    pub(crate) fn part(&self, digest: &Digest) -> PathBuf {
        self.layout
            .downloads()
            .join(format!("{}.part", digest.hex()))
    }

    pub(crate) fn lock(&self, digest: &Digest) -> PathBuf {
        self.layout
            .downloads()
            .join(format!(".lock-{}", digest.hex()))
    }

    /// The file that is locked by whoever finds out what a name stands for, where that takes long.
    pub(crate) fn lock_of_name(&self, source: &Source) -> PathBuf {
        self.lock(&Digest::of(source.to_string().as_bytes()))
    }

    /// Keeps all blobs from being removed as long as the lock is held.
    pub(crate) async fn hold(&self, progress: Listener<'_>) -> Result<Lock, Error> {
        Lock::shared(&self.layout.oci_lock(), || {
            progress(Progress::Notice(
                "waiting for another process to finish removing images".into(),
            ));
        })
        .await
    }

    /// Makes a directory for files that become blobs. Its drop removes it.
    pub(crate) fn spool(&self) -> Result<TempDir, Error> {
        let parent = self.layout.downloads();
        tempfile::Builder::new()
            .prefix(&Layout::partial_prefix("import"))
            .tempdir_in(&parent)
            .map_err(Error::cache("create a directory in", parent))
    }

    pub(crate) fn pin_file(&self, name: &str) -> PathBuf {
        let digest = Digest::of(name.as_bytes());
        self.layout.pins().join(format!("{}.json", digest.hex()))
    }

    /// Returns which image a name stands for, if its documents are there.
    pub(crate) fn pin(&self, source: &Source) -> Result<Option<Pin>, Error> {
        let name = source.to_string();
        let path = self.pin_file(&name);
        let pin: Option<Pin> = match manifest::read(&path) {
            Ok(pin) => pin,
            // A damaged one is asked for again.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                None
            }
            Err(error) => return Err(Error::cache("read", path)(error)),
        };
        let pin = pin.filter(|pin| pin.reference == name).or_else(|| {
            // A digest stands for itself.
            Some(Pin {
                digest: source.digest()?.clone(),
                reference: name,
                pulled_at: 0,
                stamp: None,
            })
        });
        Ok(pin.filter(|pin| self.image(&pin.digest).is_ok()))
    }

    /// Returns all pins.
    pub(crate) fn pins(&self) -> Result<Vec<Pin>, Error> {
        let directory = self.layout.pins();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::cache("read", directory)(error)),
        };
        let mut pins = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::cache("read", &directory))?.path();
            // A damaged one stands for nothing.
            if let Ok(Some(pin)) = manifest::read(&path) {
                pins.push(pin);
            }
        }
        Ok(pins)
    }

    /// Makes what the store has at least.
    pub(crate) fn create(&self) -> Result<(), Error> {
        let marker = self.layout.oci().join("oci-layout");
        for directory in [
            self.layout.blobs(),
            self.layout.downloads(),
            self.layout.pins(),
        ] {
            fs::create_dir_all(&directory).map_err(Error::cache("create", &directory))?;
        }
        if !marker.exists() {
            let written = manifest::replace(&marker, |file| file.write_all(LAYOUT.as_bytes()));
            written.map_err(Error::cache("write", &marker))?;
        }
        Ok(())
    }

    /// Keeps an image's documents, and which name stood for it.
    pub(crate) fn keep(
        &self,
        source: &Source,
        resolved: &Resolved,
        config: &[u8],
        stamp: Option<Stamped>,
    ) -> Result<Pin, Error> {
        let pin = self.keep_documents(source, resolved, config, stamp)?;
        self.keep_pin(&pin)?;
        Ok(pin)
    }

    /// Keeps an image's documents alone. Returns what the name is to stand for when the rest of it
    /// is there, too.
    pub(crate) fn keep_documents(
        &self,
        source: &Source,
        resolved: &Resolved,
        config: &[u8],
        stamp: Option<Stamped>,
    ) -> Result<Pin, Error> {
        // Before it is kept, so that what cannot be used is not found again.
        ImageConfig::read(config, &resolved.manifest)?;
        self.create()?;
        for (digest, bytes) in [
            (&resolved.manifest.config.digest, config),
            (&resolved.digest, resolved.bytes.as_slice()),
        ] {
            let path = self.blob(digest);
            let written = manifest::replace(&path, |file| file.write_all(bytes));
            written.map_err(Error::cache("write", &path))?;
        }
        Ok(Pin::now(source, &resolved.digest, stamp))
    }

    /// Keeps what a name stands for from now on.
    pub(crate) fn keep_pin(&self, pin: &Pin) -> Result<(), Error> {
        let path = self.pin_file(&pin.reference);
        manifest::write(&path, pin).map_err(Error::cache("write", path))
    }

    /// Reads an image's documents, which are checked.
    pub(crate) fn image(&self, digest: &Digest) -> Result<Documents, Error> {
        let manifest = pyro_oci::read_manifest(&self.document(digest)?)?;
        let config = self.document(&manifest.config.digest)?;
        let config = ImageConfig::read(&config, &manifest)?;
        Ok(Documents {
            digest: digest.clone(),
            manifest,
            config,
        })
    }

    fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let path = self.blob(digest);
        let bytes = fs::read(&path).map_err(Error::cache("read", &path))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            let digest = digest.clone();
            return Err(pyro_oci::Error::Damaged { digest, found }.into());
        }
        Ok(bytes)
    }
}
