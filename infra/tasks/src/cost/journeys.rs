//! The calls that are priced, what a client does with them, and what they may cost.

use serde::Serialize;

use super::call::CallCost;

const SHARE_ONE: &str = "share 1 image with 1 project that received before";
const SHARE_FIVE: &str = "share 1 image with 5 projects that received before";
const SHOW_JOB: &str = "show a job of 1 pair";
const ACCEPT: &str = "accept 1 image";
const GLANCE_ADD: &str = "Glance: add a member, known to have received from this owner";
const GLANCE_ACCEPT: &str = "Glance: accept";
const BATCH: &str = "share 100 images with 100 projects: request";
const WORK_ITEM: &str = "… one of its 50 work items of 200 pairs";
const AFTER_SHARE_ONE: &str = "what follows from a share with 1 project";
const AFTER_SHARE_FIVE: &str = "what follows from a share with 5 projects";
const AFTER_ACCEPT: &str = "what follows from accepting 1 image";
const LIST: &str = "page of 100 pending images";

/// The calls that are priced, in the order of the table.
pub(super) const CALLS: [&str; 20] = [
    SHARE_ONE,
    "share 1 image with 1 project",
    SHARE_FIVE,
    "share 1 image with 5 projects",
    ACCEPT,
    SHOW_JOB,
    GLANCE_ADD,
    GLANCE_ACCEPT,
    "Glance: remove a member",
    "Alibaba: share 1 image with 1 account",
    "register an image",
    "show an image",
    LIST,
    "page of 100 members of an image",
    BATCH,
    WORK_ITEM,
    "sweep without open work",
    AFTER_SHARE_ONE,
    AFTER_SHARE_FIVE,
    AFTER_ACCEPT,
];

/// A sequence of calls, each with how often it is made.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) name: &'static str,
    pub(super) calls: &'static [(u32, &'static str)],
    /// The price is divided by this.
    pub(super) parts: u32,
}

/// What clients do.
pub(super) const JOURNEYS: [Journey; 9] = [
    Journey {
        name: "share with 1 project, and read the job once",
        calls: &[(1, SHARE_ONE), (1, SHOW_JOB)],
        parts: 1,
    },
    Journey {
        name: "share with 5 projects, and read the job once",
        calls: &[(1, SHARE_FIVE), (1, SHOW_JOB)],
        parts: 1,
    },
    Journey { name: "accept, and read the job once", calls: &[(1, ACCEPT), (1, SHOW_JOB)], parts: 1 },
    Journey {
        name: "the whole way with 1 project: share, accept, both jobs read once",
        calls: &[(1, SHARE_ONE), (1, ACCEPT), (2, SHOW_JOB)],
        parts: 1,
    },
    Journey {
        name: "the whole way with 5 projects: share, 5 × accept, all jobs read once",
        calls: &[(1, SHARE_FIVE), (5, ACCEPT), (6, SHOW_JOB)],
        parts: 1,
    },
    Journey {
        name: "the same with 1 project, with its events and messages",
        calls: &[(1, SHARE_ONE), (1, ACCEPT), (2, SHOW_JOB), (1, AFTER_SHARE_ONE), (1, AFTER_ACCEPT)],
        parts: 1,
    },
    Journey {
        name: "the same with 5 projects, with its events and messages",
        calls: &[(1, SHARE_FIVE), (5, ACCEPT), (6, SHOW_JOB), (1, AFTER_SHARE_FIVE), (5, AFTER_ACCEPT)],
        parts: 1,
    },
    Journey {
        name: "Glance's whole way: add, accept",
        calls: &[(1, GLANCE_ADD), (1, GLANCE_ACCEPT)],
        parts: 1,
    },
    Journey { name: "a pair of a batch of 100 × 100", calls: &[(1, BATCH), (50, WORK_ITEM)], parts: 10_000 },
];

impl Journey {
    /// The price of a million, from that of its calls.
    ///
    /// # Errors
    /// One of its calls is not priced.
    pub(super) fn cost(&self, calls: &[CallCost]) -> Result<f64, String> {
        let mut sum = 0.0;
        for (times, name) in self.calls {
            sum += f64::from(*times) * find(calls, name)?.total();
        }
        Ok(sum / f64::from(self.parts))
    }
}

/// Finds the cost of a call.
///
/// # Errors
/// It is not priced.
pub(super) fn find<'a>(calls: &'a [CallCost], name: &str) -> Result<&'a CallCost, String> {
    calls.iter().find(|call| call.call == name).ok_or_else(|| format!("the call {name:?} is not priced"))
}

/// What a million of a call should cost at most, in dollars.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    pub(super) call: &'static str,
    pub(super) wanted: f64,
    /// What it may cost now, which a test holds: more than is wanted where the target is missed.
    pub(super) limit: f64,
    pub(super) cost: f64,
}

/// Computes the targets.
///
/// # Errors
/// One of their calls is not priced.
pub(super) fn targets(calls: &[CallCost]) -> Result<Vec<Target>, String> {
    let targets =
        [(SHARE_ONE, 6.0, 6.0), (SHARE_FIVE, 14.5, 14.5), (GLANCE_ADD, 5.0, 5.4), (GLANCE_ACCEPT, 3.5, 4.8)];
    let target = |(call, wanted, limit)| Ok(Target { call, wanted, limit, cost: find(calls, call)?.total() });
    targets.into_iter().map(target).collect()
}
