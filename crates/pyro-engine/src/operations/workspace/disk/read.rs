//! `workspace disk read`

use pyro_machine::Call;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place;
use crate::instance::{Beside, InstanceKind, Reader};
use crate::operation::{Effect, Operation};
use crate::operations::workspace::file::{FileContent, Part};
use crate::output::{CAPTURE_LIMIT_BYTES, Capture};
use crate::request::{octets_parser, within};
use crate::{Context, Engine, Error};

const DEFAULT_BYTES: i64 = 65_536;
const MAX_BYTES: std::ops::RangeInclusive<i64> = 1..=i64::MAX;
const OFFSETS: std::ops::RangeInclusive<i64> = 0..=i64::MAX;

/// Read a file on the disk of a stopped workspace
///
/// The file may be anywhere in the root file system, not only in /workspace. No program of the
/// workspace runs: a temporary microVM without a network reads a copy of the disk. A symbolic link
/// is followed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace disk read 0123456789ab notes.txt\n  \
    pyro workspace disk read 0123456789ab /var/log/dpkg.log --max-bytes 1048576 --content-only")]
pub struct Read {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// The file, absolute or relative to /workspace
    #[arg(value_parser = octets_parser())]
    pub path: String,
    /// Byte offset in the file at which to begin
    #[arg(
        long,
        default_value_t = 0,
        value_name = "BYTES",
        allow_negative_numbers = true
    )]
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub offset: i64,
    /// Maximum number of bytes to read, at most 16 MiB
    #[arg(long, default_value_t = DEFAULT_BYTES, value_name = "BYTES", allow_negative_numbers = true)]
    #[serde(default = "default_bytes")]
    #[schemars(range(min = 1))]
    pub max_bytes: i64,
    /// Also return the exact bytes, in Base64
    #[arg(long)]
    #[serde(default)]
    pub base64: bool,
}

fn default_bytes() -> i64 {
    DEFAULT_BYTES
}

impl Operation for Read {
    const NAME: &'static str = "workspace_disk_read";
    const COMMAND: &'static [&'static str] = &["workspace", "disk", "read"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = FileContent;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<FileContent, Error> {
        let (path, file) = place(&self.path)?;
        let offset: u64 = within("offset", self.offset, &OFFSETS)?;
        let max_bytes: u64 = within("max_bytes", self.max_bytes, &MAX_BYTES)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let reader = Reader::start(
            engine,
            &found,
            Self::NAME,
            Beside::Nothing,
            &context.listener,
        )
        .await?;
        let call = Call::ReadFile {
            file,
            offset,
            max_bytes: max_bytes.min(CAPTURE_LIMIT_BYTES as u64),
        };
        let mut output = Capture::default();
        let answer = reader.call(&call, &mut output).await?;
        let part = Part {
            path,
            offset,
            max_bytes,
            base64: self.base64,
        };
        FileContent::of(self.workspace_id, part, &answer, output)
    }
}
