//! `env export`

use pyro_environment::Form;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::export::{Existing, check_free, place_file};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::request::{octets_parser, path_text};
use crate::{Context, Engine, Error, Event};

/// Export an image into a file that container tools read
///
/// The image is one that was pulled from a registry, imported, or saved with `env save`. The file
/// appears at its path only when it is complete.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro env export local:mine --oci mine.tar && skopeo copy oci-archive:mine.tar docker://registry.example/mine\n  \
    pyro env export local:mine --docker mine.tar && podman load -i mine.tar")]
pub struct Export {
    /// Name of the image, for example `local:mine`
    pub environment: String,
    /// Path of an OCI layout in a tar file, with layers as they are in the cache
    #[arg(long = "oci", value_name = "PATH", group = "form", required_unless_present = "docker_path", value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    #[serde(default)]
    pub oci_path: Option<String>,
    /// Path of a file in the form of `docker save`, with layers that are not compressed
    #[arg(long = "docker", value_name = "PATH", group = "form", value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    #[serde(default)]
    pub docker_path: Option<String>,
    /// Replace an existing file or directory at the path, with everything in it
    #[arg(long)]
    #[serde(default)]
    pub force: bool,
}

/// An image that was exported.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ImageExport {
    /// The image.
    pub environment: String,
    /// The path of the file on this host.
    pub output_path: String,
    /// `oci-archive` or `docker-archive`: what is before the colon where container tools read it.
    pub format: String,
    /// The length of the file in bytes.
    pub bytes_written: u64,
}

impl Operation for Export {
    const NAME: &'static str = "env_export";
    const COMMAND: &'static [&'static str] = &["env", "export"];
    const EFFECT: Effect = Effect::Mutating;
    const HOST_PATHS: &'static [&'static str] = &["oci_path", "docker_path"];
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = ImageExport;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ImageExport, Error> {
        let (form, key, path) = match (&self.oci_path, &self.docker_path) {
            (Some(path), None) => (Form::Layout, "oci_path", path),
            (None, Some(path)) => (Form::Saved, "docker_path", path),
            _ => {
                return Err(Error::invalid(
                    "one of oci_path and docker_path must be given",
                ));
            }
        };
        let existing = Existing::for_caller(self.force, &context.permissions)?;
        let destination = context.permissions.open_destination(key, path)?;
        let output_path = path_text(&destination.path);
        check_free(&destination, existing)?;
        let files = engine.machines.directory_for_files()?;
        let file = files.path().join("image.tar");
        let progress = |progress| {
            context.listener.report(Event::Building {
                environment: self.environment.clone(),
                progress,
            });
        };
        let environments = &engine.environments;
        environments
            .export(&self.environment, form, &file, &progress)
            .await?;
        let bytes_written = off_thread(move || {
            let length = std::fs::metadata(&file).map_or(0, |file| file.len());
            let placed = place_file(&file, &destination, existing);
            drop(files);
            placed.map(|()| length)
        })
        .await?;
        let format = match form {
            Form::Layout => "oci-archive",
            Form::Saved => "docker-archive",
        };
        Ok(ImageExport {
            environment: self.environment,
            output_path,
            format: format.into(),
            bytes_written,
        })
    }
}
