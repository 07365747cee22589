//! Blobs: bytes that are known by their SHA-256, such as the archives of template versions. They never change, nobody
//! writes one over another, and what is read is what was written or an error.
//!
//! An embedded installation keeps them in a directory of its own; nodes of a cluster share those in the lake's bucket,
//! under `_blobs/` beside the table, where readers of the table do not look.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use sha2::{Digest, Sha256};

use crate::LakeError;
use crate::store::{Location, s3};

/// Where blobs are in a bucket.
const PREFIX: &str = "_blobs";

/// A store of blobs. Copies are the same store.
#[derive(Debug, Clone)]
pub struct Blobs {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(Arc<Path>),
    Objects(Arc<dyn ObjectStore>),
}

impl Blobs {
    /// Opens the store: this directory, or what belongs to the lake in this bucket.
    pub fn open(location: &Location) -> Result<Self, LakeError> {
        let place = match location {
            Location::Directory(directory) => {
                std::fs::create_dir_all(directory)?;
                Place::Directory(directory.as_path().into())
            }
            Location::S3(options) => {
                let (bucket, url) = s3(options)?;
                let table = object_store::path::Path::from_url_path(url.path()).map_err(object_store::Error::from)?;
                Place::Objects(Arc::new(PrefixStore::new(bucket, table.join(PREFIX))))
            }
        };
        Ok(Self { place })
    }

    /// Keeps bytes, durably; the digest that they are known by from now on.
    pub async fn put(&self, bytes: Bytes) -> Result<String, LakeError> {
        let digest = digest(&bytes);
        match &self.place {
            Place::Directory(directory) => {
                let path = file(directory, &digest)?;
                blocking(move || keep(&path, &bytes)).await?;
            }
            Place::Objects(objects) => {
                let path = object(&digest)?;
                match objects.put_opts(&path, PutPayload::from_bytes(bytes), PutMode::Create.into()).await {
                    Ok(_) => {}
                    // It must be the same that is there.
                    Err(object_store::Error::AlreadyExists { .. }) => drop(self.get(&digest).await?),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(digest)
    }

    /// The bytes of this digest; nothing where they are not, and an error where they are others.
    pub async fn get(&self, digest_of_it: &str) -> Result<Option<Bytes>, LakeError> {
        let bytes = match &self.place {
            Place::Directory(directory) => {
                let path = file(directory, digest_of_it)?;
                let read = blocking(move || match std::fs::read(path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    read => read.map(Some),
                });
                read.await?.map(Bytes::from)
            }
            Place::Objects(objects) => match objects.get(&object(digest_of_it)?).await {
                Ok(found) => Some(found.bytes().await?),
                Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        match bytes {
            Some(bytes) if digest(&bytes) != digest_of_it => {
                Err(LakeError::Storage(format!("the blob {digest_of_it} is not what was written")))
            }
            bytes => Ok(bytes),
        }
    }

    /// Copies every blob of a directory into another store; how many there are.
    pub async fn copy_all(directory: &Path, target: &Self) -> Result<u64, LakeError> {
        let source = Self { place: Place::Directory(directory.into()) };
        let mut copied = 0;
        let listed = directory.to_owned();
        for digest in blocking(move || digests(&listed)).await? {
            if let Some(bytes) = source.get(&digest).await? {
                target.put(bytes).await?;
                copied += 1;
            }
        }
        Ok(copied)
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The name of a blob below the store: two digits first, so that no directory becomes too large.
fn name(digest: &str) -> Result<(&str, &str), LakeError> {
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match digest.split_at_checked(2) {
        Some((first, _)) if is_digest => Ok((first, digest)),
        _ => Err(LakeError::Invalid("a blob is known by a lower-case hex SHA-256".to_owned())),
    }
}

fn file(directory: &Path, digest: &str) -> Result<PathBuf, LakeError> {
    let (first, digest) = name(digest)?;
    Ok(directory.join(first).join(digest))
}

fn object(digest: &str) -> Result<object_store::path::Path, LakeError> {
    let (first, digest) = name(digest)?;
    Ok(object_store::path::Path::from_iter([first, digest]))
}

/// Writes a file beside its place, and puts it there when it is complete and on the disk.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent)?;
    let beside = path.with_extension(format!("{}.new", uuid::Uuid::now_v7()));
    let written = std::fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        std::fs::remove_file(&beside).ok();
    }
    written?;
    std::fs::File::open(parent)?.sync_all()?;
    parent.parent().map_or(Ok(()), |store| std::fs::File::open(store)?.sync_all())
}

/// The digests of all blobs in a directory.
fn digests(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut digests = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(digests),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?.path();
        if !entry.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(entry)? {
            let file = file?.file_name().to_string_lossy().into_owned();
            digests.extend(name(&file).is_ok().then_some(file));
        }
    }
    digests.sort_unstable();
    Ok(digests)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, LakeError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| LakeError::Storage(error.to_string()))??)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use tempfile::TempDir;

    use super::*;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// A store of either kind.
    fn stores() -> (TempDir, [Blobs; 2]) {
        let directory = TempDir::new().unwrap();
        let local = Blobs::open(&Location::Directory(directory.path().join("blobs"))).unwrap();
        (directory, [local, Blobs { place: Place::Objects(Arc::new(InMemory::new())) }])
    }

    #[tokio::test]
    async fn what_is_put_is_got_by_its_digest() {
        let (_directory, stores) = stores();
        for blobs in stores {
            assert_eq!(blobs.get(HELLO).await.unwrap(), None);
            for _again in 0..2 {
                assert_eq!(blobs.put(Bytes::from_static(b"hello")).await.unwrap(), HELLO);
            }
            assert_eq!(blobs.get(HELLO).await.unwrap(), Some(Bytes::from_static(b"hello")));
            for digest in ["", "..", "../../etc/passwd", &HELLO.to_uppercase(), &HELLO[1..]] {
                assert!(matches!(blobs.get(digest).await, Err(LakeError::Invalid(_))), "{digest}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_what_was_written_is_not_given_out() {
        let (directory, [local, shared]) = stores();
        local.put(Bytes::from_static(b"hello")).await.unwrap();
        shared.put(Bytes::from_static(b"hello")).await.unwrap();
        std::fs::write(directory.path().join("blobs").join("2c").join(HELLO), "evil").unwrap();
        let Place::Objects(objects) = &shared.place else { panic!("{shared:?}") };
        objects.put(&object(HELLO).unwrap(), "evil".into()).await.unwrap();
        for blobs in [&local, &shared] {
            assert!(matches!(blobs.get(HELLO).await, Err(LakeError::Storage(_))));
        }
        // A directory heals when the same is put again.
        local.put(Bytes::from_static(b"hello")).await.unwrap();
        assert!(local.get(HELLO).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn every_blob_of_a_directory_is_copied() {
        let (directory, [local, shared]) = stores();
        for text in ["hello", "world", ""] {
            local.put(Bytes::from_static(text.as_bytes())).await.unwrap();
        }
        // What a crash has left is none.
        std::fs::write(directory.path().join("blobs").join("2c").join(format!("{HELLO}.x.new")), "hel").unwrap();
        let blobs = directory.path().join("blobs");
        assert_eq!(Blobs::copy_all(&blobs, &shared).await.unwrap(), 3);
        assert!(shared.get(HELLO).await.unwrap().is_some());
        assert_eq!(Blobs::copy_all(&directory.path().join("none"), &shared).await.unwrap(), 0);
    }
}
