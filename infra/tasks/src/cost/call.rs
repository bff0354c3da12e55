//! The price of a million of one call.

use serde::Serialize;

use super::inputs::{Inputs, MeasuredCall};
use super::units::{self, Units};

/// The bytes of a gigabyte, as AWS counts them.
pub(super) const GIGABYTE: f64 = 1_073_741_824.0;

/// Millions of calls: one million, so that a price of one call in dollars is that of a million in millionths.
const MILLION: f64 = 1_000_000.0;

/// The days after which a log's storage is paid a month at a time.
const DAYS_OF_A_MONTH: f64 = 30.0;

/// What a million of a call cost, in dollars.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CallCost {
    pub(super) call: String,
    pub(super) write_units: f64,
    pub(super) read_units: f64,
    /// The duration of one invocation that is billed.
    pub(super) billed_ms: f64,
    /// The bytes that one call logs: the function's lines and the API's.
    pub(super) log_bytes: u32,
    pub(super) api: f64,
    pub(super) lambda: f64,
    pub(super) table: f64,
    pub(super) logs: f64,
    /// Events on the bus.
    pub(super) events: f64,
    /// Responses to the internet. Not in the total, since 100 GB a month are free and clients may be in AWS.
    pub(super) data_out: f64,
}

impl CallCost {
    /// Computes the cost of a call that was measured and has a budget.
    ///
    /// # Errors
    /// There is no such call in the measurement or the budget.
    pub(super) fn new(inputs: &Inputs, call: &str) -> Result<Self, String> {
        let missing = |from: &str| format!("{from} has no call {call:?}");
        let measured =
            inputs.measured.calls.get(call).ok_or_else(|| missing("infra/aws/cost/measured.json"))?;
        let units = *inputs.units.get(call).ok_or_else(|| missing(units::PAGE))?;
        let prices = &inputs.prices.prices;
        let (billed_ms, log_bytes) = (billed_ms(inputs, measured), log_bytes(inputs, measured)?);
        Ok(Self {
            call: call.to_owned(),
            write_units: units.write,
            read_units: units.read,
            billed_ms,
            log_bytes,
            api: if measured.route.is_some() { prices.http_api_requests_million } else { 0.0 },
            lambda: lambda_price(inputs, billed_ms)?,
            table: table_price(inputs, units),
            events: f64::from(measured.events) * prices.custom_events_million,
            logs: log_price(inputs, f64::from(log_bytes) * MILLION),
            data_out: f64::from(measured.response_bytes) * MILLION / GIGABYTE * prices.data_out_gb,
        })
    }

    /// The price of a million, all in.
    pub(super) fn total(&self) -> f64 {
        self.api + self.lambda + self.table + self.logs + self.events
    }
}

/// The price of a million times these units.
pub(super) fn table_price(inputs: &Inputs, units: Units) -> f64 {
    let prices = &inputs.prices.prices;
    units.write * prices.table_write_units_million + units.read * prices.table_read_units_million
}

/// The duration of an invocation, in whole milliseconds: its calls to the table and the bus, one after the other, and its processor time on the
/// part of a processor that the function has.
fn billed_ms(inputs: &Inputs, measured: &MeasuredCall) -> f64 {
    let latency = &inputs.assumptions.table_latency;
    let waits = f64::from(measured.reads) * latency.read_ms
        + f64::from(measured.writes) * latency.write_ms
        + f64::from(measured.transactions) * latency.transaction_ms
        + f64::from(measured.publishes) * inputs.assumptions.bus_latency.publish_ms;
    let share = f64::from(inputs.module.memory_mb) / inputs.assumptions.processor.memory_mb_of_one_processor;
    (waits + f64::from(measured.processor_us) / 1000.0 / share.min(1.0)).ceil()
}

/// The gigabyte-seconds of an invocation.
pub(super) fn gigabyte_seconds(inputs: &Inputs, billed_ms: f64) -> f64 {
    f64::from(inputs.module.memory_mb) / 1024.0 * billed_ms / 1000.0
}

/// The price of a million invocations.
fn lambda_price(inputs: &Inputs, billed_ms: f64) -> Result<f64, String> {
    let prices = &inputs.prices.prices;
    let seconds = gigabyte_seconds(inputs, billed_ms) * MILLION;
    Ok(prices.lambda_requests_million + seconds * gigabyte_second_price(inputs)?)
}

/// The price of a gigabyte-second on the module's architecture.
///
/// # Errors
/// The price list does not have it.
pub(super) fn gigabyte_second_price(inputs: &Inputs) -> Result<f64, String> {
    let architecture = &inputs.module.architecture;
    let price = inputs.prices.prices.lambda_gb_second.get(architecture);
    price.copied().ok_or_else(|| format!("the price list has no lambda_gb_second for {architecture}"))
}

/// The price of logging so many bytes, and of keeping them as long as the module does.
fn log_price(inputs: &Inputs, bytes: f64) -> f64 {
    let months = f64::from(inputs.module.log_retention_days) / DAYS_OF_A_MONTH;
    let stored = inputs.assumptions.logs.stored_share * months * inputs.prices.prices.log_storage_gb_month;
    bytes / GIGABYTE * (inputs.prices.prices.log_ingestion_gb + stored)
}

/// The bytes that CloudWatch counts for a call: what the function logs, and a line of the API's access log for a request.
fn log_bytes(inputs: &Inputs, measured: &MeasuredCall) -> Result<u32, String> {
    let overhead = inputs.assumptions.logs.overhead_bytes;
    let own = if measured.log_bytes == 0 { 0 } else { measured.log_bytes + overhead };
    let Some(access) = access_log_line(inputs, measured)? else { return Ok(own) };
    Ok(own + overhead + u32::try_from(access.len()).map_err(|_| "a log line is too long")?)
}

/// The access log's line of a request, in the module's format; none for a call that is no request.
///
/// # Errors
/// The format has a variable of unknown value.
pub(super) fn access_log_line(inputs: &Inputs, measured: &MeasuredCall) -> Result<Option<String>, String> {
    let (Some(route), Some(path), Some(status)) = (&measured.route, &measured.path, measured.status) else {
        return Ok(None);
    };
    let value = |variable: &str| {
        match variable {
        "$context.httpMethod" => Ok(route.split(' ').next().unwrap_or_default().to_owned()),
        "$context.path" => Ok(path.clone()),
        "$context.routeKey" => Ok(route.clone()),
        "$context.status" => Ok(status.to_string()),
        other => inputs.assumptions.access_log.get(other).cloned().ok_or_else(|| {
            format!("the access log in infra/aws/api.tf has {other}: add a value to infra/aws/cost/assumptions.json")
        }),
    }
    };
    let fields = inputs.module.access_log.iter();
    let fields = fields.map(|(name, variable)| Ok(format!("\"{name}\":\"{}\"", value(variable)?)));
    Ok(Some(format!("{{{}}}", fields.collect::<Result<Vec<_>, String>>()?.join(","))))
}
