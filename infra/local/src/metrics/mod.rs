//! The server's metrics, in OpenMetrics text format at an address of their own (`--metrics`).
//!
//! The gateway counts every request, also those that it answers itself, by the route's key in `openapi.yaml`. Nothing
//! that a client sends is a label, so that no client can increase the number of series. `table.rs` counts calls to the
//! table. Open work is not counted continuously, but read when the metrics are.

mod listener;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use imageshare::http::ErrorInfo;
use imageshare::store::{OPEN_SHARDS, Store, StoreError};
use imageshare::table::Table;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use self::listener::serve;
use self::table::{CountedTable, TableCounters};
use crate::table::Lane;

/// The buckets of durations, in seconds. Most requests take a few milliseconds; a function's timeout is 29 seconds.
const DURATION_BUCKETS: [f64; 11] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 29.0];

/// The maximum number of work items that are read from a shard of the index.
const MAX_ITEMS_PER_SHARD: usize = 1_000;

/// The operation and result of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: String,
    status: u16,
    /// The error's code; empty without an error.
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: String,
}

/// All metrics of a server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    open_work: Gauge,
    oldest_open_work: Gauge<f64, std::sync::atomic::AtomicU64>,
    table: TableCounters,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("imageshare");
        let requests = Family::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram);
        let (open_work, oldest_open_work) = (Gauge::default(), Gauge::default());
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of the server", version);
        registry.register(
            "requests",
            "Requests by operation, HTTP status and error code",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its response",
            Unit::Seconds,
            Family::clone(&durations),
        );
        registry.register(
            "open_work_items",
            "Work items of jobs that have not ended; counted up to 1000 in each shard of their index",
            Gauge::clone(&open_work),
        );
        registry.register_with_unit(
            "oldest_open_work_age",
            "Age of the oldest job with an open work item; 0 without one",
            Unit::Seconds,
            Gauge::clone(&oldest_open_work),
        );
        let table = TableCounters::register(&mut registry);
        Self { registry, requests, durations, open_work, oldest_open_work, table }
    }
}

impl Metrics {
    /// Counts a request to that operation, and its duration.
    pub fn count_request<B>(&self, operation: &str, response: &Response<B>, duration: Duration) {
        let code = response.extensions().get::<ErrorInfo>().map(|problem| problem.code.clone());
        let labels = RequestLabels {
            operation: operation.to_owned(),
            status: response.status().as_u16(),
            code: code.unwrap_or_default(),
        };
        self.requests.get_or_create(&labels).inc();
        let operation = OperationLabel { operation: labels.operation };
        self.durations.get_or_create(&operation).observe(duration.as_secs_f64());
    }

    /// Wraps a table, and counts its calls under that lane.
    pub(crate) fn counted_table(&self, table: Arc<dyn Table>, lane: Lane) -> CountedTable {
        self.table.counted_table(table, lane)
    }

    /// Encodes all metrics in OpenMetrics text format. Reads the open work first: one query for each shard of the
    /// index.
    ///
    /// # Errors
    /// [`StoreError`] if the open work cannot be read.
    pub(crate) async fn encode(&self, store: &Store) -> Result<String, StoreError> {
        self.update_open_work(store).await?;
        let mut output = String::new();
        // Writing to a `String` never fails.
        let _ = text::encode(&mut output, &self.registry);
        Ok(output)
    }

    async fn update_open_work(&self, store: &Store) -> Result<(), StoreError> {
        let (mut count, mut oldest) = (0, None);
        for shard in 0..OPEN_SHARDS {
            let items = store.open_work_items(shard, None, MAX_ITEMS_PER_SHARD).await?;
            count += items.len();
            oldest = oldest.into_iter().chain(items.iter().map(|item| item.job.0.time())).min();
        }
        self.open_work.set(i64::try_from(count).unwrap_or(i64::MAX));
        let now = store.clock().now().unix_millis();
        let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest.unix_millis()).max(0));
        let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
        self.oldest_open_work.set(age.as_secs_f64());
        Ok(())
    }
}
