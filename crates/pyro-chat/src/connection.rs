//! A *connection* to a server, with TLS if its address is `https`.

use std::io;
use std::sync::Arc;

use http::Uri;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::task::AbortOnDropHandle;

/// An open connection; closed when dropped.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    /// The task that moves the bytes.
    _carrier: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects. The certificate of a TLS server must be signed by one of `roots`, or if not given,
    /// by an authority that this host trusts.
    pub(crate) async fn open(url: &Uri, roots: Option<RootCertStore>) -> io::Result<Self> {
        let host = url.host().unwrap_or_default();
        // IPv6 addresses have brackets only in URLs.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !is_secure {
            return Self::over(stream).await;
        }
        let roots = roots.map_or_else(trusted_here, Ok)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        Self::over(connector.connect(name, stream).await?).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // The request ends with the same error.
        let carrier = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            _carrier: AbortOnDropHandle::new(carrier),
        })
    }
}

fn trusted_here() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(io::Error::other(
            "this host has no certificates of authorities; install ca-certificates",
        ));
    }
    Ok(roots)
}
