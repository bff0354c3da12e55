//! The verdict of a rule on a pair, and what it rests on.

use super::guard::Guard;
use crate::domain::Outcome;

/// Whether a rule is satisfied. Both results say what they rest on.
pub(super) type Verdict = Result<Basis, Violation>;

/// A rule that is not satisfied, so that the pair fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The outcome of the pair.
    pub(super) outcome: Outcome,
    /// What the failure rests on.
    pub(super) basis: Basis,
}

/// What a verdict rests on. A verdict without a guard has to give the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Basis {
    /// These must still be true when the plan is committed.
    Guards(Vec<Guard>),
    /// Nothing has to hold, for that reason.
    Unguarded(Unguarded),
}

/// Why a verdict needs no guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unguarded {
    /// The limit is approximate by design, and protects an inbox (`contract/decisions.md` 12).
    Approximate,
    /// What was read never changes again.
    Final,
    /// A change between the read and the commit leaves the table as the same change after the commit would: it ends no
    /// membership, or its own job does.
    ChangeMayFollow,
    /// Nothing is written, and the verdict rests on one item, for which it was true when the item was read.
    TrueWhenRead,
}

impl Basis {
    /// Its guards.
    pub(super) fn into_guards(self) -> Vec<Guard> {
        match self {
            Self::Guards(guards) => guards,
            Self::Unguarded(_) => Vec::new(),
        }
    }
}

impl From<Guard> for Basis {
    fn from(guard: Guard) -> Self {
        Self::Guards(vec![guard])
    }
}

impl From<Unguarded> for Basis {
    fn from(reason: Unguarded) -> Self {
        Self::Unguarded(reason)
    }
}

/// The verdict that a rule is violated.
pub(super) fn violation(outcome: Outcome, basis: impl Into<Basis>) -> Verdict {
    Err(Violation { outcome, basis: basis.into() })
}
