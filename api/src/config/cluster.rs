//! The workers of a server, and what a worker may use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::unit;
use crate::cluster::{Security, Settings};
use crate::tls;

/// Which workers there are, and how the nodes know each other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCluster {
    #[serde(default)]
    workers: Vec<Url>,
    token: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
    #[serde(default)]
    allow_plaintext: bool,
    #[serde(default, deserialize_with = "unit::size")]
    spread_from: Option<u64>,
}

impl WrittenCluster {
    /// The settings; relative paths start at `folder`.
    pub(super) fn resolved(self, folder: &Path) -> anyhow::Result<Settings> {
        let at = |path: PathBuf| folder.join(path);
        let certificate = match (self.certificate, self.key, &self.authority) {
            (Some(certificate), Some(key), Some(_)) => {
                Some(tls::Files { certificate: at(certificate), key: at(key) })
            }
            (None, None, None) => None,
            _ => anyhow::bail!(
                "[cluster] has `certificate`, `key` and `authority` all three or none of them"
            ),
        };
        Ok(Settings {
            workers: self.workers,
            security: Security {
                token: self.token.map(at),
                certificate,
                authority: self.authority.map(at),
                allow_plaintext: self.allow_plaintext,
            },
            spread_from: self.spread_from,
        })
    }
}

/// What a worker may use; `None` where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Its address.
    pub listen: Option<SocketAddr>,
    /// Memory of all queries together, in bytes.
    #[serde(default, deserialize_with = "unit::size")]
    pub memory: Option<u64>,
    /// Disk that they may spill to, in bytes.
    #[serde(default, deserialize_with = "unit::size")]
    pub spill: Option<u64>,
}
