//! The *HTTP* transport: one address for all clients that know the token.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pyro_engine::Config;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::calls::Calls;
use crate::message::{Understood, too_long, understand};
use crate::pending::{PendingConnection, PendingConnections};
use crate::server::{Offer, Server};
use crate::sessions::Sessions;
use crate::{Error, body};

/// The only path.
const PATH: &str = "/mcp";
const TOKEN_LEAST_BYTES: usize = 16;
/// The header with the id of a request's session.
const SESSION: &str = "mcp-session-id";
/// How many clients may be connected at a time.
const CONNECTION_LIMIT: usize = 128;
/// How long a client may take to send a request's header.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
/// How long answers may take after the server was stopped.
const END_LIMIT: Duration = Duration::from_secs(2);

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// The address of a server, and its clients.
#[derive(Clone)]
pub struct Endpoint {
    /// The address to listen on; port 0 takes any.
    pub listen: SocketAddr,
    /// The token that clients must present; if there is none, one is generated.
    pub token: Option<String>,
    /// Names that clients may use for the server, besides its address and this machine's.
    pub hosts: Vec<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// A listening server.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Endpoint,
    token: Token,
}

/// The token that clients must present. Its `Debug` output hides it.
#[derive(Clone)]
struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl HttpServer {
    /// Binds the address.
    ///
    /// # Errors
    /// When the address is not available, or when it is reachable from other machines and no token
    /// was chosen for them.
    pub async fn bind(endpoint: Endpoint) -> Result<Self, Error> {
        let token = match &endpoint.token {
            Some(token) => token.clone(),
            None if !endpoint.listen.ip().is_loopback() => {
                return Err(Error::Exposed {
                    address: endpoint.listen,
                });
            }
            None => random_token()?,
        };
        if token.len() < TOKEN_LEAST_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Token {
                least: TOKEN_LEAST_BYTES,
            });
        }
        let failed = |source| Error::Listen {
            address: endpoint.listen,
            source,
        };
        let listener = TcpListener::bind(endpoint.listen).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            endpoint,
            token: Token(token.into()),
        })
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The token, if it was generated here.
    pub fn made_token(&self) -> Option<&str> {
        self.endpoint.token.is_none().then_some(&*self.token.0)
    }

    /// Serves clients until `stop` is cancelled. When this returns, every call has ended.
    ///
    /// # Errors
    /// When the process lacks a resource that a server needs.
    pub async fn serve(
        self,
        config: Config,
        offer: Offer,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let calls = Calls::start(config)?;
        let calls = Arc::new(calls);
        let server = Server::new(Arc::clone(&calls), offer);
        let sessions = Sessions::default();
        let service = StreamableHttpService::new(
            move || Ok(server.clone()),
            Arc::clone(&sessions.manager),
            self.rules(stop.clone()),
        );
        let connections = TaskTracker::new();
        let pending = PendingConnections::default();
        let door = Arc::new(HttpGuard {
            service,
            sessions,
            token: self.token.clone(),
            places: Arc::new(Semaphore::new(CONNECTION_LIMIT)),
        });
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (door, pending_connection) = (Arc::clone(&door), pending.admit());
                    connections
                        .spawn(async move { door.converse(stream, pending_connection).await });
                }
                Err(error) => wait_after(&error).await,
            }
        }
        calls.end().await;
        connections.close();
        // Clients that do not read their answers by then lose them.
        let _ = tokio::time::timeout(END_LIMIT, connections.wait()).await;
        Ok(())
    }

    /// The conditions for requests. A web page can make a browser send requests here, but cannot
    /// forge their origin.
    fn rules(&self, stop: CancellationToken) -> StreamableHttpServerConfig {
        let mut hosts = vec!["localhost".into(), "127.0.0.1".into(), "::1".into()];
        if !self.address.ip().is_unspecified() {
            hosts.push(match self.address.ip() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
        }
        hosts.extend(self.endpoint.hosts.iter().cloned());
        let origins: Vec<_> = hosts
            .iter()
            .flat_map(|host| [format!("http://{host}:*"), format!("https://{host}:*")])
            .filter(|origin| !origin.contains("//::1"))
            .collect();
        StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .with_cancellation_token(stop)
    }
}

/// The checks that all connections pass through.
struct HttpGuard {
    service: StreamableHttpService<Server, LocalSessionManager>,
    sessions: Sessions,
    token: Token,
    places: Arc<Semaphore>,
}

