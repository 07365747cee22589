//! The entries of the Delta log: from our files, and to what the table holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::{Action, Add, Remove};

use crate::LakeError;
use crate::files::{DataFile, date_text};
use crate::schema::DATE;
use crate::snapshot::Content;

/// The application transaction of a partition is this and its number; its version is the last archived position.
pub(crate) const APPLICATION: &str = "chancery/archiver/";

impl Content {
    /// Follows one commit.
    pub(crate) fn apply(&mut self, actions: &[Action]) -> Result<(), LakeError> {
        let mut added = Vec::new();
        let mut touched = HashSet::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    let bytes = u64::try_from(add.size).unwrap_or(0);
                    added.push(data_file(add.path.clone(), bytes, add.stats.as_deref().unwrap_or_default())?);
                    touched.insert(add.path.as_str());
                }
                Action::Remove(remove) => {
                    touched.insert(remove.path.as_str());
                }
                Action::Txn(transaction) if transaction.app_id.starts_with(APPLICATION) => {
                    self.watermark.advance(transaction.version.cast_unsigned());
                }
                _ => {}
            }
        }
        if !touched.is_empty() {
            let files = Arc::make_mut(&mut self.files);
            files.retain(|file| !touched.contains(file.path.as_str()));
            files.extend(added);
        }
        Ok(())
    }
}

/// A file from its entry in the log.
pub(crate) fn data_file(path: String, bytes: u64, statistics: &str) -> Result<DataFile, LakeError> {
    let unusable = format!("file `{path}` has no usable statistics in the Delta log");
    DataFile::from_delta(path, bytes, statistics).ok_or(LakeError::Storage(unusable))
}

fn partition_values(file: &DataFile) -> HashMap<String, Option<String>> {
    HashMap::from([(DATE.to_owned(), Some(date_text(file.date)))])
}

fn now_millis() -> i64 {
    chancery_log::system_clock()().as_micros() / 1000
}

/// The entry of a new file.
pub(crate) fn add(file: &DataFile, data_change: bool) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: partition_values(file),
        size: file.bytes.cast_signed(),
        modification_time: now_millis(),
        data_change,
        stats: Some(file.delta_statistics()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// The entry of a file whose rows are in another one now.
pub(crate) fn remove(file: &DataFile) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(partition_values(file)),
        size: Some(file.bytes.cast_signed()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}
