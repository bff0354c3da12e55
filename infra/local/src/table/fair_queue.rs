//! Calls that wait in flows, one for each tenant, which take turns.
//!
//! The turns are those of a deficit round robin by time. A turn is worth [`QUANTUM`] of the database's time. What a call
//! costs is known only when it has ended, so a call may take more than was left of its flow's turn; its flow then sits out
//! as many rounds as that was worth. So a tenant whose lists take milliseconds has no more of the time than one whose
//! reads take microseconds, which a plain round robin by calls would give it. A flow that comes new waits for at most one
//! turn of each other flow, however many calls these have queued, and none is passed over for ever, however many flows
//! come after it. A flow alone never waits.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// What a turn is worth: about one cheap read. A change of flows costs nothing, so the turns are short.
const QUANTUM: i64 = 100;

/// What a call costs at least, so that a turn has at most four.
const MIN_COST: i64 = 25;

/// The most that a flow owes after a call: what took longer is forgiven, since it would be passed over for too long.
const MAX_DEBT: i64 = 100 * QUANTUM;

/// Calls `T` in flows `F`. Times are in microseconds.
pub(super) struct FairQueue<F, T> {
    flows: HashMap<F, Flow<T>>,
    /// Every flow once; the first has its turn.
    rotation: VecDeque<F>,
    waiting: usize,
    /// The flow whose call was taken last.
    running_flow: Option<F>,
}

struct Flow<T> {
    calls: VecDeque<T>,
    /// What is left of its turn; what it owes where that is negative.
    credit: i64,
}

impl<F, T> Default for FairQueue<F, T> {
    fn default() -> Self {
        Self { flows: HashMap::new(), rotation: VecDeque::new(), waiting: 0, running_flow: None }
    }
}

