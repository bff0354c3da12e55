//! The inputs of the computation, and the files that they come from.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::module::Module;
use super::units::{self, Units};

/// Everything that a price is computed from.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) prices: PriceList,
    pub(super) measured: Measured,
    pub(super) assumptions: Assumptions,
    /// The units of each call.
    pub(super) units: BTreeMap<String, Units>,
    pub(super) module: Module,
}

impl Inputs {
    /// Reads the files of a workspace, and a price list.
    ///
    /// # Errors
    /// A file cannot be read, or has not what is expected in it; the error names the file.
    pub(super) fn read(workspace: &Path, prices: &Path) -> Result<Self, Box<dyn Error>> {
        let cost = workspace.join("infra/aws/cost");
        Ok(Self {
            prices: read_json(prices)?,
            measured: read_json(&cost.join("measured.json"))?,
            assumptions: read_json(&cost.join("assumptions.json"))?,
            units: units::parse(&read(&workspace.join(units::PAGE))?)?,
            module: Module::read(&workspace.join("infra/aws"))?,
        })
    }
}

/// Reads a file as text.
pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    serde_json::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// A region's prices in US dollars.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceList {
    pub(super) region: String,
    /// When these were the prices.
    pub(super) date: String,
    #[serde(rename = "note")]
    _note: String,
    #[serde(rename = "pages")]
    _pages: Vec<String>,
    pub(super) prices: Prices,
    pub(super) free_each_month: FreeTier,
}

/// Prices, each with its unit in its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) table_write_units_million: f64,
    pub(super) table_read_units_million: f64,
    pub(super) table_storage_gb_month: f64,
    pub(super) table_recovery_gb_month: f64,
    pub(super) http_api_requests_million: f64,
    pub(super) custom_events_million: f64,
    pub(super) lambda_requests_million: f64,
    /// By architecture.
    pub(super) lambda_gb_second: BTreeMap<String, f64>,
    pub(super) log_ingestion_gb: f64,
    pub(super) log_storage_gb_month: f64,
    pub(super) alarm_metric_month: f64,
    pub(super) custom_metric_month: f64,
    pub(super) dashboard_month: f64,
    pub(super) data_out_gb: f64,
    pub(super) secret_month: f64,
    pub(super) customer_key_month: f64,
}

/// What an account has for nothing each month, without an end to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreeTier {
    pub(super) lambda_requests: f64,
    pub(super) lambda_gb_seconds: f64,
    pub(super) alarm_metrics: u32,
    pub(super) custom_metrics: u32,
    pub(super) dashboards: u32,
    pub(super) log_gb: f64,
    pub(super) table_storage_gb: f64,
    pub(super) data_out_gb: f64,
}

/// What was measured at the functions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    pub(super) date: String,
    pub(super) conditions: String,
    pub(super) calls: BTreeMap<String, MeasuredCall>,
}

/// What one call took, on average.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeasuredCall {
    #[serde(rename = "function")]
    _function: String,
    /// The request's route, path and status; none if the call is no request.
    pub(super) route: Option<String>,
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) processor_us: u32,
    pub(super) reads: u32,
    pub(super) writes: u32,
    pub(super) transactions: u32,
    /// Calls to the bus, and the events in them.
    pub(super) publishes: u32,
    pub(super) events: u32,
    pub(super) log_bytes: u32,
    pub(super) response_bytes: u32,
}

/// What is assumed, with the reasons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assumptions {
    pub(super) table_latency: TableLatency,
    pub(super) bus_latency: BusLatency,
    pub(super) processor: Processor,
    pub(super) logs: Logs,
    /// Values of the access log's variables, besides the reason.
    pub(super) access_log: BTreeMap<String, String>,
    pub(super) month_days: u32,
}

/// How long calls to the table take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableLatency {
    #[serde(rename = "why")]
    _why: String,
    pub(super) read_ms: f64,
    pub(super) write_ms: f64,
    pub(super) transaction_ms: f64,
}

/// How long a call to the bus takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BusLatency {
    #[serde(rename = "why")]
    _why: String,
    pub(super) publish_ms: f64,
}

/// The part of a processor that a function has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Processor {
    #[serde(rename = "why")]
    _why: String,
    pub(super) memory_mb_of_one_processor: f64,
}

/// How CloudWatch counts the bytes of logs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    #[serde(rename = "why")]
    _why: String,
    pub(super) overhead_bytes: u32,
    pub(super) stored_share: f64,
}
