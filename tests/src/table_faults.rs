//! Faults between the service and DynamoDB, beneath the SDK: in the order that a test sets, or at random.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use dynoxide::Database;
use imageshare_local::TABLE;
use serde_json::{Value, json};

use crate::table_server::{TRANSACT_WRITE_ITEMS, execute};

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The call is executed, and its response is lost behind DynamoDB's front end: the caller gets a 500.
    LostResponse,
    /// The call is executed, and there is no response.
    NoResponse,
    /// The call is not executed, because of an internal error.
    InternalError,
    /// The call is rejected, because the table's throughput is exceeded.
    Throttled,
    /// The call is rejected, because the request rate is exceeded.
    Overloaded,
    /// The call conflicts with a transaction on the same item, and is not executed.
    Conflict,
    /// The second half of the keys of a batch read is left unprocessed.
    UnprocessedKeys,
    /// The page of a query ends after one item.
    ShortPage,
    /// The caller may not make the call.
    AccessDenied,
}

impl Fault {
    /// The faults that an operation can have.
    fn possible_for(operation: &str) -> &'static [Self] {
        use Fault::{
            Conflict, InternalError, LostResponse, NoResponse, Overloaded, ShortPage, Throttled,
            UnprocessedKeys,
        };
        match operation {
            "GetItem" => &[Throttled, Overloaded, InternalError, NoResponse],
            "BatchGetItem" => {
                &[Throttled, Overloaded, InternalError, NoResponse, UnprocessedKeys, UnprocessedKeys]
            }
            "Query" => &[Throttled, Overloaded, InternalError, NoResponse, ShortPage, ShortPage],
            _ => &[Throttled, Overloaded, InternalError, NoResponse, LostResponse, LostResponse, Conflict],
        }
    }
}

/// The faults of the calls to come.
#[derive(Debug, Default)]
pub(crate) struct FaultInjector(Mutex<FaultPlan>);

#[derive(Debug, Default)]
struct FaultPlan {
    scheduled: HashMap<&'static str, VecDeque<Fault>>,
    random: Option<RandomFaults>,
    counts: FaultCounts,
}

#[derive(Debug)]
struct RandomFaults {
    rng: fastrand::Rng,
    /// The percentage of calls that fail.
    percent: u8,
    /// The number of further calls that fail, without exception.
    remaining_outage: u8,
}

/// The number of faults of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultCounts(pub BTreeMap<Fault, usize>);

impl FaultCounts {
    /// Adds other counts to these.
    pub fn merge(&mut self, more: &Self) {
        for (fault, times) in &more.0 {
            *self.0.entry(*fault).or_default() += times;
        }
    }

    /// The total.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults:", self.total())?;
        self.0.iter().try_for_each(|(fault, times)| write!(f, " {times} {fault:?}"))
    }
}

impl FaultInjector {
    pub(crate) fn schedule(&self, operation: &'static str, fault: Fault, times: usize) {
        self.lock_plan().scheduled.entry(operation).or_default().extend(vec![fault; times]);
    }

    pub(crate) fn enable_random(&self, seed: u64, per_cent: u8) {
        self.lock_plan().random = Some(RandomFaults {
            rng: fastrand::Rng::with_seed(seed),
            percent: per_cent,
            remaining_outage: 0,
        });
    }

    pub(crate) fn clear(&self) {
        let mut plan = self.lock_plan();
        plan.scheduled.clear();
        plan.random = None;
    }

    pub(crate) fn remaining(&self) -> usize {
        self.lock_plan().scheduled.values().map(VecDeque::len).sum()
    }

    pub(crate) fn counts(&self) -> FaultCounts {
        self.lock_plan().counts.clone()
    }

    /// The fault of the current call, if any.
    pub(crate) fn next_fault(&self, operation: &str) -> Option<Fault> {
        let mut plan = self.lock_plan();
        let ordered = plan.scheduled.get_mut(operation).and_then(VecDeque::pop_front);
        let fault = ordered.or_else(|| plan.random.as_mut()?.next_fault(operation))?;
        *plan.counts.0.entry(fault).or_default() += 1;
        Some(fault)
    }

    fn lock_plan(&self) -> MutexGuard<'_, FaultPlan> {
        self.0.lock().expect("no panic")
    }
}

impl RandomFaults {
    /// A fault of one call, or the start of a series.
    fn next_fault(&mut self, operation: &str) -> Option<Fault> {
        if self.remaining_outage == 0 {
            if self.rng.u8(0..100) >= self.percent {
                return None;
            }
            self.remaining_outage = if self.rng.u8(0..4) == 0 { self.rng.u8(2..12) } else { 1 };
        }
        self.remaining_outage -= 1;
        self.rng.choice(Fault::possible_for(operation)).copied()
    }
}

/// Executes one DynamoDB operation with a fault. `None` if there is no response.
pub(crate) fn run_with_fault(
    fault: Fault,
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    Some(match fault {
        Fault::LostResponse => {
            execute(database, operation, body);
            error_response(500, "InternalServerError", json!({}))
        }
        Fault::NoResponse => {
            execute(database, operation, body);
            return None;
        }
        Fault::InternalError => error_response(500, "InternalServerError", json!({})),
        Fault::Throttled => error_response(400, "ProvisionedThroughputExceededException", json!({})),
        Fault::Overloaded => error_response(400, "ThrottlingException", json!({})),
        Fault::Conflict if operation == TRANSACT_WRITE_ITEMS => {
            let reasons = json!({"CancellationReasons": [{"Code": "TransactionConflict", "Message": "met"}]});
            error_response(400, "TransactionCanceledException", reasons)
        }
        Fault::Conflict => error_response(400, "TransactionConflictException", json!({})),
        Fault::AccessDenied => error_response(400, "AccessDeniedException", json!({})),
        Fault::ShortPage => {
            let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
            request["Limit"] = json!(1);
            execute(database, operation, request.to_string().as_bytes())
        }
        Fault::UnprocessedKeys => read_half_of_keys(database, operation, body),
    })
}

fn read_half_of_keys(database: &Database, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
    let keys = &mut request["RequestItems"][TABLE]["Keys"];
    let keys = keys.as_array_mut().expect("a batch read");
    let unread = keys.split_off(keys.len() / 2);
    if keys.is_empty() {
        let none = json!({ "Responses": {}, "UnprocessedKeys": { TABLE: { "Keys": unread } } });
        return (200, none.to_string().into_bytes());
    }
    let (status, response) = execute(database, operation, request.to_string().as_bytes());
    let mut response: Value = serde_json::from_slice(&response).expect("a response is JSON");
    response["UnprocessedKeys"] = json!({ TABLE: { "Keys": unread } });
    (status, response.to_string().into_bytes())
}

/// DynamoDB's response for an error.
fn error_response(status: u16, code: &str, mut more: Value) -> (u16, Vec<u8>) {
    more["__type"] = format!("com.amazonaws.dynamodb.v20120810#{code}").into();
    more["message"] = "injected by the test".into();
    (status, more.to_string().into_bytes())
}
