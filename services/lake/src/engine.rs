//! DataFusion, set up once: bounded memory, no spilling, cached Parquet footers.

use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::snapshot::Rows;
use crate::store::Store;
use crate::table::{EventsTable, Order};
use crate::{LakeError, LakeOptions, Visibility, functions};

/// Bytes of Parquet footers kept in memory.
const METADATA_CACHE: usize = 48 << 20;

/// What questions run on.
pub(crate) struct Engine {
    runtime: Arc<RuntimeEnv>,
    readers: Arc<CachedParquetFileReaderFactory>,
    store_url: ObjectStoreUrl,
}

impl Engine {
    pub(crate) fn new(store: &Store, options: &LakeOptions) -> Result<Self, LakeError> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.query_memory)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .with_metadata_cache_limit(METADATA_CACHE)
            .build_arc()?;
        let store_url = ObjectStoreUrl::parse("lake://events")?;
        runtime.register_object_store(store_url.as_ref(), store.objects.clone());
        let cache = runtime.cache_manager.get_file_metadata_cache();
        Ok(Self {
            readers: Arc::new(CachedParquetFileReaderFactory::new(store.objects.clone(), cache)),
            runtime,
            store_url,
        })
    }

    /// A session of its own for one question.
    pub(crate) fn session(&self) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_information_schema(false)
            .with_target_partitions(std::thread::available_parallelism().map_or(2, usize::from))
            .with_parquet_pruning(true)
            .with_parquet_bloom_filter_pruning(true)
            .with_parquet_page_index_pruning(true);
        config.options_mut().execution.parquet.pushdown_filters = true;
        config.options_mut().execution.parquet.reorder_filters = true;
        let session = SessionContext::new_with_config_rt(config, self.runtime.clone());
        functions::register(&session);
        session
    }

    /// The table `events` over what is visible of some rows. Nothing else reads them.
    pub(crate) fn table(&self, visibility: &Visibility, rows: Rows, order: Order) -> Arc<EventsTable> {
        let (readers, store_url) = (self.readers.clone(), self.store_url.clone());
        Arc::new(EventsTable::new(rows, order, visibility.clone(), readers, store_url))
    }
}
