//! A *log* is the complete output of one command of a workspace on one stream, as a resource:
//! results link to it if they are cut.

use std::io::{self, SeekFrom};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rmcp::model::{MetaObject, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::resources::{Contents, Readable, Resources};

/// All logs.
pub(crate) const LOGS: Resources = Resources {
    operation: "workspace_logs",
    template,
    at: |uri| Some(Box::new(Part::at(uri)?)),
};

const ROOT: &str = "pyro://workspace/";
const TEMPLATE: &str = "pyro://workspace/{workspace_id}/log/{sequence}/{stream}{?offset,limit}";
/// The most bytes that are returned at once.
const PART_LIMIT_BYTES: u64 = 1024 * 1024;
/// The key in a part's metadata for the size of the log.
const TOTAL_KEY: &str = "pyro/total_bytes";
/// The key in a part's metadata for the address of the next part, if there is one.
const NEXT_KEY: &str = "pyro/next";

/// The streams of a command, as results name them.
pub(crate) const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// One stream of one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    pub(crate) workspace_id: String,
    pub(crate) sequence: u64,
    pub(crate) stream: &'static str,
}

/// A part of a log, as the operation returns it.
#[derive(Debug, Eq, PartialEq)]
struct Part {
    log: Log,
    offset: u64,
    limit: u64,
}

/// Returns the template for addresses of logs.
fn template() -> ResourceTemplate {
    ResourceTemplate::new(TEMPLATE, "log")
        .with_title("Output of a command in a workspace")
        .with_description(
            "What the command with this number in the workspace's log printed to `stdout` or \
             `stderr`, from byte `offset` on; at most `limit` bytes, and never more than 1 MiB",
        )
}

impl Log {
    fn uri(&self) -> String {
        let Self {
            workspace_id,
            sequence,
            stream,
        } = self;
        format!("{ROOT}{workspace_id}/log/{sequence}/{stream}")
    }

    /// Returns a link to the whole log, which is text unless it is `lossy`.
    pub(crate) fn link(&self, bytes: u64, lossy: bool) -> Resource {
        let name = format!("{} of command {}", self.stream, self.sequence);
        Resource::new(self.uri(), name)
            .with_mime_type(mime_type(lossy))
            .with_size(bytes)
    }
}

impl Part {
    /// Parses an address; `None` if it is not that of a log.
    fn at(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix(ROOT)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let [workspace_id, "log", sequence, stream] = path.split('/').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let mut part = Self {
            log: Log {
                workspace_id: workspace_id.to_owned(),
                sequence: sequence.parse().ok()?,
                stream: STREAMS.into_iter().find(|name| *name == stream)?,
            },
            offset: 0,
            limit: PART_LIMIT_BYTES,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("offset", value) => part.offset = value.parse().ok()?,
                ("limit", value) => part.limit = value.parse().ok()?,
                _ => return None,
            }
        }
        part.limit = part.limit.clamp(1, PART_LIMIT_BYTES);
        Some(part)
    }

    /// Returns the contents from the operation's answer: text, or bytes if it is not text.
    async fn read(&self, uri: &str, answer: &Value) -> io::Result<ResourceContents> {
        let entry = answer["entries"].get(0).ok_or(io::ErrorKind::NotFound)?;
        let of_stream = |key: &str| &entry[format!("{}{key}", self.log.stream)];
        let text = of_stream("").as_str().unwrap_or_default();
        let lossy = of_stream("_lossy") == true;
        let (contents, length) = if lossy {
            let bytes = self.bytes(of_stream("_file")).await?;
            let blob = BASE64_STANDARD.encode(&bytes);
            (ResourceContents::blob(blob, uri), bytes.len())
        } else {
            (ResourceContents::text(text, uri), text.len())
        };
        let end = self.offset + length as u64;
        let total = of_stream("_truncated_from_bytes").as_u64().unwrap_or(end);
        let mut meta = MetaObject::default();
        meta.0.insert(TOTAL_KEY.into(), total.into());
        if length > 0 && end < total {
            let next = format!("{}?offset={end}&limit={}", self.log.uri(), self.limit);
            meta.0.insert(NEXT_KEY.into(), next.into());
        }
        Ok(contents.with_mime_type(mime_type(lossy)).with_meta(meta))
    }

    /// Reads the exact bytes from the file that the operation names.
    async fn bytes(&self, file: &Value) -> io::Result<Vec<u8>> {
        let mut file = File::open(file.as_str().unwrap_or_default()).await?;
        file.seek(SeekFrom::Start(self.offset)).await?;
        let mut bytes = Vec::new();
        file.take(self.limit).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }
}

impl Readable for Part {
    fn request(&self) -> Value {
        json!({
            "workspace_id": self.log.workspace_id,
            "sequence": self.log.sequence,
            "offset": self.offset,
            "limit": self.limit,
        })
    }

    fn contents<'a>(&'a self, uri: &'a str, answer: &'a Value) -> Contents<'a> {
        Box::pin(self.read(uri, answer))
    }
}

fn mime_type(lossy: bool) -> &'static str {
    if lossy {
        "application/octet-stream"
    } else {
        "text/plain"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "pyro://workspace/0123456789ab/log/7/stderr";

    fn part(offset: u64, limit: u64) -> Part {
        Part {
            log: Log {
                workspace_id: "0123456789ab".into(),
                sequence: 7,
                stream: "stderr",
            },
            offset,
            limit,
        }
    }

    #[test]
    fn links_lead_to_what_they_are_about() {
        let part = part(0, PART_LIMIT_BYTES);
        assert_eq!(part.log.link(5, false).uri, URI);
        assert_eq!(Part::at(URI), Some(part));
    }

    #[test]
    fn parts_are_bounded() {
        let at = |query: &str| Part::at(&format!("{URI}{query}")).unwrap();
        assert_eq!(at("?offset=10&limit=20"), part(10, 20));
        assert_eq!(at("?limit=0"), part(0, 1));
        assert_eq!(at("?limit=999999999"), part(0, PART_LIMIT_BYTES));
    }

    #[test]
    fn other_addresses_are_not_ours() {
        for uri in [
            "",
            "pyro://workspace/",
            "file:///etc/passwd",
            "pyro://workspace/0123456789ab/log/7",
            "pyro://workspace/0123456789ab/log/7/stdin",
            "pyro://workspace/0123456789ab/log/-1/stdout",
            "pyro://workspace/0123456789ab/log/7/stdout/..",
            "pyro://workspace/0123456789ab/log/7/stdout?offset=x",
            "pyro://workspace/0123456789ab/log/7/stdout?colour=1",
            "pyro://workspace/0123456789ab/log/7/stdout?offset",
        ] {
            assert_eq!(Part::at(uri), None, "{uri}");
        }
    }

    #[tokio::test]
    async fn a_part_says_where_the_next_one_is() {
        let answer =
            json!({"entries": [{"stderr": "gr\u{fc}n", "stderr_truncated_from_bytes": 9}]});
        let read = |offset| {
            let answer = &answer;
            async move { json!(part(offset, 6).contents(URI, answer).await.unwrap()) }
        };
        let first = read(0).await;
        assert_eq!(first["text"], "gr\u{fc}n");
        assert_eq!(first["mimeType"], "text/plain");
        assert_eq!(first["_meta"][TOTAL_KEY], 9);
        assert_eq!(first["_meta"][NEXT_KEY], format!("{URI}?offset=5&limit=6"));
        let last = read(4).await;
        assert_eq!(last["_meta"].get(NEXT_KEY), None);
    }
}
