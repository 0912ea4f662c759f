//! Asks others over HTTP: robots, and the server for names. Bounded in time and size, and silent about addresses.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Certificate, Client, Proxy, RequestBuilder, redirect};

use super::config::Target;

/// How long a connection may take, and the whole of an answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A client for one target, which believes its certificates only, if it has some.
pub(super) fn client(target: &Target) -> anyhow::Result<Client> {
    // A redirect would carry the key, which is in the address, to another host; proxies are said, not found.
    let mut builder = Client::builder()
        .user_agent("lawpulse")
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN);
    if let Some(proxy) = &target.proxy {
        builder = builder.proxy(Proxy::all(proxy.clone()).map_err(told).context("`proxy`")?);
    }
    if let Some(ca) = &target.ca {
        let shown = ca.display();
        let pem = std::fs::read(ca).with_context(|| format!("cannot read `{shown}`"))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(told);
        let certificates = certificates.with_context(|| format!("`{shown}` is not in PEM"))?;
        anyhow::ensure!(!certificates.is_empty(), "`{shown}` holds no certificate in PEM");
        builder = builder.tls_certs_only(certificates);
    } else if target.url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(told).context(
        "TLS cannot be set up; install the package `ca-certificates`, or name the file of the certificates with `ca`",
    )
}

/// Sends a request; the status, and the body up to so many bytes.
pub(super) async fn ask(
    request: RequestBuilder,
    bytes_max: usize,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut answer = request.send().await.map_err(told)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(told)? {
        anyhow::ensure!(body.len() + part.len() <= bytes_max, "its answer is too large");
        body.extend_from_slice(&part);
    }
    Ok((answer.status().as_u16(), body))
}

/// An error without the address: that holds the key.
fn told(error: reqwest::Error) -> anyhow::Error {
    error.without_url().into()
}
