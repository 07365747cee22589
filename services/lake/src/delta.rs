//! The Delta log: which files make up the table, and how far the log is archived.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_log::{Frontier, Position, partition};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, StructType, Transaction};
use deltalake::logstore::{LogStore, get_actions};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt, stream};

use crate::LakeError;
use crate::actions::{APPLICATION, add, data_file, remove};
use crate::files::DataFile;
use crate::schema::{DATE, delta_schema};
use crate::snapshot::Content;
use crate::store::Store;

/// How often a commit is tried when other nodes' commits come between.
const ATTEMPTS: u32 = 40;
/// How often commits are looked for by listing, too: the next one may have been cleaned up if we slept for days.
const LIST_EVERY: Duration = Duration::from_mins(1);
const READS_AT_ONCE: usize = 8;

/// Part of a partition: what stands after one position up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) after: Position,
    pub(crate) last: Position,
}

/// The open table.
///
/// Several nodes commit to it. Each commit is put on the condition that its version does not exist, and only after what
/// it builds on was checked against the version just before it: a batch must begin where the table ends, files to be
/// replaced must still be there. Nobody but us checks the latter: to Delta two merges of one file are no conflict.
pub(crate) struct DeltaLog {
    table: DeltaTable,
    content: Content,
    listed: Instant,
}

impl DeltaLog {
    /// Opens the table, creating it when there is none.
    pub(crate) async fn open(store: &Store, partitions: u16) -> Result<Self, LakeError> {
        let mut table = store.table()?;
        if !table.verify_deltatable_existence().await? {
            let created = create(table.clone()).await;
            // Another node may have created it at the same moment.
            if !table.verify_deltatable_existence().await? {
                created?;
            }
        }
        table.load().await?;
        let content = content(&table, partitions).await?;
        Ok(Self { table, content, listed: Instant::now() })
    }

    /// What is in the table.
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Takes note of the commits of other nodes.
    pub(crate) async fn update(&mut self) -> Result<(), LakeError> {
        let known = self.table.version().unwrap_or_default();
        let (mut newest, mut content) = (known, self.content.clone());
        while let Some(commit) = self.table.log_store().read_commit_entry(newest + 1).await? {
            newest += 1;
            content.apply(&get_actions(newest, &commit)?)?;
        }
        if newest > known {
            let mut table = self.table.clone();
            table.update_incremental(Some(newest)).await?;
            (self.table, self.content) = (table, content);
        } else if self.listed.elapsed() > LIST_EVERY {
            self.reload().await?;
        }
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), LakeError> {
        let mut table = self.table.clone();
        table.update_incremental(None).await?;
        if table.version() != self.table.version() {
            self.content = content(&table, self.content.watermark.partitions()).await?;
            self.table = table;
        }
        self.listed = Instant::now();
        Ok(())
    }