/// A connection, and the slot that it takes once it has shown the token.
struct Connection {
    pending_connection: PendingConnection,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl HttpGuard {
    /// Answers one client's requests, in order.
    async fn converse(&self, stream: TcpStream, pending_connection: PendingConnection) {
        let connection = Connection {
            pending_connection,
            place: Mutex::default(),
        };
        let answer = service_fn(|request| async {
            Ok::<_, std::convert::Infallible>(self.answer(request, &connection).await)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::select! {
            served = served => if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            },
            () = connection.pending_connection.has_to_go() => {
                tracing::debug!("a connection showed no token in time");
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        if let Some(refusal) = refusal(&request, &self.token.0) {
            return refusal;
        }
        if connection.pending_connection.becomes_known() {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                let text = "this server has as many clients as it takes\n";
                return refused(StatusCode::SERVICE_UNAVAILABLE, text);
            };
            if let Ok(mut taken) = connection.place.lock() {
                *taken = Some(place);
            }
        }
        let session = |headers: &HeaderMap| {
            let id = headers.get(SESSION)?.to_str().ok()?;
            Some(id.to_owned())
        };
        if let Some(id) = session(request.headers()) {
            self.sessions.note(&id).await;
        }
        let response = match read(request).await {
            Ok(request) => self.service.handle(request).await,
            Err(answer) => answer,
        };
        if let Some(id) = session(response.headers()) {
            self.sessions.note(&id).await;
        }
        response
    }
}

/// Reads a request. An invalid message is answered as on standard input.
async fn read(request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Response<Body>> {
    let (head, body) = request.into_parts();
    let bytes = match body::read(body).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(finder)) => {
            let answer = too_long(finder);
            return Err(complaint(StatusCode::PAYLOAD_TOO_LARGE, &answer));
        }
        Err(error) => {
            tracing::debug!(%error, "a body ended early");
            let text = "the body did not come\n";
            return Err(refused(StatusCode::REQUEST_TIMEOUT, text));
        }
    };
    if head.method == Method::POST
        && let Understood::Wrong(answers) = understand(&bytes)
        && let Some(answer) = answers.first()
    {
        return Err(complaint(StatusCode::BAD_REQUEST, answer));
    }
    Ok(Request::from_parts(head, Full::new(bytes)))
}

/// The answer to an invalid message.
fn complaint(status: StatusCode, answer: &Value) -> Response<Body> {
    let mut response = Response::new(Full::from(answer.to_string()).boxed());
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Returns the answer to a request that is refused unread.
fn refusal(request: &Request<Incoming>, token: &str) -> Option<Response<Body>> {
    let presented = request.headers().get(AUTHORIZATION);
    let presented = presented.and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
    });
    let known = presented.is_some_and(|presented| same(presented, token.as_bytes()));
    if !known {
        let text = "the header `Authorization: Bearer TOKEN` is missing, or its token is wrong\n";
        let mut response = refused(StatusCode::UNAUTHORIZED, text);
        let challenge = http::HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        Some(response)
    } else if names_two_hosts(request) {
        // RFC 9112, section 3.2.
        Some(refused(
            StatusCode::BAD_REQUEST,
            "a request is for one host\n",
        ))
    } else if request.uri().path() != PATH {
        Some(refused(StatusCode::NOT_FOUND, "the server is at /mcp\n"))
    } else {
        None
    }
}

/// Whether a request has several hosts, or its URI another one than its header.
fn names_two_hosts(request: &Request<Incoming>) -> bool {
    let mut named = request.headers().get_all(HOST).iter();
    let (first, second) = (named.next(), named.next());
    let in_uri = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    second.is_some() || in_uri.is_some_and(|host| first.is_none_or(|named| named != host))
}

/// An answer after which the connection is closed, so that a refused client keeps no slot.
fn refused(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let close = http::HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// Compares in constant time, so that the duration does not reveal the first difference.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |all, (l, r)| all | (l ^ r));
    left.len() == right.len() && std::hint::black_box(differences) == 0
}

fn random_token() -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    filled.map_err(|error| Error::Resource {
        action: "make a token",
        source: error.into(),
    })?;
    let digits = bytes.map(|byte| format!("{byte:02x}"));
    Ok(digits.concat())
}

/// Waits if a retry at once would only keep the processor busy.
async fn wait_after(error: &io::Error) {
    let client_gone = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    if !client_gone.contains(&error.kind()) {
        tracing::warn!(%error, "no connection can be accepted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(listen: &str, token: Option<&str>) -> Endpoint {
        Endpoint {
            listen: listen.parse().unwrap(),
            token: token.map(Into::into),
            hosts: Vec::new(),
        }
    }

    #[tokio::test]
    async fn only_a_chosen_token_opens_the_server_to_others() {
        let exposed = HttpServer::bind(endpoint("0.0.0.0:0", None)).await;
        assert!(matches!(exposed, Err(Error::Exposed { .. })), "{exposed:?}");
        let chosen = HttpServer::bind(endpoint("0.0.0.0:0", Some("0123456789abcdef"))).await;
        assert_eq!(chosen.unwrap().made_token(), None);
        for weak in ["", "short", "0123456789 abcdef", "0123456789abcde\u{fc}"] {
            let weak = HttpServer::bind(endpoint("127.0.0.1:0", Some(weak))).await;
            assert!(matches!(weak, Err(Error::Token { .. })), "{weak:?}");
        }
    }

    #[tokio::test]
    async fn tokens_differ_and_are_not_shown_by_accident() {
        let server = || async {
            HttpServer::bind(endpoint("127.0.0.1:0", None))
                .await
                .unwrap()
        };
        let (one, other) = (server().await, server().await);
        assert_eq!(one.made_token().unwrap().len(), 64);
        assert_ne!(one.made_token(), other.made_token());
        let shown = format!("{one:?}");
        assert!(!shown.contains(one.made_token().unwrap()), "{shown}");
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same(b"abc", b"abc"));
        for other in ["ab", "abcd", "abd", ""] {
            assert!(!same(other.as_bytes(), b"abc"), "{other}");
        }
    }
}
