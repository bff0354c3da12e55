//! What a rule says of a pair, and what that rests on.

use super::guard::Guard;
use crate::domain::Outcome;

/// Whether a rule is kept. Both results say what they rest on.
pub(super) type Verdict = Result<Basis, Violation>;

/// A rule that is broken, so that the pair fails.
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
    /// Nothing has to be.
    Unguarded(Unguarded),
}

/// Why a verdict needs no guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unguarded {
    /// The limit is approximate by design, and protects an inbox (`contract/decisions.md` 12).
    Approximate,
    /// What was read never changes again.
    Final,
    /// A change between read and commit leaves the table as the same change after the commit does: it ends no membership, or
    /// its own job does.
    ChangeMayFollow,
    /// Nothing is written, and the verdict rests on one item, of which it was true when that was read.
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

/// The verdict that a rule is broken.
pub(super) fn violation(outcome: Outcome, basis: impl Into<Basis>) -> Verdict {
    Err(Violation { outcome, basis: basis.into() })
}