    /// Adds files that hold `spans`, all in one commit; `false` if another node was there before.
    pub(crate) async fn append(&mut self, added: &[DataFile], spans: &[Span]) -> Result<bool, LakeError> {
        let mut actions: Vec<Action> = added.iter().map(|file| Action::Add(add(file, true))).collect();
        actions.extend(spans.iter().map(|span| {
            let application = format!("{APPLICATION}{}", partition(span.last));
            Action::Txn(Transaction::new(application, span.last.cast_signed()))
        }));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DATE.to_owned()]),
            predicate: None,
        };
        let begins_at_the_end =
            |content: &Content| spans.iter().all(|span| content.watermark.of(partition(span.after)) == span.after);
        self.commit_if(begins_at_the_end, actions, operation).await
    }

    /// Puts a merged file in the place of those it was merged from; `false` if they are not all there any more.
    pub(crate) async fn replace(&mut self, removed: &[DataFile], merged: &DataFile) -> Result<bool, LakeError> {
        let mut actions: Vec<Action> = removed.iter().map(|file| Action::Remove(remove(file))).collect();
        actions.push(Action::Add(add(merged, false)));
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        let all_there = |content: &Content| {
            let paths: HashSet<&str> = content.files.iter().map(|file| file.path.as_str()).collect();
            removed.iter().all(|file| paths.contains(file.path.as_str()))
        };
        self.commit_if(all_there, actions, operation).await
    }

    /// Paths of the files that were replaced after a moment, in milliseconds.
    pub(crate) async fn replaced_since(&self, moment: i64) -> Result<HashSet<String>, LakeError> {
        let log_store = self.table.log_store();
        let tombstones = self.table.snapshot()?.all_tombstones(log_store.as_ref());
        let recent = tombstones.try_filter_map(|tombstone| async move {
            let recent = tombstone.deletion_timestamp().is_none_or(|deleted| deleted > moment);
            Ok(recent.then(|| tombstone.path().into_owned()))
        });
        Ok(recent.try_collect().await?)
    }

    /// Commits while `holds` is true of the version before; `false` when it is not.
    async fn commit_if(
        &mut self,
        holds: impl Fn(&Content) -> bool,
        actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<bool, LakeError> {
        let begun = Instant::now();
        for attempt in 0..ATTEMPTS {
            if !holds(&self.content) {
                return Ok(false);
            }
            if self.commit(&actions, operation.clone()).await? {
                metrics::histogram!("chancery_lake_commit_seconds").record(begun.elapsed().as_secs_f64());
                return Ok(true);
            }
            metrics::counter!("chancery_lake_commit_conflicts_total").increment(1);
            tokio::time::sleep(Duration::from_millis(5 * u64::from(attempt))).await;
            self.update().await?;
        }
        Err(LakeError::Storage("other nodes' commits came first too often".to_owned()))
    }

    /// Tries to commit as the very next version; `false` if there is one already.
    async fn commit(&mut self, actions: &[Action], operation: DeltaOperation) -> Result<bool, LakeError> {
        let committed = CommitBuilder::from(CommitProperties::default().with_max_retries(0))
            .with_actions(actions.to_vec())
            .build(Some(self.table.snapshot()?.snapshot()), self.table.log_store(), operation)
            .await;
        match committed {
            Ok(committed) => {
                self.content.apply(actions)?;
                self.table.state = Some(committed.snapshot());
                Ok(true)
            }
            Err(DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

async fn create(table: DeltaTable) -> Result<(), LakeError> {
    let schema: StructType =
        (&delta_schema()).try_into_kernel().map_err(|error| LakeError::Storage(format!("schema: {error}")))?;
    let configuration = [
        ("delta.checkpointInterval", "50"),
        ("delta.logRetentionDuration", "interval 1 day"),
        ("delta.dataSkippingNumIndexedCols", "2"),
    ];
    table
        .create()
        .with_table_name("events")
        .with_comment("Audit events; the column `event` holds the canonical bytes")
        .with_columns(schema.fields().cloned())
        .with_partition_columns([DATE])
        .with_configuration(configuration.map(|(key, value)| (key, Some(value))))
        .await?;
    Ok(())
}

/// Reads all of a loaded table's content.
async fn content(table: &DeltaTable, partitions: u16) -> Result<Content, LakeError> {
    let state = table.snapshot()?;
    let log_data = state.log_data();
    let files = log_data.iter().map(|view| {
        let bytes = u64::try_from(view.size()).unwrap_or(0);
        data_file(view.path().into_owned(), bytes, &view.stats().unwrap_or_default())
    });
    let files = Arc::new(files.collect::<Result<Vec<_>, _>>()?);
    let log_store = table.log_store();
    let versions = stream::iter(0..partitions)
        .map(|partition| state.transaction_version(log_store.as_ref(), format!("{APPLICATION}{partition}")))
        .buffered(READS_AT_ONCE);
    let mut watermark = Frontier::start(partitions);
    let versions: Vec<Option<i64>> = versions.try_collect().await?;
    versions.into_iter().flatten().for_each(|version| watermark.advance(version.cast_unsigned()));
    Ok(Content { files, watermark })
}
