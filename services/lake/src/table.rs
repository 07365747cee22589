//! The DataFusion table `events`: Parquet files and batches of a tail, and of them the rows that are visible.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, project_schema};

use crate::Visibility;
use crate::files::{DataFile, object_path};
use crate::schema::events_schema;
use crate::snapshot::Rows;
use crate::visible::{ORGANIZATION, visible};

/// In which order files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Newest first, so that a question for the newest rows can stop early.
    NewestFirst,
    /// Oldest first.
    OldestFirst,
    /// Every file a stream of its own, declared to be sorted by time, to be merged.
    Merge,
}

/// The table.
#[derive(Debug)]
pub(crate) struct EventsTable {
    rows: Rows,
    order: Order,
    visibility: Visibility,
    readers: Arc<CachedParquetFileReaderFactory>,
    store_url: ObjectStoreUrl,
}

impl EventsTable {
    pub(crate) fn new(
        rows: Rows,
        order: Order,
        visibility: Visibility,
        readers: Arc<CachedParquetFileReaderFactory>,
        store_url: ObjectStoreUrl,
    ) -> Self {
        Self { rows, order, visibility, readers, store_url }
    }

    /// The files, divided among `partitions` readers.
    fn groups(&self, partitions: usize) -> Vec<FileGroup> {
        let mut files: Vec<&DataFile> = self.rows.files.iter().collect();
        match self.order {
            Order::NewestFirst => files.sort_by_key(|file| std::cmp::Reverse(file.times.1)),
            Order::OldestFirst | Order::Merge => files.sort_by_key(|file| file.times.0),
        }
        let count = if self.order == Order::Merge { files.len() } else { partitions.min(files.len()).max(1) };
        let mut groups = vec![Vec::new(); count];
        for (index, file) in files.into_iter().enumerate() {
            if let Some(group) = groups.get_mut(index % count) {
                group.push(partitioned(file));
            }
        }
        groups.into_iter().map(FileGroup::new).collect()
    }

    fn files_plan(&self, state: &dyn Session, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let options = state.config_options().execution.parquet.clone();
        let source = ParquetSource::new(self.schema())
            .with_table_parquet_options(datafusion::common::config::TableParquetOptions {
                global: options,
                ..Default::default()
            })
            .with_parquet_file_reader_factory(self.readers.clone());
        let mut scan = FileScanConfigBuilder::new(self.store_url.clone(), Arc::new(source))
            .with_file_groups(self.groups(state.config().target_partitions()))
            .with_statistics(statistics(&self.rows.files))
            .with_projection_indices(projection.cloned())?;
        if self.order == Order::Merge {
            scan = scan.with_output_ordering(vec![by_time(&self.schema())?]);
        }
        Ok(DataSourceExec::from_data_source(scan.build()))
    }

    /// Files and tail, visible or not.
    fn all_rows(&self, state: &dyn Session, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut inputs = Vec::new();
        if !self.rows.files.is_empty() {
            inputs.push(self.files_plan(state, projection)?);
        }
        if !self.rows.tail.is_empty() {
            let tail = self.rows.tail.clone();
            let mut source = MemorySourceConfig::try_new(&[tail], self.schema(), projection.cloned())?;
            if self.order == Order::Merge {
                source = source.try_with_sort_information(vec![by_time(&self.schema())?])?;
            }
            inputs.push(DataSourceExec::from_data_source(source));
        }
        match inputs.len() {
            0 => self.no_rows(projection),
            1 => inputs.pop().ok_or_else(|| datafusion::common::internal_datafusion_err!("one input")),
            _ => UnionExec::try_new(inputs),
        }
    }

    fn no_rows(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(EmptyExec::new(project_schema(&self.schema(), projection)?)))
    }
}

#[async_trait]
impl TableProvider for EventsTable {
    fn schema(&self) -> SchemaRef {
        events_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The filter stays above the scan; DataFusion hands it down to the Parquet reader as a physical
        // expression, where it prunes files, row groups and pages.
        Ok(vec![TableProviderFilterPushDown::Unsupported; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let of_files = self.visibility == Visibility::All && self.rows.tail.is_empty();
        of_files.then(|| statistics(&self.rows.files))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match &self.visibility {
            Visibility::All => self.all_rows(state, projection),
            Visibility::Organizations(none) if none.is_empty() => self.no_rows(projection),
            Visibility::Organizations(organizations) => {
                let schema = self.schema();
                let mut columns = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
                let wanted = columns.len();
                let organization = schema.index_of(ORGANIZATION)?;
                if !columns.contains(&organization) {
                    columns.push(organization);
                }
                visible(self.all_rows(state, Some(&columns))?, organizations, wanted)
            }
        }
    }
}

fn by_time(schema: &SchemaRef) -> Result<LexOrdering> {
    let ascending =
        |name: &str| Ok::<_, datafusion::error::DataFusionError>(PhysicalSortExpr::new_default(col(name, schema)?));
    LexOrdering::new([ascending("occurred_at")?, ascending("position")?])
        .ok_or_else(|| datafusion::common::internal_datafusion_err!("an ordering of two columns"))
}

fn partitioned(file: &DataFile) -> PartitionedFile {
    let mut partitioned = PartitionedFile::new(file.path.clone(), file.bytes);
    partitioned.object_meta.location = object_path(file);
    partitioned.with_statistics(Arc::new(statistics(std::slice::from_ref(file))))
}

/// Exact row counts and the bounds of time and position.
fn statistics(files: &[DataFile]) -> Statistics {
    let schema = events_schema();
    let mut statistics = Statistics::new_unknown(&schema);
    statistics.num_rows = Precision::Exact(files.iter().map(|file| file.rows).sum());
    let time = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    let position = |position| ScalarValue::Int64(Some(position));
    let bounds = [
        (
            "occurred_at",
            files.iter().map(|f| f.times.0).min().map(time),
            files.iter().map(|f| f.times.1).max().map(time),
        ),
        (
            "position",
            files.iter().map(|f| f.positions.0).min().map(position),
            files.iter().map(|f| f.positions.1).max().map(position),
        ),
    ];
    for (name, minimum, maximum) in bounds {
        let Ok(index) = schema.index_of(name) else { continue };
        if let (Some(column), Some(minimum), Some(maximum)) =
            (statistics.column_statistics.get_mut(index), minimum, maximum)
        {
            *column = ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: Precision::Exact(minimum),
                max_value: Precision::Exact(maximum),
                ..ColumnStatistics::new_unknown()
            };
        }
    }
    statistics
}
