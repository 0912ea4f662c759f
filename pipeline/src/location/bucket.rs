//! Buckets of S3-compatible object stores, reached as the environment says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore,
    logstore_factories, object_store_factories,
};
use deltalake::{DeltaResult, DeltaTableError};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStoreExt as _, RetryConfig};
use url::Url;

use crate::error::{Error, Result};

/// The variable that names a file of certificates (PEM) that are believed beside those of the system. The tools of
/// Amazon know it by the same name.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// What tells who we are. Without any of them the store would be asked for by an address that only exists in Amazon's
/// own data centres, for minutes.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

/// How long a store that refuses, or is not there, is asked again: less than a query may take, so that the store is named
/// and not the query. A server goes on trying by itself, whoever gave a command sees what is wrong.
const RETRY_FOR: Duration = Duration::from_secs(15);

/// How long it rests at most between two attempts.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// An object that every lake has sooner or later, and that is small.
const SMALL: &str = "events/_delta_log/_last_checkpoint";

/// The stores by their buckets: a store has its connections and its credentials, which tables share.
type Buckets = Mutex<HashMap<String, ObjectStoreRef>>;

fn buckets() -> &'static Buckets {
    static BUCKETS: OnceLock<Buckets> = OnceLock::new();
    BUCKETS.get_or_init(Buckets::default)
}

/// The store of a bucket, whose paths are those of the bucket.
///
/// Fails when the environment does not say how it is reached, or says what cannot be.
pub(super) fn of(url: &Url) -> Result<ObjectStoreRef> {
    let bucket = url.host_str().unwrap_or_default();
    let mut known = buckets().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(store) = known.get(bucket) {
        return Ok(Arc::clone(store));
    }
    let store = open(url)?;
    known.insert(bucket.to_owned(), Arc::clone(&store));
    Ok(store)
}

/// As [`of`], with connections of its own.
pub(super) fn open(url: &Url) -> Result<ObjectStoreRef> {
    let bucket = url.host_str().unwrap_or_default();
    Ok(Arc::new(builder(bucket, &environment())?.build().map_err(wrong)?))
}

/// Asks a bucket for an object, which need not be there.
///
/// Fails with what to do when the bucket is not there, cannot be reached or does not let us in.
pub(super) async fn reach(url: &Url) -> Result<()> {
    let bucket = url.host_str().unwrap_or_default();
    let path = Path::from_url_path(format!("{}/{SMALL}", url.path())).map_err(Error::internal)?;
    let asked = of(url)?.get(&path).await;
    let Err(error) = asked else { return Ok(()) };
    let is_missing = matches!(error, object_store::Error::NotFound { .. });
    if is_missing && !error.to_string().contains("NoSuchBucket") {
        return Ok(());
    }
    let endpoint = builder(bucket, &environment())?.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let endpoint =
        endpoint.unwrap_or_else(|| "Amazon, since AWS_ENDPOINT_URL is not set".to_owned());
    let cause = root_of(&error);
    let told = match error {
        object_store::Error::NotFound { .. } => format!(
            "there is no bucket `{bucket}` at {endpoint}: create it, or check --lake and AWS_ENDPOINT_URL"
        ),
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            format!(
                "the store at {endpoint} does not let this account read the bucket `{bucket}` ({cause}): check \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what the account may do"
            )
        }
        _ if cause.contains("certificate") => format!(
            "the store at {endpoint} is not believed ({cause}): name the certificate of its authority (a PEM file) in {CA_BUNDLE}"
        ),
        _ => format!(
            "the bucket `{bucket}` cannot be reached at {endpoint} ({cause}): check AWS_ENDPOINT_URL, and whether the store runs"
        ),
    };
    Err(Error::Request(told))
}

fn root_of(error: &object_store::Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// The variables of this process that tell how a bucket is reached.
fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect()
}

/// How a bucket is reached, by the variables that the tools of Amazon read as well.
fn builder(bucket: &str, environment: &HashMap<String, String>) -> Result<AmazonS3Builder> {
    if !CREDENTIALS.iter().any(|name| environment.contains_key(*name)) {
        return Err(Error::Request(format!(
            "nothing says who may read the bucket `{bucket}`: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the \
             environment, and AWS_ENDPOINT_URL unless it is Amazon's"
        )));
    }
    let mut client = ClientOptions::new();
    if let Some(file) = environment.get(CA_BUNDLE) {
        for certificate in certificates(file)? {
            client = client.with_root_certificate(certificate);
        }
    }
    let mut builder = AmazonS3Builder::new().with_client_options(client);
    for (name, value) in environment {
        // Others are for other tools.
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    // Who writes http:// means it.
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    if endpoint.starts_with("http://") {
        builder = builder.with_allow_http(true);
    }
    Ok(builder.with_bucket_name(bucket).with_retry(patience()))
}

fn patience() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: RETRY_EVERY, ..BackoffConfig::default() };
    // It is the time that ends it.
    RetryConfig { backoff, max_retries: usize::MAX, retry_timeout: RETRY_FOR }
}

fn certificates(file: &str) -> Result<Vec<Certificate>> {
    let path = std::path::Path::new(file);
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::definition(
            file,
            "there is no certificate in it",
            format!("name a file of certificates (PEM) in {CA_BUNDLE}"),
        )),
    }
}

fn wrong(error: object_store::Error) -> Error {
    Error::Request(format!("the environment does not say how the bucket is reached: {error}"))
}

/// Makes buckets known to the tables.
pub(crate) fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // A constant.
        let Ok(scheme) = Url::parse("s3://") else { return };
        object_store_factories().insert(scheme.clone(), Arc::new(Opener));
        logstore_factories().insert(scheme, Arc::new(Opener));
    });
}

/// Opens tables in buckets: a commit is an object that is put only where there is none.
struct Opener;

impl ObjectStoreFactory for Opener {
    fn parse_url_opts(&self, url: &Url, _: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let store = of(url).map_err(|error| DeltaTableError::generic(error.to_string()))?;
        Ok((store, Path::from_url_path(url.path())?))
    }
}

impl LogStoreFactory for Opener {
    fn with_options(
        &self,
        store: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(store, root, location, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_without_credentials_is_told_at_once() {
        let error = builder("lakes", &HashMap::new()).unwrap_err().to_string();
        assert!(error.contains("AWS_ACCESS_KEY_ID") && error.contains("`lakes`"), "{error}");
    }

    #[test]
    fn a_file_of_certificates_without_one_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        let file = file.display().to_string();
        let said = [(CA_BUNDLE, file.as_str()), ("AWS_ACCESS_KEY_ID", "key")];
        let environment = said.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let error = builder("lakes", &environment).unwrap_err().to_string();
        assert!(error.contains(&file) && error.contains(CA_BUNDLE), "{error}");
    }
}
