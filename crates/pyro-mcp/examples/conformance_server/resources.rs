//! The resources that the suite reads.

use pyro_engine::{Error, ErrorKind};
use pyro_mcp::{Contents, Readable, Resources};
use rmcp::model::{ResourceContents, ResourceTemplate};
use serde_json::{Value, json};

/// A picture of one pixel, as the protocol carries it.
pub(crate) const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
pub(crate) const PICTURE_TYPE: &str = "image/png";

const BINARY: &str = "test://static-binary";

pub(crate) const FIXTURES: Resources = Resources {
    operation: "read_resource",
    template: || ResourceTemplate::new("test://template/{id}/data", "data"),
    at: |uri| {
        let uri = uri.starts_with("test://").then(|| uri.to_owned())?;
        Some(Box::new(Fixture { uri }))
    },
};

#[derive(Debug)]
struct Fixture {
    uri: String,
}

impl Readable for Fixture {
    fn request(&self) -> Value {
        json!({"uri": self.uri})
    }

    fn contents<'a>(&'a self, uri: &'a str, answer: &'a Value) -> Contents<'a> {
        let text = answer["text"].as_str().unwrap_or_default();
        let contents = if self.uri == BINARY {
            ResourceContents::blob(text, uri).with_mime_type(PICTURE_TYPE)
        } else {
            ResourceContents::text(text, uri).with_mime_type("text/plain")
        };
        Box::pin(std::future::ready(Ok(contents)))
    }
}

/// Returns the content at an address: text, or bytes in base64.
pub(crate) fn text(uri: &str) -> Result<String, Error> {
    let id = uri.strip_prefix("test://template/");
    let id = id.and_then(|rest| rest.strip_suffix("/data"));
    match (uri, id) {
        ("test://static-text", _) => Ok("This is the content of the static text resource.".into()),
        (BINARY, _) => Ok(PICTURE.into()),
        (_, Some(id)) => {
            let data = format!("Data for ID: {id}");
            Ok(json!({"id": id, "templateTest": true, "data": data}).to_string())
        }
        _ => Err(Error {
            kind: ErrorKind::InvalidInput,
            code: "nothing_there".into(),
            message: format!("there is nothing at {uri}"),
            cause: None,
            remedy: None,
            retry_safe: true,
        }),
    }
}
