//! How the nodes of a cluster know each other: certificates of one authority on both sides, and a token that all share.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use http::HeaderValue;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use url::{Host, Url};

use crate::tls;

/// The environment variable that holds the token.
const TOKEN_VARIABLE: &str = "LAWPULSE_CLUSTER_TOKEN";

/// A shorter token could be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Where the secrets of a node are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The file with the token, which the environment variable `LAWPULSE_CLUSTER_TOKEN` takes the place of.
    pub token: Option<PathBuf>,
    /// The node's certificate, which the other side sees.
    pub certificate: Option<tls::Files>,
    /// The certificates of the authority whose nodes are believed.
    pub authority: Option<PathBuf>,
    /// Whether nodes may talk in plain text with other machines: whoever listens then has token and rows.
    pub allow_plaintext: bool,
}

impl Settings {
    fn has_tls(&self) -> bool {
        self.certificate.is_some() && self.authority.is_some()
    }

    /// Refuses to send the token to another machine in plain text.
    pub(super) fn check_worker(&self, url: &Url) -> anyhow::Result<()> {
        let told = "set `certificate`, `key` and `authority` of [cluster]";
        match url.scheme() {
            "https" => ensure!(self.has_tls(), "the worker {url} needs certificates: {told}"),
            "http" => {
                let is_here = match url.host() {
                    Some(Host::Ipv4(address)) => address.is_loopback(),
                    Some(Host::Ipv6(address)) => address.is_loopback(),
                    Some(Host::Domain(name)) => name == "localhost",
                    None => false,
                };
                ensure!(
                    is_here || self.allow_plaintext,
                    "the worker {url} is on another machine, where the token and rows would go in plain text: use https:// \
                     and {told}, or set `allow_plaintext = true` on a network of their own"
                );
            }
            _ => anyhow::bail!("`{url}` is no address of a worker; write https://HOST:PORT"),
        }
        Ok(())
    }

    /// Refuses to be reached by other machines in plain text.
    pub(super) fn check_listening(&self, address: SocketAddr) -> anyhow::Result<()> {
        let is_here = IpAddr::is_loopback(&address.ip().to_canonical());
        ensure!(
            is_here || self.has_tls() || self.allow_plaintext,
            "{address} is not a loopback address, and there are no certificates, so that the token and rows would cross the \
             network in plain text: set `certificate`, `key` and `authority` of [cluster], or `allow_plaintext = true` on a \
             network of their own, or listen on 127.0.0.1"
        );
        Ok(())
    }
}

/// The secrets of a node.
#[derive(Clone)]
pub(super) struct Secrets {
    token: String,
    tls: Option<(Identity, Certificate)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("has_tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads them. Fails when there is no token, or a file cannot be read.
    pub(super) fn read(settings: &Settings) -> anyhow::Result<Self> {
        let token = match (std::env::var(TOKEN_VARIABLE), &settings.token) {
            (Ok(token), _) => token,
            (Err(_), Some(file)) => text(file, "the token of the cluster")?,
            (Err(_), None) => anyhow::bail!(
                "the nodes of a cluster share a token: write one (`openssl rand -hex 32`) to a file and set `token = \"FILE\"` \
                 of [cluster], or put it in the environment variable {TOKEN_VARIABLE}"
            ),
        };
        let token = token.trim().to_owned();
        ensure!(
            token.len() >= TOKEN_BYTES_MIN && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "the token of the cluster is to have {TOKEN_BYTES_MIN} letters or more and no blanks; `openssl rand -hex 32` makes one"
        );
        let tls = match (&settings.certificate, &settings.authority) {
            (Some(files), Some(authority)) => {
                let certificate = text(&files.certificate, "the certificate of the cluster")?;
                let key = text(&files.key, "the private key of the cluster")?;
                let authority = text(authority, "the authority of the cluster")?;
                // The library asks the process for it; whoever was first has the same.
                let _ = rustls::crypto::ring::default_provider().install_default();
                Some((Identity::from_pem(certificate, key), Certificate::from_pem(authority)))
            }
            (None, None) => None,
            _ => anyhow::bail!(
                "[cluster] has `certificate`, `key` and `authority` all three or none of them"
            ),
        };
        Ok(Self { token, tls })
    }

    /// What a node shows to another with each request.
    pub(super) fn bearer(&self) -> anyhow::Result<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.token))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whether a request shows the token. Takes as long whatever is shown.
    pub(super) fn is_shown_in(&self, shown: Option<&HeaderValue>) -> bool {
        let expected = blake3::hash(format!("Bearer {}", self.token).as_bytes());
        shown.is_some_and(|shown| blake3::hash(shown.as_bytes()) == expected)
    }

    /// For connections to a worker, which is to have a certificate of the authority for its host's name or address.
    pub(super) fn client_tls(&self) -> Option<ClientTlsConfig> {
        let (identity, authority) = self.tls.clone()?;
        Some(ClientTlsConfig::new().identity(identity).ca_certificate(authority))
    }

    /// For connections of others, which are to have a certificate of the authority.
    pub(super) fn server_tls(&self) -> Option<ServerTlsConfig> {
        let (identity, authority) = self.tls.clone()?;
        Some(ServerTlsConfig::new().identity(identity).client_ca_root(authority))
    }
}

fn text(file: &Path, what: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {what}, `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(folder: &Path, token: &str) -> anyhow::Result<Secrets> {
        let file = folder.join("token");
        std::fs::write(&file, token).unwrap();
        Secrets::read(&Settings { token: Some(file), ..Settings::default() })
    }

    #[test]
    fn a_token_is_shown_as_it_is_and_no_other_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let ours = secrets(folder.path(), "0123456789abcdef\n").unwrap();
        let theirs = secrets(folder.path(), "0123456789abcdeF").unwrap();
        assert!(ours.is_shown_in(Some(&ours.bearer().unwrap())));
        assert!(!ours.is_shown_in(Some(&theirs.bearer().unwrap())));
        assert!(!ours.is_shown_in(None));
        assert!(!format!("{ours:?}").contains("0123"));
    }

    #[test]
    fn a_token_that_could_be_guessed_and_none_at_all_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for token in ["", "short", "with blanks in between"] {
            assert!(secrets(folder.path(), token).is_err());
        }
        let error = Secrets::read(&Settings::default()).unwrap_err().to_string();
        assert!(error.contains(TOKEN_VARIABLE), "{error}");
    }

    #[test]
    fn plain_text_stays_on_the_machine_unless_it_is_allowed() {
        let plain = Settings::default();
        let allowed = Settings { allow_plaintext: true, ..Settings::default() };
        for url in ["http://127.0.0.1:50051", "http://localhost:50051", "http://[::1]:50051"] {
            plain.check_worker(&url.parse().unwrap()).unwrap();
        }
        let far: Url = "http://10.0.0.1:50051".parse().unwrap();
        assert!(plain.check_worker(&far).unwrap_err().to_string().contains("plain text"));
        allowed.check_worker(&far).unwrap();
        let secure: Url = "https://10.0.0.1:50051".parse().unwrap();
        assert!(plain.check_worker(&secure).unwrap_err().to_string().contains("certificates"));
        assert!(allowed.check_worker(&"ftp://10.0.0.1".parse().unwrap()).is_err());
        plain.check_listening("127.0.0.1:50051".parse().unwrap()).unwrap();
        assert!(plain.check_listening("0.0.0.0:50051".parse().unwrap()).is_err());
        allowed.check_listening("0.0.0.0:50051".parse().unwrap()).unwrap();
    }
}
