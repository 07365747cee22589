//! Where the bytes of a new file go.

use std::fs::File;
use std::io::{Result as IoResult, Write};
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt;

use crate::LakeError;

/// Bytes of one part of an upload; smaller objects are put in one request.
const PART: usize = 8 << 20;

/// A local file, or what of an object is not sent yet and the upload it goes to.
pub(crate) enum Sink {
    File(File),
    Object(Vec<u8>, Box<BufWriter>),
}

impl Sink {
    pub(crate) fn file(path: &Path) -> Result<Self, LakeError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok(Self::File(File::create(path)?))
    }

    pub(crate) fn object(store: Arc<dyn ObjectStore>, path: object_store::path::Path) -> Self {
        Self::Object(Vec::new(), Box::new(BufWriter::with_capacity(store, path, PART).with_max_concurrency(2)))
    }

    /// Sends what was written.
    pub(crate) async fn send(&mut self) -> Result<(), LakeError> {
        match self {
            Self::Object(bytes, upload) if !bytes.is_empty() => Ok(upload.put(std::mem::take(bytes).into()).await?),
            _ => Ok(()),
        }
    }

    /// Sends the rest and makes the object visible.
    pub(crate) async fn complete(&mut self) -> Result<(), LakeError> {
        self.send().await?;
        match self {
            Self::File(_) => Ok(()),
            Self::Object(_, upload) => Ok(upload.shutdown().await?),
        }
    }

    /// Waits for the disk to have what was written.
    pub(crate) fn sync(&self) -> IoResult<()> {
        match self {
            Self::File(file) => file.sync_all(),
            Self::Object(..) => Ok(()),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        match self {
            Self::File(file) => Write::write(file, bytes),
            Self::Object(buffer, _) => {
                buffer.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> IoResult<()> {
        match self {
            Self::File(file) => Write::flush(file),
            Self::Object(..) => Ok(()),
        }
    }
}
