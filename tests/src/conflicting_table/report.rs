//! What was called, what came of it, and what it used.

use std::collections::BTreeMap;
use std::fmt;

/// An operation of DynamoDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "DynamoDB's names")]
pub enum Operation {
    GetItem,
    BatchGetItem,
    Query,
    PutItem,
    UpdateItem,
    DeleteItem,
    TransactWriteItems,
}

/// Calls of one operation or of several.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Calls that read or wrote.
    pub made: u32,
    /// Calls that were rejected or cancelled for a transaction under way.
    pub conflicts: u32,
    /// Calls whose condition did not hold.
    pub stale: u32,
    /// The units of the calls that were made: of reads read units, of writes write units.
    pub used: f64,
    /// The write units of the others.
    pub wasted: f64,
}

/// Calls by operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report(BTreeMap<Operation, Tally>);

impl Report {
    /// The calls of one operation.
    pub fn of(&self, operation: Operation) -> Tally {
        self.0.get(&operation).copied().unwrap_or_default()
    }

    /// All writes, plain ones and transactions.
    pub fn writes(&self) -> Tally {
        let writes = self.0.range(Operation::PutItem..).map(|(_, tally)| *tally);
        writes.fold(Tally::default(), Tally::plus)
    }

    /// The units that writes wasted for each one that they used.
    pub fn waste(&self) -> f64 {
        let Tally { used, wasted, .. } = self.writes();
        if wasted == 0.0 { 0.0 } else { wasted / used }
    }

    pub(super) fn made(&mut self, operation: Operation, units: f64) {
        let tally = self.0.entry(operation).or_default();
        tally.made += 1;
        tally.used += units;
    }

    pub(super) fn conflict(&mut self, operation: Operation, units: f64) {
        let tally = self.0.entry(operation).or_default();
        tally.conflicts += 1;
        tally.wasted += units;
    }

    pub(super) fn stale(&mut self, operation: Operation, units: f64) {
        let tally = self.0.entry(operation).or_default();
        tally.stale += 1;
        tally.wasted += units;
    }
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            made: self.made + other.made,
            conflicts: self.conflicts + other.conflicts,
            stale: self.stale + other.stale,
            used: self.used + other.used,
            wasted: self.wasted + other.wasted,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, conflicts, stale, used, wasted } = self;
        write!(f, "{made} made ({used} units), {conflicts} conflicts, {stale} stale ({wasted} units wasted)")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes: {}, {:.1} % wasted", self.writes(), 100.0 * self.waste())?;
        self.0.iter().try_for_each(|(operation, tally)| write!(f, "\n  {operation:?}: {tally}"))
    }
}
