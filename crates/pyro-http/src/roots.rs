//! The *roots*: the certificates of the authorities that may vouch for a server.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The authorities that a server with TLS has to be vouched for by.
#[derive(Clone, Debug)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Returns those that this host trusts. Reads the host's certificates, which takes some
    /// milliseconds.
    pub fn of_this_host() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(roots)
    }

    /// Adds the certificates in a PEM file.
    ///
    /// # Errors
    /// When the file cannot be read, or a certificate in it is none.
    pub fn add_file(&mut self, path: &Path) -> io::Result<()> {
        let pem = std::fs::read(path)?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(io::Error::other)?;
            self.0.add(certificate).map_err(io::Error::other)?;
        }
        Ok(())
    }

    pub(crate) fn client_config(&self) -> io::Result<Arc<ClientConfig>> {
        if self.0.is_empty() {
            return Err(io::Error::other(
                "this host has no certificates of authorities; install ca-certificates",
            ));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

impl From<RootCertStore> for Roots {
    fn from(roots: RootCertStore) -> Self {
        Self(roots)
    }
}
