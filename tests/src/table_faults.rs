//! What goes wrong between the service and DynamoDB, beneath the SDK: as a test orders it, or at random.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use dynoxide::Database;
use imageshare_local::TABLE;
use serde_json::{Value, json};

use crate::table_server::{TRANSACTION, carry_out};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is carried out, and its answer is lost behind DynamoDB's front: the caller gets a 500.
    LostAnswer,
    /// It is carried out, and nobody answers.
    Silence,
    /// It is not carried out, since something has failed inside.
    Broken,
    /// It is refused, since too much is asked of the table.
    Throttled,
    /// It is refused, since too much is asked at once.
    Overloaded,
    /// It meets a transaction on the same item, and is not carried out.
    Conflict,
    /// Of the keys that it reads, the second half is not read.
    Unread,
    /// The page that it asks for ends after one item.
    ShortPage,
}

impl Fault {
    /// What can go wrong with an operation.
    fn of(operation: &str) -> &'static [Self] {
        use Fault::{Broken, Conflict, LostAnswer, Overloaded, ShortPage, Silence, Throttled, Unread};
        match operation {
            "GetItem" => &[Throttled, Overloaded, Broken, Silence],
            "BatchGetItem" => &[Throttled, Overloaded, Broken, Silence, Unread, Unread],
            "Query" => &[Throttled, Overloaded, Broken, Silence, ShortPage, ShortPage],
            _ => &[Throttled, Overloaded, Broken, Silence, LostAnswer, LostAnswer, Conflict],
        }
    }
}

/// What goes wrong with the calls to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    ordered: HashMap<&'static str, VecDeque<Fault>>,
    random: Option<Random>,
    injected: Injected,
}

#[derive(Debug)]
struct Random {
    rng: fastrand::Rng,
    /// Of a hundred calls so many go wrong.
    per_cent: u8,
    /// So many calls more go wrong, all of them.
    outage: u8,
}

/// How often what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Injected(pub BTreeMap<Fault, usize>);

impl Injected {
    /// Adds those to these.
    pub fn add(&mut self, more: &Self) {
        for (fault, times) in &more.0 {
            *self.0.entry(*fault).or_default() += times;
        }
    }

    /// How many there were.
    pub fn all(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults:", self.all())?;
        self.0.iter().try_for_each(|(fault, times)| write!(f, " {times} {fault:?}"))
    }
}

impl Faults {
    pub(crate) fn order(&self, operation: &'static str, fault: Fault, times: usize) {
        self.plan().ordered.entry(operation).or_default().extend(vec![fault; times]);
    }

    pub(crate) fn at_random(&self, seed: u64, per_cent: u8) {
        self.plan().random = Some(Random { rng: fastrand::Rng::with_seed(seed), per_cent, outage: 0 });
    }

    pub(crate) fn heal(&self) {
        let mut plan = self.plan();
        plan.ordered.clear();
        plan.random = None;
    }

    pub(crate) fn left(&self) -> usize {
        self.plan().ordered.values().map(VecDeque::len).sum()
    }

    pub(crate) fn injected(&self) -> Injected {
        self.plan().injected.clone()
    }

    /// What goes wrong with the call that comes now.
    pub(crate) fn next(&self, operation: &str) -> Option<Fault> {
        let mut plan = self.plan();
        let ordered = plan.ordered.get_mut(operation).and_then(VecDeque::pop_front);
        let fault = ordered.or_else(|| plan.random.as_mut()?.next(operation))?;
        *plan.injected.0.entry(fault).or_default() += 1;
        Some(fault)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().expect("no panic")
    }
}

impl Random {
    /// One call goes wrong, or every one for a while.
    fn next(&mut self, operation: &str) -> Option<Fault> {
        if self.outage == 0 {
            if self.rng.u8(0..100) >= self.per_cent {
                return None;
            }
            self.outage = if self.rng.u8(0..4) == 0 { self.rng.u8(2..12) } else { 1 };
        }
        self.outage -= 1;
        self.rng.choice(Fault::of(operation)).copied()
    }
}

/// Runs one DynamoDB operation, with which that goes wrong. `None` where nobody answers.
pub(crate) fn failing(
    fault: Fault,
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    Some(match fault {
        Fault::LostAnswer => {
            carry_out(database, operation, body);
            refused(500, "InternalServerError", json!({}))
        }
        Fault::Silence => {
            carry_out(database, operation, body);
            return None;
        }
        Fault::Broken => refused(500, "InternalServerError", json!({})),
        Fault::Throttled => refused(400, "ProvisionedThroughputExceededException", json!({})),
        Fault::Overloaded => refused(400, "ThrottlingException", json!({})),
        Fault::Conflict if operation == TRANSACTION => {
            let reasons = json!({"CancellationReasons": [{"Code": "TransactionConflict", "Message": "met"}]});
            refused(400, "TransactionCanceledException", reasons)
        }
        Fault::Conflict => refused(400, "TransactionConflictException", json!({})),
        Fault::ShortPage => {
            let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
            request["Limit"] = json!(1);
            carry_out(database, operation, request.to_string().as_bytes())
        }
        Fault::Unread => half_read(database, operation, body),
    })
}

fn half_read(database: &Database, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
    let keys = &mut request["RequestItems"][TABLE]["Keys"];
    let keys = keys.as_array_mut().expect("a batch read");
    let unread = keys.split_off(keys.len() / 2);
    if keys.is_empty() {
        let none = json!({ "Responses": {}, "UnprocessedKeys": { TABLE: { "Keys": unread } } });
        return (200, none.to_string().into_bytes());
    }
    let (status, answer) = carry_out(database, operation, request.to_string().as_bytes());
    let mut answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    answer["UnprocessedKeys"] = json!({ TABLE: { "Keys": unread } });
    (status, answer.to_string().into_bytes())
}

/// DynamoDB's answer with that error.
fn refused(status: u16, code: &str, mut more: Value) -> (u16, Vec<u8>) {
    more["__type"] = format!("com.amazonaws.dynamodb.v20120810#{code}").into();
    more["message"] = "as the test wants it".into();
    (status, more.to_string().into_bytes())
}
