//! The calls to a table: their results and the units that they used.

use std::collections::BTreeMap;
use std::fmt;

/// An operation of DynamoDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "DynamoDB's names")]
pub enum Operation {
    GetItem,
    BatchGetItem,
    Query,
    PutItem,
    UpdateItem,
    DeleteItem,
    TransactWriteItems,
}

/// Statistics of one operation or of several.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallStats {
    /// Successful calls.
    pub succeeded: u32,
    /// Calls that were rejected or cancelled because of a transaction in progress.
    pub conflicts: u32,
    /// Calls whose condition did not hold.
    pub failed_conditions: u32,
    /// The units of successful calls: read units of reads, write units of writes.
    pub used_units: f64,
    /// The write units of failed calls.
    pub wasted_units: f64,
}

/// Calls by operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallReport(BTreeMap<Operation, CallStats>);

impl CallReport {
    /// The statistics of one operation.
    pub fn stats(&self, operation: Operation) -> CallStats {
        self.0.get(&operation).copied().unwrap_or_default()
    }

    /// The statistics of all writes, plain ones and transactions.
    pub fn writes(&self) -> CallStats {
        let writes = self.0.range(Operation::PutItem..).map(|(_, stats)| *stats);
        writes.fold(CallStats::default(), CallStats::merge)
    }

    /// The write units wasted for each one used.
    pub fn waste_ratio(&self) -> f64 {
        let CallStats { used_units: used, wasted_units: wasted, .. } = self.writes();
        if wasted == 0.0 { 0.0 } else { wasted / used }
    }

    pub(super) fn record_success(&mut self, operation: Operation, units: f64) {
        let stats = self.0.entry(operation).or_default();
        stats.succeeded += 1;
        stats.used_units += units;
    }

    pub(super) fn record_conflict(&mut self, operation: Operation, units: f64) {
        let stats = self.0.entry(operation).or_default();
        stats.conflicts += 1;
        stats.wasted_units += units;
    }

    pub(super) fn record_failed_condition(&mut self, operation: Operation, units: f64) {
        let stats = self.0.entry(operation).or_default();
        stats.failed_conditions += 1;
        stats.wasted_units += units;
    }
}

impl CallStats {
    fn merge(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            conflicts: self.conflicts + other.conflicts,
            failed_conditions: self.failed_conditions + other.failed_conditions,
            used_units: self.used_units + other.used_units,
            wasted_units: self.wasted_units + other.wasted_units,
        }
    }
}

impl fmt::Display for CallStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { succeeded, conflicts, failed_conditions, used_units: used, wasted_units: wasted } = self;
        write!(
            f,
            "{succeeded} succeeded ({used} units), {conflicts} conflicts, {failed_conditions} failed conditions \
             ({wasted} units wasted)"
        )
    }
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes: {}, {:.1} % wasted", self.writes(), 100.0 * self.waste_ratio())?;
        self.0.iter().try_for_each(|(operation, stats)| write!(f, "\n  {operation:?}: {stats}"))
    }
}
