//! To *import* an image that is on this host already: in a file, in a directory, or in the storage
//! of another program, which hands it over as such a file.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use pyro_archive::{TarFile, read_tar_files};
use pyro_oci::{Archive, Digest, Form, Found, Held};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::saved::Saving;
use super::store::{Pin, Stamped, Store};
use super::watch::{Watch, watched};
use crate::Error;
use crate::kernel::blocking;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::preflight;
use crate::progress::{Listener, Progress};
use crate::pull_policy::PullPolicy;
use crate::source::{Local, LocalPlace, Source};

/// The phase, as users see it.
const PHASE: &str = "import";
const BUFFER: usize = 1 << 17;

/// Finds out which image a name stands for, and brings it into the cache if it is another one than
/// before.
pub(crate) async fn find(
    layout: &Layout,
    local: &Local,
    policy: PullPolicy,
    progress: Listener<'_>,
) -> Result<Pin, Error> {
    let store = Store::new(layout);
    let source = Source::Local(local.clone());
    let known = |store: &Store| -> Result<Option<Pin>, Error> {
        let pin = store.pin(&source)?;
        Ok(pin.filter(|pin| policy == PullPolicy::Never || is_current(local, pin)))
    };
    // What is only in the cache is never asked for again.
    let is_saved = matches!(local.place, LocalPlace::Saved { .. });
    if (policy != PullPolicy::Always || is_saved)
        && let Some(pin) = known(&store)?
    {
        return Ok(pin);
    }
    if policy == PullPolicy::Never || is_saved {
        return Err(Error::NotPulled {
            name: source.to_string(),
        });
    }
    let held = store.hold(progress).await?;
    let _lock = Lock::acquire(&store.lock_of_name(&source), || {
        progress(Progress::Notice(format!(
            "waiting for another process to finish importing {source}"
        )));
    })
    .await?;
    // Whoever held the lock has probably imported it.
    if policy != PullPolicy::Always
        && let Some(pin) = known(&store)?
    {
        return Ok(pin);
    }
    progress(Progress::Notice(format!("importing {source}")));
    let pin = import(layout, local, progress).await?;
    drop(held);
    match &local.digest {
        Some(digest) if *digest != pin.digest => Err(Error::AnotherImage {
            name: source.to_string(),
            found: pin.digest,
        }),
        _ => Ok(pin),
    }
}

/// Whether an image is still what is in its file. A name with a digest never means another one.
fn is_current(local: &Local, pin: &Pin) -> bool {
    if local.digest.is_some() {
        return true;
    }
    match stamped_file(&local.place) {
        None => true,
        Some(path) => Stamped::of_path(&path).is_ok_and(|stamp| Some(stamp) == pin.stamp),
    }
}

/// The file that tells by its stamp whether an image may be another one.
fn stamped_file(place: &LocalPlace) -> Option<PathBuf> {
    match place {
        LocalPlace::Packed { path, .. } => Some(path.clone()),
        // Everything else in it is named by its content.
        LocalPlace::Directory { path, .. } => Some(path.join("index.json")),
        LocalPlace::Storage { .. } | LocalPlace::Saved { .. } => None,
    }
}

async fn import(layout: &Layout, local: &Local, progress: Listener<'_>) -> Result<Pin, Error> {
    progress(Progress::Phase(PHASE));
    let store = Store::new(layout);
    let directories = store.clone();
    let spool = blocking(move || {
        directories.create()?;
        directories.spool()
    })
    .await?;
    let source = Source::Local(local.clone());
    let before = match stamped_file(&local.place) {
        Some(path) => Some((
            Stamped::of_path(&path).map_err(|error| unreadable(&path, error))?,
            path,
        )),
        None => None,
    };
    let found = match &local.place {
        LocalPlace::Packed { form, path, tag } => {
            let (form, path, tag) = (*form, path.clone(), tag.clone());
            let total = before.as_ref().map(|(stamp, _)| stamp.size());
            let into = spool.path().to_owned();
            watched(PHASE, total, progress, move |watch| {
                let file = open(&path)?;
                let archive = unpack(&path, watch.over(file), &into)?;
                Ok(archive.find(form, tag.as_deref())?)
            })
            .await?
        }
        LocalPlace::Directory { path, tag } => {
            let (path, tag) = (path.clone(), tag.clone());
            blocking(move || Ok(Archive::directory(&path).find(Form::Layout, tag.as_deref())?))
                .await?
        }
        LocalPlace::Saved { .. } => {
            return Err(Error::NotPulled {
                name: source.to_string(),
            });
        }
        LocalPlace::Storage { program, name } => {
            let mut saving = Saving::begin(*program, name)?;
            let into = spool.path().to_owned();
            let (output, what) = saving.output()?;
            let archive = watched(PHASE, None, progress, move |watch| {
                unpack(Path::new(&what), watch.over(output), &into)
            });
            let archive = saving.end(archive.await).await?;
            blocking(move || Ok(archive.find(Form::Saved, None)?)).await?
        }
    };
    let total = found.blobs.values().map(|held| held.size).sum();
    watched("store", Some(total), progress, move |watch| {
        keep(&store, &source, &found, &spool, watch, before)
    })
    .await
}

