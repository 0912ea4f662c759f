//! TLS for every door: one certificate and its key, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::accounts::stamp::Stamp;

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, followed by those that lead to one the clients know.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Files {
    fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|file| Stamp::of(file))
    }
}

/// The certificate of this server. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Arc<Files>,
    stamps: Arc<Mutex<[Stamp; 2]>>,
    pair: Arc<Pair>,
    http: Arc<ServerConfig>,
    postgres: Arc<ServerConfig>,
}

/// The certificate and key that new connections get.
#[derive(Debug)]
struct Pair(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads a certificate and its key. Fails when one cannot be read, or they do not belong together.
    pub fn open(files: Files) -> anyhow::Result<Self> {
        // Looked at before reading: a change in between is then found by the next look.
        let stamps = files.stamps();
        let provider = Arc::new(ring::default_provider());
        let pair = Arc::new(Pair(RwLock::new(Arc::new(read(&files, &provider)?))));
        let config = |protocols: &[&[u8]]| -> anyhow::Result<Arc<ServerConfig>> {
            let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .context("TLS cannot be set up")?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&pair) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Ok(Arc::new(config))
        };
        Ok(Self {
            http: config(&[b"h2", b"http/1.1"])?,
            postgres: config(&[b"postgresql"])?,
            files: Arc::new(files),
            stamps: Arc::new(Mutex::new(stamps)),
            pair,
        })
    }

    /// Reads the files again when one has changed; new connections then get the new certificate. A pair that is broken,
    /// or half-replaced, leaves the last one in force, and the log says so.
    pub fn reload_if_changed(&self) {
        let stamps = self.files.stamps();
        let mut known = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == stamps {
            return;
        }
        *known = stamps;
        match read(&self.files, &ring::default_provider()) {
            Ok(pair) => {
                tracing::info!("the certificate changed");
                *self.pair.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the new certificate cannot be used; the last one holds");
            }
        }
    }

    /// For HTTP: HTTP/2 and HTTP/1.1.
    pub fn http(&self) -> RustlsConfig {
        RustlsConfig::from_config(Arc::clone(&self.http))
    }

    /// For the PostgreSQL wire.
    pub fn postgres(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.postgres))
    }
}

fn read(files: &Files, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let chain = certificates(&files.certificate)
        .with_context(|| format!("cannot read the certificate `{certificate}`"))?;
    anyhow::ensure!(!chain.is_empty(), "`{certificate}` holds no certificate in PEM");
    let private = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read the private key `{key}` (PEM, not encrypted)"))?;
    let pair = CertifiedKey::from_der(chain, private, provider).with_context(|| {
        format!("the certificate `{certificate}` and the private key `{key}` do not make a pair")
    })?;
    Ok(pair)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
}
