//! The Delta log: which files make up the table, and how far the log is archived.

use std::collections::HashMap;
use std::path::Path;

use chancery_log::Position;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Remove, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder};

use crate::LakeError;
use crate::files::{DataFile, date_text};
use crate::schema::{DATE, delta_schema};

/// The application transaction that carries the last archived position of partition 0.
const APPLICATION: &str = "chancery/archiver/0";

/// The open table.
pub(crate) struct DeltaLog {
    table: DeltaTable,
}

impl DeltaLog {
    /// Opens the table in `directory`, creating it when there is none.
    pub(crate) async fn open(directory: &Path) -> Result<Self, LakeError> {
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let url = url::Url::from_directory_path(&directory)
            .map_err(|()| LakeError::Storage(format!("`{}` is not a directory path", directory.display())))?;
        let mut table = DeltaTableBuilder::from_url(url)?.build()?;
        if table.verify_deltatable_existence().await? {
            table.load().await?;
        } else {
            let schema: StructType =
                (&delta_schema()).try_into_kernel().map_err(|error| LakeError::Storage(format!("schema: {error}")))?;
            let configuration = [
                ("delta.checkpointInterval", "50"),
                ("delta.logRetentionDuration", "interval 1 day"),
                ("delta.dataSkippingNumIndexedCols", "2"),
            ];
            table = table
                .create()
                .with_table_name("events")
                .with_comment("Audit events; the column `event` holds the canonical bytes")
                .with_columns(schema.fields().cloned())
                .with_partition_columns([DATE])
                .with_configuration(configuration.map(|(key, value)| (key, Some(value))))
                .await?;
        }
        Ok(Self { table })
    }

    /// The last archived position.
    pub(crate) async fn watermark(&self) -> Result<Position, LakeError> {
        let log_store = self.table.log_store();
        let version = self.table.snapshot()?.transaction_version(log_store.as_ref(), APPLICATION).await?;
        Ok(version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0))
    }

    /// The table's files.
    pub(crate) fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        self.table
            .snapshot()?
            .log_data()
            .iter()
            .map(|view| {
                let path = view.path().into_owned();
                let bytes = u64::try_from(view.size()).unwrap_or(0);
                let statistics = view.stats().unwrap_or_default();
                DataFile::from_delta(path.clone(), bytes, &statistics).ok_or_else(|| {
                    LakeError::Storage(format!("file `{path}` has no usable statistics in the Delta log"))
                })
            })
            .collect()
    }

    /// Adds files that bring the table up to `watermark`, all in one commit.
    pub(crate) async fn append(&mut self, added: &[DataFile], watermark: Position) -> Result<(), LakeError> {
        let actions = added.iter().map(|file| Action::Add(add(file, true))).collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DATE.to_owned()]),
            predicate: None,
        };
        let transaction = Transaction::new(APPLICATION, watermark.cast_signed());
        self.commit(actions, operation, CommitProperties::default().with_application_transaction(transaction)).await
    }

    /// Puts merged files in the place of those they were merged from.
    pub(crate) async fn replace(&mut self, removed: &[DataFile], added: &[DataFile]) -> Result<(), LakeError> {
        let mut actions: Vec<Action> = removed.iter().map(|file| Action::Remove(remove(file))).collect();
        actions.extend(added.iter().map(|file| Action::Add(add(file, false))));
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        self.commit(actions, operation, CommitProperties::default()).await
    }

    async fn commit(
        &mut self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        properties: CommitProperties,
    ) -> Result<(), LakeError> {
        let begun = std::time::Instant::now();
        let finalized = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(self.table.snapshot()?.snapshot()), self.table.log_store(), operation)
            .await?;
        self.table.state = Some(finalized.snapshot());
        metrics::histogram!("chancery_lake_commit_seconds").record(begun.elapsed().as_secs_f64());
        Ok(())
    }
}

fn partition(file: &DataFile) -> HashMap<String, Option<String>> {
    HashMap::from([(DATE.to_owned(), Some(date_text(file.date)))])
}

fn now_millis() -> i64 {
    chancery_log::system_clock()().as_micros() / 1000
}

fn add(file: &DataFile, data_change: bool) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: partition(file),
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

fn remove(file: &DataFile) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(partition(file)),
        size: Some(file.bytes.cast_signed()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}
