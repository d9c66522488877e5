//! `workspace file read`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyro_machine::{Answer, Call};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::place;
use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::{Capture, drop_partial_character, hex, is_false};
use crate::request::{octets_parser, within};
use crate::{Context, Engine, Error};

const DEFAULT_BYTES: i64 = 65_536;
const MAX_BYTES: std::ops::RangeInclusive<i64> = 1..=1_048_576;
const OFFSETS: std::ops::RangeInclusive<i64> = 0..=i64::MAX;

/// Read a file of a started workspace
///
/// Only the requested part is read, however large the file is. A symbolic link is followed if its
/// target is in /workspace. A paused workspace is resumed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace file read 0123456789ab src/main.rs\n  \
    pyro workspace file read 0123456789ab build.log --offset 1048576 --max-bytes 4096\n  \
    pyro workspace file read 0123456789ab picture.png --max-bytes 1048576 --content-only >picture.png")]
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
    /// Maximum number of bytes to read, 1 to 1048576
    #[arg(long, default_value_t = DEFAULT_BYTES, value_name = "BYTES", allow_negative_numbers = true)]
    #[serde(default = "default_bytes")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_bytes: i64,
    /// Also return the exact bytes, in Base64
    #[arg(long)]
    #[serde(default)]
    pub base64: bool,
}

fn default_bytes() -> i64 {
    DEFAULT_BYTES
}

/// The content of a file.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FileContent {
    /// The workspace.
    pub workspace_id: String,
    /// The file's absolute path.
    pub path: String,
    /// The size of the whole file in bytes.
    pub size_bytes: u64,
    /// The byte offset at which `content` begins.
    pub offset: u64,
    /// The maximum number of bytes that was requested.
    pub max_bytes: u64,
    /// The content as text.
    pub content: String,
    /// Whether the file continues after this part.
    pub truncated: bool,
    /// Present if the file continues: the byte offset of the next part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
    /// Its permissions, in octal digits, for example `0644`.
    pub mode: String,
    /// Present if `content` is not exact, because bytes that are not UTF-8 were replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub content_lossy: bool,
    /// Present if it was requested: the exact content, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// Present if the whole file was read: its SHA-256, in hexadecimal, as `if_match` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Operation for Read {
    const NAME: &'static str = "workspace_file_read";
    const COMMAND: &'static [&'static str] = &["workspace", "file", "read"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = FileContent;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<FileContent, Error> {
        let (path, file) = place(&self.path)?;
        let offset: u64 = within("offset", self.offset, &OFFSETS)?;
        let max_bytes: u64 = within("max_bytes", self.max_bytes, &MAX_BYTES)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_file_read")?;
        let call = Call::ReadFile {
            file,
            offset,
            max_bytes,
        };
        let mut output = Capture::default();
        let answer = instance::call(&found, &call, &[], &mut output).await?;
        let part = Part {
            path,
            offset,
            max_bytes,
            base64: self.base64,
        };
        FileContent::of(self.workspace_id, part, &answer, output)
    }
}

/// The part of a file that was requested, and how to return it.
pub(in super::super) struct Part {
    pub(in super::super) path: String,
    pub(in super::super) offset: u64,
    pub(in super::super) max_bytes: u64,
    pub(in super::super) base64: bool,
}

impl FileContent {
    /// The part that the guest has read.
    pub(in super::super) fn of(
        workspace_id: String,
        part: Part,
        answer: &Answer,
        output: Capture,
    ) -> Result<Self, Error> {
        let &Answer::FileRead { size, mode } = answer else {
            return Err(Error::guest_output("a file", &format!("{answer:?}")));
        };
        let offset = part.offset;
        let (mut bytes, _) = output.into_bytes();
        let is_cut = offset.saturating_add(bytes.len() as u64) < size;
        if is_cut {
            // The next part begins with the incomplete character.
            let mut whole = bytes.clone();
            drop_partial_character(&mut whole);
            if !whole.is_empty() {
                bytes = whole;
            }
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let text = String::from_utf8_lossy(&bytes);
        Ok(Self {
            workspace_id,
            path: part.path,
            size_bytes: size,
            offset,
            max_bytes: part.max_bytes,
            truncated: is_cut,
            next_offset: is_cut.then_some(end),
            mode: format!("{mode:04o}"),
            content_lossy: std::str::from_utf8(&bytes).is_err(),
            content: text.into_owned(),
            content_base64: part.base64.then(|| STANDARD.encode(&bytes)),
            sha256: (offset == 0 && end >= size).then(|| hex(&Sha256::digest(&bytes))),
        })
    }
}
