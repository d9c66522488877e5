//! `workspace file write`

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyro_machine::{Answer, Call, octets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt as _;

use super::place;
use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::hex;
use crate::request::{host_path, octets_parser};
use crate::{Context, Engine, Error};

/// The maximum size of a file's content, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The file name that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// The value of `if_match` for a file that must not exist.
const MISSING: &str = "missing";

/// Write a file of a started workspace
///
/// The file is replaced atomically: it has either its old content or all of the new content. An
/// existing file keeps its mode and owner; missing directories are created. When the call returns,
/// the content is on the workspace's disk. A paused workspace is resumed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace file write 0123456789ab notes.txt --text 'remember this'\n  \
    pyro workspace file write 0123456789ab bin/tool --text-file ./tool --mode 755\n  \
    generate | pyro workspace file write 0123456789ab data.json --text-file -\n  \
    pyro workspace file write 0123456789ab config.toml --text-file config.toml --if-match missing")]
pub struct Write {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// The file, absolute or relative to /workspace
    #[arg(value_parser = octets_parser())]
    pub path: String,
    /// New content of the file, as text
    #[arg(long, value_name = "TEXT", value_parser = octets_parser(), allow_hyphen_values = true, group = "content")]
    #[serde(default)]
    pub text: Option<String>,
    /// File on this host with the new content; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = octets_parser(), allow_hyphen_values = true, group = "content")]
    #[serde(default)]
    pub text_file: Option<String>,
    /// New content of the file, in Base64
    #[arg(long, value_name = "BASE64", group = "content")]
    #[serde(default)]
    pub base64: Option<String>,
    /// Permissions of the file, in octal digits; a new file gets 0644 by default
    #[arg(long, value_name = "MODE")]
    #[serde(default)]
    pub mode: Option<String>,
    /// Write only if the current content of the file has this SHA-256, in hexadecimal; with
    /// `missing`, only if the file does not exist
    #[arg(long, value_name = "SHA256")]
    #[serde(default)]
    pub if_match: Option<String>,
}

/// A file that was written.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct WrittenFile {
    /// The workspace.
    pub workspace_id: String,
    /// The file's absolute path.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How many bytes were written: the whole content.
    pub bytes_written: u64,
    /// Whether the file did not exist before.
    pub created: bool,
    /// Its permissions, in octal digits, for example `0644`.
    pub mode: String,
    /// SHA-256 of its content, in hexadecimal, as `if_match` takes it.
    pub sha256: String,
    /// Where it was written.
    pub execution_mode: String,
}

impl Write {
    async fn content(&self, context: &mut Context) -> Result<Vec<u8>, Error> {
        let bytes = match (&self.text, &self.text_file, &self.base64) {
            (Some(text), None, None) => octets::decode(text).into_owned(),
            (None, Some(file), None) => read_content("text_file", file, MAX_BYTES, context).await?,
            (None, None, Some(base64)) => STANDARD
                .decode(base64)
                .map_err(|error| Error::invalid(format!("base64 is no Base64: {error}")))?,
            _ => {
                return Err(Error::invalid(
                    "one of text, text_file and base64 must be given, and no other",
                ));
            }
        };
        if bytes.len() as u64 > MAX_BYTES {
            let message = format!("the content has more than {MAX_BYTES} bytes");
            return Err(
                Error::invalid(message).remedy("copy large files with `pyro workspace sync push`")
            );
        }
        Ok(bytes)
    }

    fn mode(&self) -> Result<Option<u32>, Error> {
        let Some(digits) = &self.mode else {
            return Ok(None);
        };
        match u32::from_str_radix(digits, 8) {
            Ok(mode @ 0..=0o7777) => Ok(Some(mode)),
            _ => Err(Error::invalid(
                "mode must be octal digits from 0 to 7777, for example 0644",
            )),
        }
    }

    fn condition(&self) -> Result<Option<String>, Error> {
        match self.if_match.as_deref() {
            None => Ok(None),
            Some(MISSING) => Ok(Some(String::new())),
            Some(digest)
                if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                Ok(Some(digest.to_ascii_lowercase()))
            }
            Some(_) => Err(Error::invalid(
                "if_match must be a SHA-256 of 64 hexadecimal digits, or `missing`",
            )),
        }
    }
}

/// Reads a file of the host, or standard input, up to one byte over the limit. `noun` is the name of
/// the property.
pub(crate) async fn read_content(
    noun: &'static str,
    file: &str,
    limit: u64,
    context: &mut Context,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if file == STANDARD_INPUT {
        let Some(stdin) = &mut context.stdin else {
            return Err(Error::invalid("there is no standard input to read"));
        };
        let read = stdin.take(limit + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| pyro_machine::Error::input(&error))?;
    } else {
        let opened = context.permissions.open_file(noun, file)?;
        opened
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::unreadable_source(noun, &host_path(file), error))?;
    }
    Ok(bytes)
}

impl Operation for Write {
    const NAME: &'static str = "workspace_file_write";
    const COMMAND: &'static [&'static str] = &["workspace", "file", "write"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    const HOST_PATHS: &'static [&'static str] = &["text_file"];
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = WrittenFile;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<WrittenFile, Error> {
        let (path, file) = place(&self.path)?;
        let (mode, if_match) = (self.mode()?, self.condition()?);
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_file_write")?;
        let new = self.content(context).await?;
        let bytes = new.len() as u64;
        let call = Call::WriteFile {
            file,
            bytes,
            mode,
            if_match,
        };
        let answer = instance::call(&found, &call, &new, &mut tokio::io::sink()).await?;
        let Answer::FileWritten { created, mode } = answer else {
            return Err(Error::guest_output("a file", &format!("{answer:?}")));
        };
        Ok(WrittenFile {
            workspace_id: self.workspace_id,
            path,
            size_bytes: bytes,
            bytes_written: bytes,
            created,
            mode: format!("{mode:04o}"),
            sha256: hex(&Sha256::digest(&new)),
            execution_mode: "guest_vsock".into(),
        })
    }
}
