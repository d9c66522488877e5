//! A registry of images, in a thread of the test.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What it has, by path, and what it was asked for.
#[derive(Default)]
struct State {
    content: HashMap<String, Vec<u8>>,
    asked: Vec<String>,
}

/// A registry. Its thread ends with the test's process.
pub(crate) struct Registry {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

/// The layers of an image, and how its programs run.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) config: Value,
    pub(crate) architecture: &'static str,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = shared.clone();
                thread::spawn(move || answer(&stream.unwrap(), &state));
            }
        });
        Self { port, state }
    }

    /// The name of an image in it.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("localhost:{}/{rest}", self.port)
    }

    /// Puts an image there. Returns the digest of its manifest.
    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Image) -> String {
        let digests: Vec<_> = image.layers.iter().map(|layer| digest(layer)).collect();
        let config = json!({
            "architecture": image.architecture, "os": "linux", "config": image.config,
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = serde_json::to_vec(&config).unwrap();
        let descriptor = |kind: &str, bytes: &[u8]| {
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": digest(bytes), "size": bytes.len(),
            })
        };
        let layers = image.layers.iter();
        let layers: Vec<_> = layers
            .map(|layer| descriptor("layer.v1.tar", layer))
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", &config), "layers": layers,
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let mut state = self.state.lock().unwrap();
        for blob in image.layers.iter().chain([&config]) {
            let path = format!("/v2/{repository}/blobs/{}", digest(blob));
            state.content.insert(path, blob.clone());
        }
        let name = digest(&manifest);
        for version in [tag, &name] {
            let path = format!("/v2/{repository}/manifests/{version}");
            state.content.insert(path, manifest.clone());
        }
        name
    }

    /// What it was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Changes what it has.
    pub(crate) fn spoil(&self, change: impl Fn(&str, &mut Vec<u8>)) {
        for (path, content) in &mut self.state.lock().unwrap().content {
            change(path, content);
        }
    }
}

/// The digest of a blob.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn answer(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut first = Vec::new();
    // What comes first from a client that tries TLS is no line.
    let _ = reader.read_until(b'\n', &mut first);
    let Ok(first) = String::from_utf8(first) else {
        let _ = (&mut &*stream).write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
        return;
    };
    let mut from = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim().trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let content = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        state.content.get(&path).cloned()
    };
    let mut out = stream;
    let _ = match content {
        None => out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        Some(content) if from == 0 => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                content.len()
            );
            let _ = out.write_all(head.as_bytes());
            out.write_all(&content)
        }
        Some(content) => {
            let (rest, all) = (&content[from..], content.len());
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\n\
                 content-range: bytes {from}-{}/{all}\r\n\r\n",
                rest.len(),
                all - 1
            );
            let _ = out.write_all(head.as_bytes());
            out.write_all(rest)
        }
    };
}
