//! TLS to a database: its certificate is always checked, and so is its name.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::ring;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Off,
    /// By TLS; the certificates that this machine knows are believed.
    Machine,
    /// By TLS; only the certificates of this file are believed.
    Authority(PathBuf),
}

impl Encryption {
    /// Connects; the connection lasts as long as the client.
    pub(super) async fn connect(&self, database: &Config) -> anyhow::Result<Client> {
        let mut database = database.clone();
        match self.connector()? {
            None => {
                database.ssl_mode(SslMode::Disable);
                let (client, connection) = database.connect(NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            }
            Some(connector) => {
                database.ssl_mode(SslMode::Require);
                let (client, connection) = database.connect(connector).await?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    }

    fn connector(&self) -> anyhow::Result<Option<Connector>> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Off => return Ok(None),
            Self::Authority(path) => {
                for certificate in super::certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            Self::Machine => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                anyhow::ensure!(
                    !roots.is_empty(),
                    "this machine knows no certificates; install the package `ca-certificates`, or name the file of the \
                     database's authority with `tls = \"FILE.pem\"`"
                );
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Connector(TlsConnector::from(Arc::new(config)))))
    }
}

/// Begins TLS with rustls.
#[derive(Clone)]
struct Connector(TlsConnector);

/// TLS with one database that is about to begin.
struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// A protected stream.
struct Protected<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Connector {
    type Stream = Protected<S>;
    type TlsConnect = Handshake;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, InvalidDnsNameError> {
        let name = ServerName::try_from(domain.to_owned())?;
        Ok(Handshake { connector: self.0.clone(), name })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Protected<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Protected<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { Ok(Protected(self.connector.connect(self.name, stream).await?)) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Protected<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Protected<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Protected<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
