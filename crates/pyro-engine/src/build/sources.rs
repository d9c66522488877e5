//! The *sources* of a `COPY`: files of the context, of another stage, or of another environment, laid
//! out in a directory as they are to be copied.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;

use pyro_archive::{Target, extract};
use pyro_machine::{Call, FilePath, FileType, PACKED_NAME};
use tempfile::TempDir;

use super::builder::Builder;
use super::context::{self, Tree};
use super::dockerfile::{Copy, Source, Step, refused};
use super::laid::Laid;
use super::machine::{BuildMachine, Purpose};
use super::stage::StageState;
use crate::Error;
use crate::off_thread::{off_thread, pipe};

impl Builder<'_> {
    /// Lays out what a `COPY` copies.
    pub(super) async fn lay_out(
        &self,
        step: &Step,
        copy: &Copy,
        state: &StageState,
    ) -> Result<Laid, Error> {
        let failed = |why: String| refused(step.line, &why);
        let expand = |text: &String| state.expand(text).map_err(failed);
        let io_failed = |error: std::io::Error| Error::transfer(&error);
        let directory = TempDir::new().map_err(io_failed)?;
        let destination = expand(&copy.destination)?;
        let owner = copy.owner.as_ref().map(expand).transpose()?;
        let mode = copy.mode.as_ref().map(expand).transpose()?;
        let from = copy.from.as_ref().map(expand).transpose()?;
        let mut into = copy.sources.len() > 1
            || destination.ends_with('/')
            || matches!(&*destination, "." | "..")
            || destination.ends_with("/.");
        let mut received = Vec::new();
        for source in &copy.sources {
            let path = match source {
                Source::Document(text, has_variables) => {
                    let text = if *has_variables {
                        state.expand_document(text).map_err(failed)?
                    } else {
                        text.clone()
                    };
                    let file = directory.path().join("document");
                    fs::write(file, text).map_err(io_failed)?;
                    continue;
                }
                Source::Path(path) => expand(path)?,
            };
            let found = match (&from, &self.context) {
                (Some(from), _) => {
                    let (tree, path, files) = self.receive(from, &path).await?;
                    received.push(files);
                    let to = directory.path().to_owned();
                    off_thread(move || tree.lay_out(&path, &to)).await
                }
                (None, Some(tree)) => tree.lay_out(&path, directory.path()),
                (None, None) => {
                    let why = "there is no context to copy files from: name a directory to build";
                    return Err(failed(why.into()));
                }
            };
            let found = found.map_err(|error| Error {
                message: format!("line {} of the Dockerfile: {}", step.line, error.message),
                ..error
            })?;
            into |= found.has_directory || found.count > 1;
        }
        if let Some(mode) = mode {
            let bits = u32::from_str_radix(&mode, 8).ok();
            let bits = bits.filter(|bits| *bits <= 0o7777);
            let bits = bits.ok_or_else(|| {
                failed(format!(
                    "--chmod={mode} is not supported: it must be an octal number"
                ))
            })?;
            context::set_modes(directory.path(), bits).map_err(io_failed)?;
        }
        Ok(Laid {
            directory,
            destination: state.path(&destination),
            into,
            owner: owner.unwrap_or_else(|| "0:0".into()),
        })
    }

    /// Gets files of another stage or environment. Returns them as a tree, and what of it is meant.
    async fn receive(&self, from: &str, path: &str) -> Result<(Tree, String, TempDir), Error> {
        let other = self.base(from).await?;
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
        let received = TempDir::new().map_err(|error| Error::transfer(&error))?;
        unpack(&machine, &real, received.path()).await?;
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