fn open(path: &Path) -> Result<File, Error> {
    let failed = |error| unreadable(path, error);
    // Before it is opened, which would wait for the other end of a FIFO.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no file")));
    }
    File::open(path).map_err(failed)
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::ArchiveUnreadable {
        path: path.to_owned(),
        source,
    }
}

/// Unpacks an archive by name only: each of its files becomes a numbered one.
fn unpack(name: &Path, input: impl Read, into: &Path) -> Result<Archive, Error> {
    let mut archive = Archive::packed(&name.display().to_string());
    let mut left = preflight::available(into)?;
    let mut number = 0_u64;
    read_tar_files(name, input, |name, file| {
        match file {
            TarFile::Link {
                target,
                is_symbolic,
            } => archive.add_link(name, target, is_symbolic)?,
            TarFile::File { size, content } => {
                if size > left {
                    let (path, needed) = (into.to_owned(), size);
                    return Err(Error::NoSpace {
                        path,
                        needed,
                        available: left,
                    });
                }
                let path = into.join(number.to_string());
                number += 1;
                let digest = copy(content, &path, size)?;
                left -= size;
                let digest = Some(digest);
                archive.add_file(name, Held { path, size, digest })?;
            }
        }
        Ok::<_, Error>(())
    })?;
    Ok(archive)
}

/// Copies to a new file, and returns the digest of what was copied.
fn copy(input: &mut dyn Read, to: &Path, size: u64) -> Result<Digest, Error> {
    let mut file = File::create_new(to).map_err(Error::cache("create", to))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut input = input.take(size);
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::cache("read what becomes", to)(error)),
        };
        hasher.update(&buffer[..count]);
        let written = file.write_all(&buffer[..count]);
        written.map_err(Error::cache("write", to))?;
    }
    Ok(Digest::finish(hasher))
}

/// Puts an image's blobs into the store, and keeps which image the name stands for.
fn keep(
    store: &Store,
    source: &Source,
    found: &Found,
    spool: &TempDir,
    watch: &Watch,
    before: Option<(Stamped, PathBuf)>,
) -> Result<Pin, Error> {
    for (number, (digest, held)) in found.blobs.iter().enumerate() {
        let blob = store.blob(digest);
        if fs::metadata(&blob).is_ok_and(|there| there.len() == held.size) {
            // It is read, and compared with its digest, when the image is made from it.
            continue;
        }
        let spooled = if held.digest.is_some() {
            held.path.clone()
        } else {
            let spooled = spool.path().join(format!("blob-{number}"));
            let input = open(&held.path)?;
            let copied = copy(&mut watch.over(input), &spooled, held.size)?;
            if copied != *digest {
                return Err(pyro_oci::Error::Damaged {
                    digest: digest.clone(),
                    found: copied,
                }
                .into());
            }
            spooled
        };
        let written = File::open(&spooled).and_then(|file| file.sync_all());
        written.map_err(Error::cache("write", &spooled))?;
        fs::rename(&spooled, &blob).map_err(Error::cache("create", &blob))?;
    }
    let stamp = match before {
        None => None,
        Some((stamp, path)) => {
            let now = Stamped::of_path(&path).map_err(|error| unreadable(&path, error))?;
            if now != stamp {
                return Err(unreadable(
                    &path,
                    io::Error::other("it changed while it was read"),
                ));
            }
            Some(stamp)
        }
    };
    let config = fs::File::open(store.blob(&found.image.manifest.config.digest));
    let config = read_document(config).map_err(Error::cache(
        "read",
        store.blob(&found.image.manifest.config.digest),
    ))?;
    store.keep(source, &found.image, &config, stamp)
}

/// Reads a configuration, which nobody believes the length of.
fn read_document(file: io::Result<File>) -> io::Result<Vec<u8>> {
    const LIMIT: u64 = 4 << 20;
    let mut file = file?;
    if file.seek(SeekFrom::End(0))? > LIMIT {
        return Err(io::Error::other("a configuration of more than 4 MiB"));
    }
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
