//! The *sources* of a `COPY`: files of the context, of another stage, or of another environment, laid
//! out in a directory as they are to be copied.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use pyro_archive::{Target, extract};
use pyro_machine::{Call, FilePath, FileType, PACKED_NAME};

use super::builder::Builder;
use super::context::{self, Tree};
use super::copying::{Copying, Laid, Origin, Scratch};
use super::dockerfile::{Copy, Source, Step, refused};
use super::finished::Finished;
use super::machine::{BuildMachine, Purpose};
use super::stage::StageState;
use crate::Error;
use crate::off_thread::{off_thread, pipe};
use crate::output::hex;

impl Builder<'_> {
    /// Puts variables into what a `COPY` says.
    pub(super) async fn copying(
        &self,
        step: &Step,
        copy: &Copy,
        state: &StageState,
    ) -> Result<Copying, Error> {
        let failed = |why: String| refused(step.place, &why);
        let expand = |text: &String| state.expand(text).map_err(failed);
        let destination = expand(&copy.destination)?;
        let owner = copy.owner.as_ref().map(expand).transpose()?;
        let mode = copy.mode.as_ref().map(expand).transpose()?;
        let sources = copy.sources.iter().map(|source| match source {
            Source::Document(text, true) => {
                let text = state.expand_document(text).map_err(failed)?;
                Ok(Source::Document(text, false))
            }
            Source::Document(..) => Ok(source.clone()),
            Source::Path(path) => expand(path).map(Source::Path),
        });
        let sources = sources.collect::<Result<Vec<_>, Error>>()?;
        let mode = mode.map(|mode| octal(&mode).map_err(failed)).transpose()?;
        let origin = match copy.from.as_ref().map(expand).transpose()? {
            None => Origin::Context,
            Some(name) => Origin::Stage(Box::new(self.base(&name).await?), name),
        };
        Ok(Copying {
            into: sources.len() > 1
                || destination.ends_with('/')
                || matches!(&*destination, "." | "..")
                || destination.ends_with("/."),
            destination: state.path(&destination),
            owner: owner.unwrap_or_else(|| "0:0".into()),
            origin,
            sources,
            mode,
            laid: None,
        })
    }

    /// The digest of what is copied, with its names and permissions.
    pub(super) async fn content(
        &self,
        step: &Step,
        copying: &mut Copying,
    ) -> Result<String, Error> {
        let key = copying.key_of_files();
        if let Some(key) = &key
            && self.order.use_cache
            && let Some(content) = self.cache.known(&key.0)
        {
            return Ok(content);
        }
        let laid = self.lay_out(step, copying).await?;
        let directory = laid.directory.path();
        let hashed = off_thread(move || context::hash(&directory)).await;
        let hashed = hashed.map_err(|error| Error::transfer(&error))?;
        let content = format!("{}:{}", hex(&hashed), laid.into);
        copying.laid = Some(laid);
        if let Some(key) = key {
            self.cache.add_known(&key.0, &content).await?;
        }
        Ok(content)
    }

    /// Lays out what is copied.
    pub(super) async fn lay_out(&self, step: &Step, copying: &Copying) -> Result<Laid, Error> {
        let io_failed = |error: std::io::Error| Error::transfer(&error);
        let directory = Scratch::create(self.engine)?;
        let mut into = copying.into;
        for source in &copying.sources {
            let path = match source {
                Source::Document(text, _) => {
                    let file = directory.path().join("document");
                    fs::write(file, text).map_err(io_failed)?;
                    continue;
                }
                Source::Path(path) => path.clone(),
            };
            // What was received is needed until it is laid out.
            let (tree, path, _received) = match (&copying.origin, &self.context) {
                (Origin::Stage(stage, name), _) => {
                    let (tree, path, received) = self.receive(stage, name, &path).await?;
                    (Arc::new(tree), path, Some(received))
                }
                (Origin::Context, Some(tree)) => (Arc::clone(tree), path, None),
                (Origin::Context, None) => {
                    let why = "there is no context to copy files from: name a directory to build";
                    return Err(refused(step.place, why));
                }
            };
            let to = directory.path();
            let found = off_thread(move || tree.lay_out(&path, &to)).await;
            let found = found.map_err(|error| step.place.of(error))?;
            into |= found.has_directory || found.count > 1;
        }
        if let Some(mode) = copying.mode {
            let tree = directory.path();
            let set = off_thread(move || context::set_modes(&tree, mode)).await;
            set.map_err(io_failed)?;
        }
        Ok(Laid { directory, into })
    }

    /// Gets files of another stage or environment. Returns them as a tree, and what of it is meant.
    async fn receive(
        &self,
        other: &Finished,
        from: &str,
        path: &str,
    ) -> Result<(Tree, String, Scratch), Error> {
        let step = other.has_disk.then_some(&*other.key.0);
        let machine = self.start(&other.ready, step, Purpose::Read).await?;
        let absolute = format!("/{}", path.trim_matches('/'));
        let (parent, name) = absolute.rsplit_once('/').unwrap_or(("", ""));
        let is_pattern = name.contains(['*', '?', '[']);
        let wanted = if is_pattern { parent } else { &*absolute };
        let wanted = if wanted.is_empty() { "/" } else { wanted };
        let (real, kind) = machine.resolve(wanted).await?;
        if kind.is_none() {
            let (from, path) = (pyro_text::line(from), pyro_text::line(path));
            return Err(Error::invalid(format!("there is no {path} in {from}")));
        }
        let received = Scratch::create(self.engine)?;
        unpack(&machine, &real, &received.path()).await?;
        let root = received.path().canonicalize();
        let root = root.map_err(|error| Error::transfer(&error))?;
        let packed = root.join(PACKED_NAME);
        let (root, source) = match (is_pattern, kind) {
            (true, _) => (packed, name.to_owned()),
            (false, Some(FileType::Directory)) => (packed, ".".to_owned()),
            (false, _) => {
                let renamed = fs::rename(&packed, root.join(name));
                renamed.map_err(|error| Error::transfer(&error))?;
                (root, name.to_owned())
            }
        };
        Ok((Tree::all(root), source, received))
    }
}

/// Reads permissions.
fn octal(mode: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(mode, 8).ok();
    bits.filter(|bits| *bits <= 0o7777)
        .ok_or_else(|| format!("--chmod={mode} is not supported: it must be an octal number"))
}

/// Unpacks a path of the guest into a directory of the host.
async fn unpack(machine: &BuildMachine, path: &str, to: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::transfer(&error);
    let (mut output, mut input) = pipe().map_err(failed)?;
    let directory = fs::File::open(to).map_err(failed)?;
    let extracting = tokio::task::spawn_blocking(move || {
        let mut choose = |_| Ok(Target::Files(directory.as_fd()));
        let extracted = extract(&mut input, PACKED_NAME, &mut choose, &|_| ());
        extracted.map(|extracted| {
            // Its permissions are set when it is in its place.
            drop(extracted.directory);
        })
    });
    let file = FilePath {
        root: "/".into(),
        path: path.trim_start_matches('/').to_owned(),
    };
    let answer = machine.call(&Call::Pack { file }, &mut output).await;
    drop(output);
    let extracted = extracting.await.map_err(|error| Error::transfer(&error))?;
    match (answer, extracted) {
        (Err(error), Ok(()) | Err(_)) => Err(error),
        (Ok(_), Err(error)) => Err(Error::guest_output("files", &error)),
        (Ok(_), Ok(())) => Ok(()),
    }
}
