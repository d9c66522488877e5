//! An open *connection*.

use std::io;

use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, rustls};
use tokio_util::task::AbortOnDropHandle;

use crate::proxies::Proxy;
use crate::{Proxies, Roots};

/// An open connection; closed when dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Whether the server is a proxy, which has to be told the whole URL.
    to_proxy: bool,
    /// What the proxy knows its user by.
    proxy_authorization: Option<HeaderValue>,
    /// Moves the bytes.
    _carrier: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects to the server of a URL. `roots` is asked for only if the URL has TLS.
    ///
    /// # Errors
    /// When the server or its proxy cannot be reached, or the roots do not vouch for it.
    pub async fn open(
        url: &Uri,
        roots: impl FnOnce() -> Roots,
        proxies: &Proxies,
    ) -> io::Result<Self> {
        let is_secure = url.scheme_str() == Some("https");
        let proxy = proxies.find(url);
        let stream = tcp(proxy.as_ref().map_or(url, |proxy| &proxy.uri)).await?;
        if !is_secure {
            let mut connection = Self::over(stream).await?;
            connection.to_proxy = proxy.is_some();
            connection.proxy_authorization = proxy.and_then(|proxy| proxy.authorization);
            return Ok(connection);
        }
        let config = roots().client_config()?;
        let name = ServerName::try_from(host(url).to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(config);
        match proxy {
            None => Self::over(connector.connect(name, stream).await?).await,
            Some(proxy) => {
                let tunnel = tunnel(stream, url, &proxy).await?;
                Self::over(connector.connect(name, tunnel).await?).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // How it ended is what the request ends with, too.
        let carrier = tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok(Self {
            sender,
            to_proxy: false,
            proxy_authorization: None,
            _carrier: AbortOnDropHandle::new(carrier),
        })
    }

    /// Sends a request whose URI is a whole URL, and returns the answer once its head is there.
    ///
    /// # Errors
    /// When there is no answer, or what comes is no HTTP.
    pub async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        // Without the user that a URL may name: RFC 9110, section 4.2.4.
        let authority = authority.unwrap_or_default();
        let authority = authority.rsplit_once('@').map_or(authority, |(_, at)| at);
        if let Ok(host) = HeaderValue::from_str(authority) {
            request.headers_mut().insert(HOST, host);
        }
        if let Some(authorization) = &self.proxy_authorization {
            let authorization = authorization.clone();
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization);
        }
        if !self.to_proxy {
            let path = request
                .uri()
                .path_and_query()
                .map(http::uri::PathAndQuery::as_str);
            *request.uri_mut() = path.unwrap_or("/").parse().unwrap_or_default();
        }
        self.sender.send_request(request).await
    }
}

/// The name or address in a URL. One of version 6 has brackets in a URL only.
fn host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn port(url: &Uri) -> u16 {
    let is_secure = url.scheme_str() == Some("https");
    url.port_u16().unwrap_or(if is_secure { 443 } else { 80 })
}

async fn tcp(url: &Uri) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host(url), port(url))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Has the proxy connect to the server, and returns the stream of bytes to it.
async fn tunnel(
    stream: TcpStream,
    url: &Uri,
    proxy: &Proxy,
) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
    let target = format!("{}:{}", url.host().unwrap_or_default(), port(url));
    let mut connection = Connection::over(stream).await?;
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.parse().map_err(io::Error::other)?;
    let headers = request.headers_mut();
    headers.insert(HOST, target.parse().map_err(io::Error::other)?);
    if let Some(authorization) = &proxy.authorization {
        headers.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    let answer = connection.sender.send_request(request).await;
    let answer = answer.map_err(io::Error::other)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(io::Error::other(format!(
            "the proxy {} refused the connection with status {status}",
            proxy.uri.host().unwrap_or_default()
        )));
    }
    let upgraded = hyper::upgrade::on(answer).await;
    // The bytes are the tunnel's now, and the old carrier has ended with the upgrade.
    Ok(TokioIo::new(upgraded.map_err(io::Error::other)?))
}

/// Whether a connection with TLS failed because the server does not speak it, and not because it
/// is not trusted.
pub fn speaks_no_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidMessage(_)))
        || error.kind() == io::ErrorKind::UnexpectedEof
}
