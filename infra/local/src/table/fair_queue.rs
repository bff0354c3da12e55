//! A fair queue of calls: one flow for each tenant, and the flows take turns.
//!
//! It is deficit round robin by time: a turn is worth [`QUANTUM`] of the database's time. The cost of a call is known
//! only when it has ended, so a call may exceed its flow's turn; the flow then skips as many rounds as the excess is
//! worth. So a tenant whose lists take milliseconds gets no more time than one whose reads take microseconds. Round
//! robin by calls would give it more.
//!
//! A new flow waits for at most one turn of each other flow, however many calls those have queued. No flow starves,
//! however many new flows arrive. A flow alone never waits.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// The worth of a turn, in microseconds: about one cheap read. Changing flows costs nothing, so turns can be short.
const QUANTUM: i64 = 100;

/// The minimum cost of a call, so that a turn has at most four calls.
const MIN_COST: i64 = 25;

/// The maximum debt of a flow after a call. More is forgiven, since the flow would skip too many rounds.
const MAX_DEBT: i64 = 100 * QUANTUM;

/// Calls `T` in flows `F`. Credits are in microseconds.
pub(super) struct FairQueue<F, T> {
    flows: HashMap<F, Flow<T>>,
    /// Every flow once. The first one has its turn.
    rotation: VecDeque<F>,
    waiting: usize,
    /// The flow whose call was taken last.
    running_flow: Option<F>,
}

struct Flow<T> {
    calls: VecDeque<T>,
    /// What is left of its turn. If negative, what it owes.
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

    /// The number of waiting calls.
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

    /// Removes and returns the next call.
    ///
    /// If no call waits, all debts are cleared: no other flow has to wait.
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
                // The flow has no calls and no debt.
                self.flows.remove(&name);
            } else {
                flow.credit += QUANTUM;
                self.rotation.push_back(name);
            }
        }
    }

    /// Charges the duration of the last popped call to its flow.
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

    /// Pops the next call, charges the duration of its flow's calls, and returns the flow.
    fn step(calls: &mut Calls, took: &impl Fn(char) -> Duration) -> Option<char> {
        let (flow, _) = calls.pop()?;
        calls.charge(took(flow));
        Some(flow)
    }

    /// Pops all calls, and returns their flows in order.
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
        // The flow owes at most a hundred turns, and a round has at most 26 flows.
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
