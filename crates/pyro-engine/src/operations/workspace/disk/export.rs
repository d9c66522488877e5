//! `workspace disk export`

use std::path::Path;
use std::time::Duration;

use pyro_machine::{Answer, Call, PRIVATE_DISK_MIB};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::disk_limit::allocated_bytes;
use crate::export::{Existing, check_free, place_file};
use crate::instance::{Beside, Instance, InstanceKind, Reader};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation};
use crate::request::{octets_parser, path_text};
use crate::{Context, Engine, Error, Event, Listener};

const MIB: u64 = 1024 * 1024;
/// The maximum ratio between the files of an environment and its image, which is compressed.
const EXPANSION: u64 = 8;
/// The maximum overhead of a file in the image besides its content: its share of the inode tables,
/// and a block.
const ENTRY_BYTES: u64 = 20 * 1024;
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Export the whole root file system of a stopped workspace as one ext4 image
///
/// The image contains the environment and everything that was written, with owners, permissions,
/// links and devices, and depends on no other file. It is sparse. No program of the workspace runs:
/// a temporary microVM without a network makes the image. The file appears at the output path only
/// when it is complete.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace disk export 0123456789ab --output workspace.ext4\n  \
    pyro workspace disk export 0123456789ab --output /tmp/disk.ext4 --force")]
pub struct Export {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Path of the image on this host; its directory must exist
    #[arg(long = "output", value_name = "PATH", value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    pub output_path: String,
    /// Replace an existing file or directory at the output path, with everything in it
    #[arg(long)]
    #[serde(default)]
    pub force: bool,
}

/// An image that was exported.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct DiskExport {
    /// The workspace.
    pub workspace_id: String,
    /// The path of the image on this host.
    pub output_path: String,
    /// `ext4`.
    pub disk_format: String,
    /// How many bytes the image occupies on the host's disk.
    pub bytes_written: u64,
    /// The length of the image in bytes, holes included.
    pub size_bytes: u64,
    /// How many files, directories, links and other entries it has.
    pub entry_count: u64,
}

impl Operation for Export {
    const NAME: &'static str = "workspace_disk_export";
    const COMMAND: &'static [&'static str] = &["workspace", "disk", "export"];
    const EFFECT: Effect = Effect::Mutating;
    const HOST_PATHS: &'static [&'static str] = &["output_path"];
    type Output = DiskExport;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<DiskExport, Error> {
        let existing = Existing::for_caller(self.force, &context.permissions)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_stopped(Self::NAME)?;
        let permissions = &context.permissions;
        let destination = permissions.open_destination("output_path", &self.output_path)?;
        let output_path = path_text(&destination.path);
        check_free(&destination, existing)?;
        let mib = image_mib(&found);
        let listener = &context.listener;
        let beside = Beside::Output { mib };
        let reader = Reader::start(engine, &found, Self::NAME, beside, listener).await?;
        let image = reader.output();
        let mut nothing = tokio::io::sink();
        let answer = tokio::select! {
            answer = reader.call(&Call::CopyRoot, &mut nothing) => answer?,
            never = report(&image, listener) => match never {},
        };
        let Answer::RootCopied { entries, .. } = answer else {
            return Err(Error::guest_output("an image", &format!("{answer:?}")));
        };
        // The machine must not write to the image any more.
        let files = reader.end();
        let bytes_written = allocated_bytes(&image);
        off_thread(move || {
            let placed = place_file(&image, &destination, existing);
            drop(files);
            placed
        })
        .await?;
        Ok(DiskExport {
            workspace_id: self.workspace_id,
            output_path,
            disk_format: "ext4".into(),
            bytes_written,
            size_bytes: mib * MIB,
            entry_count: entries,
        })
    }
}

/// The size that the image needs. Blocks that are not written take no space on the host's disk.
fn image_mib(found: &Instance) -> u64 {
    let rootfs = found.record.spec.rootfs.metadata();
    let mut bytes = rootfs.map_or(0, |image| image.len()) * EXPANSION;
    if let Some(seed) = &found.record.seed {
        bytes += seed.bytes_written + seed.entry_count * ENTRY_BYTES;
    }
    PRIVATE_DISK_MIB + bytes.div_ceil(MIB)
}

/// Reports how much of the image is written.
async fn report(image: &Path, listener: &Listener) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        listener.report(Event::Transfer {
            what: "export",
            bytes: allocated_bytes(image),
            total: None,
        });
    }
}
