//! The *server* of a model, and requests to it.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use pyro_http::{Connection, Proxies, Roots};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use crate::address::completions;
use crate::events::Events;
use crate::reply::{Pieces, failure};
use crate::{Error, Reply};

/// The maximum size of a reply: far more than a model can write in one.
const REPLY_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// How much of an error response is read, for the error message.
const REFUSAL_LIMIT_BYTES: usize = 64 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A streamed reply may take this many times the limit for one chunk.
const PIECES: u32 = 10;

/// The API key of the user. It is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Key(String);

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

/// The server of a model.
#[derive(Debug)]
pub struct Server {
    url: Uri,
    authorization: Option<HeaderValue>,
    limit: Duration,
    /// Those of this host if not given.
    roots: Option<Roots>,
}

impl Server {
    /// The server at an address such as `http://localhost:11434/v1`. `limit` is the time limit for
    /// a reply, or for each chunk of a streamed reply.
    ///
    /// # Errors
    /// When the address is invalid, or the key cannot be sent.
    pub fn new(base_url: &str, key: Option<&Key>, limit: Duration) -> Result<Self, Error> {
        let authorization = match key {
            None => None,
            Some(Key(key)) => {
                let value = HeaderValue::from_str(&format!("Bearer {key}"));
                let mut value = value.map_err(|_| Error::Key)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            url: completions(base_url)?,
            authorization,
            limit,
            roots: None,
        })
    }

    /// Sends a complete request to the model and returns its reply. The server decides whether it
    /// streams the reply, regardless of the request.
    ///
    /// # Errors
    /// When there is no valid reply.
    pub async fn ask(&self, request: &Value) -> Result<Reply, Error> {
        let unreachable = |source| Error::Unreachable {
            authority: self
                .url
                .authority()
                .map(ToString::to_string)
                .unwrap_or_default(),
            source,
        };
        let roots = || self.roots.clone().unwrap_or_else(Roots::of_this_host);
        let proxies = Proxies::default();
        let open = Connection::open(&self.url, roots, &proxies);
        let mut connection = timeout(CONNECT_LIMIT, open)
            .await
            .map_err(|_| Error::TimedOut {
                what: "a connection",
                limit: CONNECT_LIMIT,
            })?
            .map_err(unreachable)?;
        let deadline = Instant::now() + self.limit;
        let sent = connection.send(self.request(request));
        let response = timeout_at(deadline, sent)
            .await
            .map_err(|_| self.timed_out("a reply"))?
            .map_err(unanswered)?;
        let status = response.status();
        if !status.is_success() {
            let body = self.whole(response, REFUSAL_LIMIT_BYTES, deadline).await;
            return Err(Error::Refused {
                status: status.as_u16(),
                said: said(&body.unwrap_or_default()),
            });
        }
        let kind = response.headers().get(CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return self.in_pieces(response).await;
        }
        let body = self.whole(response, REPLY_LIMIT_BYTES, deadline).await?;
        Reply::from_json(&body)
    }

    fn request(&self, body: &Value) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    async fn whole(
        &self,
        response: Response<Incoming>,
        limit_bytes: usize,
        deadline: Instant,
    ) -> Result<Vec<u8>, Error> {
        let mut body = response.into_body();
        let mut all = Vec::new();
        loop {
            let next = timeout_at(deadline, next(&mut body)).await;
            let Some(part) = next.map_err(|_| self.timed_out("the rest of a reply"))?? else {
                return Ok(all);
            };
            if all.len() + part.len() > limit_bytes {
                return Err(Error::TooLong { limit_bytes });
            }
            all.extend_from_slice(&part);
        }
    }

    async fn in_pieces(&self, response: Response<Incoming>) -> Result<Reply, Error> {
        let mut body = response.into_body();
        let (mut events, mut pieces) = (Events::default(), Pieces::default());
        let mut total = 0;
        let end = Instant::now() + self.limit * PIECES;
        loop {
            let deadline = end.min(Instant::now() + self.limit);
            let next = timeout_at(deadline, next(&mut body)).await;
            let part = next.map_err(|_| self.timed_out("the rest of a reply"))??;
            let complete = match &part {
                Some(part) => events.feed(part),
                None => events.end().into_iter().collect(),
            };
            for data in complete {
                // Some servers keep the connection open after the last event.
                if pieces.add(&data)? {
                    return pieces.finish();
                }
            }
            let Some(part) = part else {
                return pieces.finish();
            };
            total += part.len();
            if total > REPLY_LIMIT_BYTES {
                return Err(Error::TooLong {
                    limit_bytes: REPLY_LIMIT_BYTES,
                });
            }
        }
    }

