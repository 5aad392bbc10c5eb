//! What a query can see: the views, and no store but the files of the lake.

use std::sync::Arc;

use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use indelible::search::lake::schema;

use crate::files::Files;
use crate::views::{EVENTS, VIEWS};

/// Where the files are for DataFusion.
const STORE: &str = "lake://main";

/// A session with all views, whose queries hold at most `memory` bytes.
///
/// # Errors
/// What DataFusion says; the views are ours, so none is expected.
pub async fn session(files: Files, memory: usize) -> Result<SessionContext, DataFusionError> {
    // Nothing of the log is written anywhere else, not even for a moment.
    let mut no_disk = DiskManagerBuilder::default();
    no_disk.set_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(no_disk)
        .build_arc()?;
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    runtime.register_object_store(ObjectStoreUrl::parse(STORE)?.as_ref(), Arc::new(files));
    let config = SessionConfig::new().with_information_schema(true);
    let session = SessionContext::new_with_config_rt(config, runtime);
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
    let table = ListingTableConfig::new(ListingTableUrl::parse(format!("{STORE}/"))?).with_listing_options(options).with_schema(schema());
    session.register_table(EVENTS, Arc::new(ListingTable::try_new(table)?))?;
    for view in &VIEWS {
        session.sql(&view.statement()).await?;
    }
    Ok(session)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_session_knows_no_file_but_those_of_the_lake() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let session = session(Files::default(), 1 << 20).await.unwrap();
            let stores = session.runtime_env();
            for known in ["file:///etc/", "s3://bucket", "http://host"] {
                let url = ObjectStoreUrl::parse(known).or_else(|_| ObjectStoreUrl::parse("file://")).unwrap();
                assert!(stores.object_store(&url).is_err(), "{known}");
            }
            assert!(session.read_parquet("/etc/passwd", Default::default()).await.is_err());
            assert_eq!(session.sql("SELECT * FROM events").await.unwrap().count().await.unwrap(), 0);
        });
    }
}
