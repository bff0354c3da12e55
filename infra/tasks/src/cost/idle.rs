//! What a deployment costs in a month in which nobody calls it.

use serde::Serialize;

use super::call::{CallCost, GIGABYTE, gigabyte_second_price, gigabyte_seconds, table_price};
use super::inputs::Inputs;
use super::units::Units;

/// The call that the schedule makes.
const SWEEP: &str = "sweep without open work";

/// One item of a month's bill, in dollars.
#[derive(Debug, Clone, Serialize)]
pub(super) struct IdleItem {
    pub(super) item: String,
    pub(super) list: f64,
    /// With what an account has for nothing each month, if nothing else in it uses that.
    pub(super) after_free: f64,
}

/// Computes the items of an idle month.
///
/// # Errors
/// The sweep was not measured, or has no budget.
pub(super) fn items(inputs: &Inputs) -> Result<Vec<IdleItem>, String> {
    let (module, prices, free) = (&inputs.module, &inputs.prices.prices, &inputs.prices.free_each_month);
    let sweep = CallCost::new(inputs, SWEEP)?;
    let sweeps = f64::from(inputs.assumptions.month_days * 24 * 60 / module.sweep_minutes);
    let seconds = sweeps * gigabyte_seconds(inputs, sweep.billed_ms);
    let lambda = |requests: f64, seconds: f64| -> Result<f64, String> {
        let seconds = seconds * gigabyte_second_price(inputs)?;
        Ok(requests / 1e6 * prices.lambda_requests_million + seconds)
    };
    let units = Units { read: sweep.read_units * sweeps, write: sweep.write_units * sweeps };
    let reads = table_price(inputs, units) / 1e6;
    let alarms = |count: u32| f64::from(count) * prices.alarm_metric_month;
    let dashboards = |count: u32| f64::from(count) * prices.dashboard_month;
    let log_gigabytes = f64::from(sweep.log_bytes) * sweeps / GIGABYTE;
    let paid_share = if log_gigabytes > free.log_gb { 1.0 - free.log_gb / log_gigabytes } else { 0.0 };
    let logs = sweep.logs * sweeps / 1e6;
    let item = |item: String, list: f64, after_free: f64| IdleItem { item, list, after_free };
    Ok(vec![
        item(
            format!("{sweeps} sweeps: invocations, {:.0} ms each", sweep.billed_ms),
            lambda(sweeps, seconds)?,
            lambda((sweeps - free.lambda_requests).max(0.0), (seconds - free.lambda_gb_seconds).max(0.0))?,
        ),
        item(format!("{sweeps} sweeps: {:.0} read units", units.read), reads, reads),
        item(format!("{sweeps} sweeps: logs, {} bytes each", sweep.log_bytes), logs, logs * paid_share),
        item(
            format!("{} metrics of alarms", module.alarm_metrics),
            alarms(module.alarm_metrics),
            alarms(module.alarm_metrics.saturating_sub(free.alarm_metrics)),
        ),
        item(
            format!("{} dashboard", module.dashboards),
            dashboards(module.dashboards),
            dashboards(module.dashboards.saturating_sub(free.dashboards)),
        ),
    ])
}

/// What grows with the data or is asked for, as prices for a month.
pub(super) fn options(inputs: &Inputs) -> Vec<(String, f64)> {
    let (prices, free) = (&inputs.prices.prices, &inputs.prices.free_each_month);
    vec![
        (
            format!("1 GB in the table, indexes included, beyond {} GB", free.table_storage_gb),
            prices.table_storage_gb_month,
        ),
        ("1 GB of point-in-time recovery, which is on by default".to_owned(), prices.table_recovery_gb_month),
        ("1 GB of stored logs".to_owned(), prices.log_storage_gb_month),
        (format!("1 GB sent to the internet, beyond {} GB", free.data_out_gb), prices.data_out_gb),
        (
            format!("a custom metric while it is sent, beyond {}", free.custom_metrics),
            prices.custom_metric_month,
        ),
        ("a secret in Secrets Manager; a parameter of SSM costs nothing".to_owned(), prices.secret_month),
        ("a customer key of KMS, besides its requests".to_owned(), prices.customer_key_month),
    ]
}