impl<F: Clone + Eq + Hash, T> FairQueue<F, T> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many calls wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Puts a call at the end of its flow. A new flow has its turn last.
    pub(super) fn push(&mut self, name: F, call: T) {
        let flow = self.flows.entry(name.clone()).or_insert_with(|| {
            self.rotation.push_back(name);
            Flow { calls: VecDeque::new(), credit: QUANTUM }
        });
        flow.calls.push_back(call);
        self.waiting += 1;
    }

    /// Takes the call whose turn it is.
    ///
    /// Where no call waits, what flows owe is forgotten: no other flow had to wait for them.
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            self.flows.clear();
            self.rotation.clear();
            return None;
        }
        loop {
            let name = self.rotation.pop_front()?;
            let flow = self.flows.get_mut(&name)?;
            if flow.credit > 0 {
                if let Some(call) = flow.calls.pop_front() {
                    self.waiting -= 1;
                    self.running_flow = Some(name.clone());
                    self.rotation.push_front(name);
                    return Some(call);
                }
                // It has no calls and owes nothing.
                self.flows.remove(&name);
            } else {
                flow.credit += QUANTUM;
                self.rotation.push_back(name);
            }
        }
    }

    /// Charges the flow of the call that was taken last.
    pub(super) fn charge(&mut self, took: Duration) {
        let cost = i64::try_from(took.as_micros()).unwrap_or(i64::MAX).max(MIN_COST);
        if let Some(flow) = self.running_flow.take().and_then(|name| self.flows.get_mut(&name)) {
            flow.credit = flow.credit.saturating_sub(cost).max(-MAX_DEBT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_micros(QUANTUM.unsigned_abs());

    type Calls = FairQueue<char, (char, u32)>;

    fn push(calls: &mut Calls, flow: char, count: u32) {
        (0..count).for_each(|number| calls.push(flow, (flow, number)));
    }

    /// Takes the next call, which takes as long as its flow's calls do.
    fn step(calls: &mut Calls, took: &impl Fn(char) -> Duration) -> Option<char> {
        let (flow, _) = calls.pop()?;
        calls.charge(took(flow));
        Some(flow)
    }

    /// The flows of all calls in the order in which they are taken.
    fn order(calls: &mut Calls, took: impl Fn(char) -> Duration) -> String {
        std::iter::from_fn(|| step(calls, &took)).collect()
    }

    #[test]
    fn calls_of_single_flow_stay_in_order_without_waiting() {
        let mut calls = Calls::default();
        push(&mut calls, 'a', 1_000);
        for number in 0..1_000 {
            assert_eq!(calls.pop(), Some(('a', number)));
            calls.charge(TURN * 7 * number);
        }
        assert_eq!(calls.pop(), None);
    }

    #[test]
    fn flows_take_turns_regardless_of_queue_length() {
        let mut calls = Calls::default();
        push(&mut calls, 'a', 5);
        push(&mut calls, 'b', 2);
        push(&mut calls, 'c', 1);
        assert_eq!(order(&mut calls, |_| TURN), "abcabaaa");
    }

    #[test]
    fn turn_is_limited_to_four_calls() {
        let mut calls = Calls::default();
        push(&mut calls, 'a', 9);
        push(&mut calls, 'b', 5);
        assert_eq!(order(&mut calls, |_| Duration::ZERO), "aaaabbbbaaaaba");
    }

    #[test]
    fn expensive_and_cheap_flows_share_time_equally() {
        let took = |flow| if flow == 'a' { TURN * 30 } else { TURN / 2 };
        let mut calls = Calls::default();
        push(&mut calls, 'a', 1_000);
        push(&mut calls, 'b', 6_000);
        let (mut costly, mut cheap) = (Duration::ZERO, Duration::ZERO);
        while let Some(flow) = step(&mut calls, &took) {
            *(if flow == 'a' { &mut costly } else { &mut cheap }) += took(flow);
            if cheap >= TURN * 3_000 {
                break;
            }
            assert!(costly.abs_diff(cheap) <= TURN * 31, "{costly:?} and {cheap:?}");
        }
        assert!(cheap >= TURN * 3_000);
    }

    #[test]
    fn new_flow_waits_at_most_one_turn_per_other_flow() {
        for took in [Duration::ZERO, TURN / 2, TURN, TURN * 50] {
            let mut calls = Calls::default();
            for flow in ['a', 'b', 'c'] {
                push(&mut calls, flow, 64);
            }
            (0..40).for_each(|_| assert!(step(&mut calls, &|_| took).is_some()));
            push(&mut calls, 'z', 1);
            let before = order(&mut calls, |_| took).find('z').unwrap();
            assert!(before <= 12, "{before} calls of {took:?}");
        }
    }

    #[test]
    fn flow_in_debt_is_not_starved_by_new_flows() {
        let mut calls = Calls::default();
        push(&mut calls, 'a', 1);
        assert_eq!(step(&mut calls, &|_| TURN * 1_000_000), Some('a'));
        push(&mut calls, 'a', 1);
        let mut others = ('b'..='z').cycle();
        let mut served = 0;
        loop {
            others.by_ref().take(2).for_each(|flow| push(&mut calls, flow, 1));
            served += 1;
            if step(&mut calls, &|_| TURN) == Some('a') {
                break;
            }
        }
        // It owes a hundred turns at most, and a round has at most 26 flows.
        assert!(served <= 100 * 26, "{served}");
    }

    #[test]
    fn debt_is_cleared_once_the_queue_is_empty() {
        let slow = |flow| if flow == 'a' { TURN * 5 } else { TURN };
        let mut calls = Calls::default();
        push(&mut calls, 'a', 1);
        push(&mut calls, 'b', 6);
        assert_eq!(step(&mut calls, &slow), Some('a'));
        push(&mut calls, 'a', 1);
        assert_eq!(order(&mut calls, slow), "bbbbbab");
        push(&mut calls, 'a', 1);
        push(&mut calls, 'b', 1);
        assert_eq!(order(&mut calls, slow), "ab");
    }

    #[test]
    fn idle_flows_are_removed() {
        let mut calls = FairQueue::<u32, u32>::default();
        for tenant in 0..10_000 {
            calls.push(tenant, tenant);
            calls.push(tenant + 1, tenant);
            assert!(calls.pop().is_some());
            calls.charge(TURN * 2);
            assert!(calls.flows.len() <= calls.len() + 2, "{}", calls.flows.len());
            assert_eq!(calls.flows.len(), calls.rotation.len());
        }
        while calls.pop().is_some() {
            calls.charge(TURN);
        }
        assert!(calls.flows.is_empty() && calls.rotation.is_empty());
    }
}
