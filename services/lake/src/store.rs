//! Where the table is kept: a local directory, or a bucket of an S3-compatible object store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use deltalake::{DeltaResult, DeltaTable, DeltaTableBuilder};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::LakeError;
use crate::sink::Sink;

/// Where the lake's table is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A local directory, which no other process writes to.
    Directory(PathBuf),
    /// A bucket that all nodes share.
    S3(S3Options),
}

impl From<&Path> for Location {
    fn from(directory: &Path) -> Self {
        Self::Directory(directory.to_owned())
    }
}

/// A bucket of an S3-compatible object store. What is not set here is taken from the environment, as Amazon's own
/// tools do: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, the roles of containers and instances.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// `s3://bucket` or `s3://bucket/prefix`.
    pub url: String,
    /// Address of the store; Amazon's without. It may be `http://…`.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: Option<String>,
    /// Who we are.
    pub access_key_id: Option<String>,
    /// The proof.
    pub secret_access_key: Option<String>,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The open store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// The table's objects, by their paths below the table.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The table's address.
    pub(crate) url: Url,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
    /// The whole bucket.
    Bucket(Arc<dyn ObjectStore>),
}

impl Store {
    /// Opens the store and makes sure that it can be read.
    pub(crate) async fn open(location: &Location) -> Result<Self, LakeError> {
        match location {
            Location::Directory(directory) => Self::directory(directory),
            Location::S3(options) => {
                let (bucket, url) = s3(options)?;
                let store = Self::bucket(bucket, url)?;
                store.probe().await?;
                Ok(store)
            }
        }
    }

    fn directory(directory: &Path) -> Result<Self, LakeError> {
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let url = Url::from_directory_path(&directory)
            .map_err(|()| LakeError::Storage(format!("`{}` is not a directory path", directory.display())))?;
        let objects = Arc::new(LocalFileSystem::new_with_prefix(&directory)?);
        Ok(Self { objects, url, place: Place::Directory(directory) })
    }

    /// The table at `url` in a store that several nodes may use.
    pub(crate) fn bucket(bucket: Arc<dyn ObjectStore>, url: Url) -> Result<Self, LakeError> {
        let prefix = object_store::path::Path::from_url_path(url.path()).map_err(object_store::Error::from)?;
        let objects = Arc::new(PrefixStore::new(bucket.clone(), prefix));
        Ok(Self { objects, url, place: Place::Bucket(bucket) })
    }

    /// Whether other nodes may use it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// The Delta table, not loaded.
    pub(crate) fn table(&self) -> Result<DeltaTable, LakeError> {
        let builder = DeltaTableBuilder::from_url(self.url.clone())?;
        let builder = match &self.place {
            Place::Directory(_) => builder,
            Place::Bucket(bucket) => {
                let scheme = Url::parse(&format!("{}://", self.url.scheme()))
                    .map_err(|error| LakeError::Storage(error.to_string()))?;
                logstore_factories().entry(scheme).or_insert_with(|| Arc::new(ConditionalPuts));
                builder.with_storage_backend(bucket.clone(), self.url.clone())
            }
        };
        Ok(builder.build()?)
    }

    /// A new file of the table.
    pub(crate) fn create(&self, path: &str) -> Result<Sink, LakeError> {
        match &self.place {
            Place::Directory(directory) => Sink::file(&directory.join(path)),
            Place::Bucket(_) => Ok(Sink::object(self.objects.clone(), path.into())),
        }
    }

    /// Asks what is in the table's log, to tell what is wrong with the bucket, if anything is.
    async fn probe(&self) -> Result<(), LakeError> {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let bucket = self.url.host_str().unwrap_or_default();
        let reason = match self.objects.list_with_delimiter(Some(&"_delta_log".into())).await {
            Ok(_) => return Ok(()),
            Err(PermissionDenied { source, .. } | Unauthenticated { source, .. }) => {
                format!("access to bucket `{bucket}` is denied: {source}")
            }
            Err(error) => match format!("{error:?}") {
                said if said.contains("NoSuchBucket") => format!("the bucket `{bucket}` does not exist"),
                said if said.contains("AccessDenied") || said.contains("SignatureDoesNotMatch") => {
                    format!("access to bucket `{bucket}` is denied: {error}")
                }
                _ if matches!(error, NotFound { .. }) => format!("the bucket `{bucket}` does not exist"),
                _ => format!("the bucket `{bucket}` cannot be reached: {error}"),
            },
        };
        Err(LakeError::Storage(reason))
    }
}

/// Delta's log in any store that can put an object only if there is none: the default log store does.
struct ConditionalPuts;

impl LogStoreFactory for ConditionalPuts {
    fn with_options(
        &self,
        prefixed: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(prefixed, root, location, options))
    }
}

/// The bucket, and the table's address in it.
pub(crate) fn s3(options: &S3Options) -> Result<(Arc<dyn ObjectStore>, Url), LakeError> {
    let malformed = || LakeError::Storage(format!("`{}` is not of the form s3://bucket/prefix", options.url));
    let url = Url::parse(&format!("{}/", options.url.trim_end_matches('/'))).map_err(|_| malformed())?;
    let bucket = url.host_str().filter(|_| url.scheme() == "s3").ok_or_else(malformed)?;
    // An outage is to be an error within seconds: whoever needs the store tries again later.
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() },
        max_retries: 4,
        retry_timeout: Duration::from_secs(5),
    };
    let client =
        ClientOptions::new().with_connect_timeout(Duration::from_secs(3)).with_timeout(Duration::from_secs(20));
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_client_options(client);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(id) = &options.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    Ok((Arc::new(builder.build()?), url))
}