    fn timed_out(&self, what: &'static str) -> Error {
        Error::TimedOut {
            what,
            limit: self.limit,
        }
    }
}

/// Why no response header was received.
fn unanswered(source: hyper::Error) -> Error {
    if source.is_parse() {
        return Error::NotHttp { source };
    }
    Error::CutOff {
        source: Some(source),
    }
}

/// Returns the next bytes of a body; `None` at its end.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| Error::CutOff {
            source: Some(source),
        })?;
        if let Ok(part) = frame.into_data() {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// Returns the message of an error response.
fn said(body: &[u8]) -> String {
    let parsed = serde_json::from_slice(body).ok();
    let said = parsed.as_ref().and_then(failure);
    said.unwrap_or_else(|| match String::from_utf8_lossy(body).trim() {
        "" => "nothing more".into(),
        text => pyro_text::line(text),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::*;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
                           {\"choices\": [{\"message\": {\"content\": \"hello\"}}]}";

    fn server(base_url: &str) -> Server {
        Server::new(base_url, None, Duration::from_secs(60)).unwrap()
    }

    /// A server that answers every request with these bytes; its address.
    fn answering(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(bytes);
            }
        });
        format!("http://{address}/v1")
    }

    #[test]
    fn a_key_is_not_shown_even_if_it_is_wrong() {
        let key = Key::from("se\ncret".to_owned());
        assert_eq!(format!("{key:?}"), "Key");
        let error = Server::new("http://h", Some(&key), Duration::ZERO).unwrap_err();
        assert_eq!(error.code(), "model_key_invalid");
        let good = Key::from("secret".to_owned());
        let server = Server::new("http://h", Some(&good), Duration::ZERO).unwrap();
        assert!(!format!("{server:?}").contains("secret"), "{server:?}");
    }

    #[tokio::test]
    async fn a_reply_without_end_is_not_read_to_its_end() {
        let endless: &[u8] = Box::leak({
            let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
            [head, vec![b' '; REPLY_LIMIT_BYTES + 1]]
                .concat()
                .into_boxed_slice()
        });
        let error = server(&answering(endless))
            .ask(&json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "model_reply_too_long");
        let events: &[u8] = Box::leak({
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
            [head, b": still here\n".repeat(REPLY_LIMIT_BYTES / 10)]
                .concat()
                .into_boxed_slice()
        });
        let error = server(&answering(events))
            .ask(&json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "model_reply_too_long");
    }

    #[tokio::test]
    async fn a_server_elsewhere_is_not_followed_to() {
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n";
        let error = server(&answering(moved)).ask(&json!({})).await.unwrap_err();
        let expected = "the server answered with HTTP status 302: nothing more";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn what_is_no_server_of_the_web_is_told_from_one_that_went_away() {
        for (bytes, words) in [
            (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], "does not speak HTTP"),
            (b"\x15\x03\x03\x00\x02\x02\x46", "does not speak HTTP"),
            (b"", "ended before the reply did"),
            (b"HTTP/1.1 200 OK\r\ncontent-", "ended before the reply did"),
        ] {
            let error = server(&answering(bytes)).ask(&json!({})).await.unwrap_err();
            assert!(error.to_string().contains(words), "{bytes:?}: {error:?}");
        }
    }

    /// A TLS server gets a request only if its certificate is trusted.
    #[tokio::test]
    async fn a_server_has_to_be_vouched_for() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // The connection to an untrusted server is closed.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(REPLY).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        let mut server = server(&format!("https://localhost:{port}/v1"));
        let mut roots = RootCertStore::empty();
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        roots.add(stranger.cert.der().clone()).unwrap();
        server.roots = Some(roots.clone().into());
        let error = server.ask(&json!({})).await.unwrap_err();
        assert_eq!(error.code(), "model_unreachable");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("certificate"), "{cause}");
        roots.add(certificate).unwrap();
        server.roots = Some(roots.into());
        let reply = server.ask(&json!({})).await.unwrap();
        assert_eq!(reply.content.as_deref(), Some("hello"));
    }
}
