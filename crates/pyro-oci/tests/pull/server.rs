//! A registry in a thread, which misbehaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pyro_oci::Digest;
use serde_json::json;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// After so many bytes of the body the connection ends.
    pub(crate) cut: Option<usize>,
    /// After so many bytes of the body nothing more comes for a while.
    pub(crate) stall: Option<usize>,
    /// The body comes in so many pieces, with a pause before each.
    pub(crate) slow: Option<(usize, Duration)>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
            stall: None,
            slow: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Handler = dyn FnMut(&Request, usize) -> Reply + Send;

/// A server. Its thread ends with the test's process.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A certificate and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Server {
    /// The handler is given each request, and how many there were before it.
    pub(crate) fn plain(handler: impl FnMut(&Request, usize) -> Reply + Send + 'static) -> Self {
        Self::start(None, Box::new(handler))
    }

    pub(crate) fn tls(
        (certificate, key): Identity,
        handler: impl FnMut(&Request, usize) -> Reply + Send + 'static,
    ) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::start(Some(Arc::new(config)), Box::new(handler))
    }

    fn start(tls: Option<Arc<ServerConfig>>, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let handler = Arc::new(Mutex::new(handler));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (tls, handler, seen) = (tls.clone(), handler.clone(), seen.clone());
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    match tls {
                        None => serve(stream, &handler, &seen),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(connection, stream), &handler, &seen);
                        }
                    }
                });
            }
        });
        Self { port, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests whose path has this in it.
    pub(crate) fn requests_of(&self, part: &str) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(|request| request.path.contains(part));
        all
    }
}

fn serve(stream: impl Read + Write, handler: &Mutex<Box<Handler>>, seen: &Mutex<Vec<Request>>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else {
        return;
    };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let reply = (handler.lock().unwrap())(&request, number);
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\nconnection: close\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", reply.body.len());
    let out = stream.get_mut();
    if out.write_all(head.as_bytes()).is_err() {
        return;
    }
    let end = reply.cut.or(reply.stall).unwrap_or(reply.body.len());
    let body = &reply.body[..end.min(reply.body.len())];
    let (pieces, pause) = reply.slow.unwrap_or((1, Duration::ZERO));
    for piece in body.chunks(body.len().div_ceil(pieces).max(1)) {
        thread::sleep(pause);
        let _ = out.write_all(piece);
        let _ = out.flush();
    }
    if reply.stall.is_some() {
        thread::sleep(Duration::from_secs(300));
    }
}

/// `None` if what comes is no request, such as a greeting in TLS.
fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// An image of one layer, and how a registry answers for it.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) layer: Vec<u8>,
    config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    pub(crate) fn new(layer: Vec<u8>) -> Self {
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]},
        });
        let config = serde_json::to_vec(&config).unwrap();
        let descriptor = |kind: &str, bytes: &[u8]| {
            let media_type = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "config": descriptor("config.v1+json", &config),
            "layers": [descriptor("layer.v1.tar", &layer)],
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        Self {
            layer,
            config,
            manifest,
        }
    }

    /// What a registry that behaves answers.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        if path.contains("/manifests/") {
            return Reply::new(200, self.manifest.clone());
        }
        let named = |bytes: &[u8]| path.ends_with(Digest::of(bytes).as_str());
        let blob = if named(&self.layer) {
            &self.layer
        } else if named(&self.config) {
            &self.config
        } else {
            return Reply::new(404, "");
        };
        let range = request.headers.get("range");
        let from = range.and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        match from {
            None => Reply::new(200, blob.clone()),
            Some(from) => Reply::new(206, &blob[from..]).with(
                "content-range",
                &format!("bytes {from}-{}/{}", blob.len() - 1, blob.len()),
            ),
        }
    }
}
