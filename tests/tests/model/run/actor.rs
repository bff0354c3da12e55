//! An actor: the task of one request or one worker, and what has happened to its calls so far.

use std::collections::VecDeque;

use imageshare::domain::{JobId, TenantId};
use imageshare::store::WorkItemKey;
use imageshare::table::Write;
use imageshare_tests::gated_table::{GateEvent, Verdict};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

use super::effects::Delivery;
use crate::calls::CallResult;
use crate::history::{Crash, Request};

/// The shortest time after which the service may give up a call that conflicts: a batch that is executed at once has
/// 2 seconds, any other call 8; and no retry is made if the pause before it, of up to 640 ms, would end later.
const MIN_IMMEDIATE_TIME: Duration = Duration::from_millis(2_000 - 640);
pub(super) const MIN_RETRY_TIME: Duration = Duration::from_millis(8_000 - 640);

/// The kind of an actor.
#[derive(Debug, Clone)]
pub(super) enum ActorKind {
    Client(Request),
    Worker(WorkItemKey),
    /// A sweep.
    Sweeper,
    /// The function `effects`, with changes.
    Effects(Delivery),
    /// An owner that applies a share rule.
    Applier {
        owner: TenantId,
        rule: u8,
    },
}

#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct Actor {
    pub(super) kind: ActorKind,
    pub(super) process: usize,
    pub(super) steps: mpsc::UnboundedReceiver<GateEvent>,
    pub(super) task: JoinHandle<CallResult>,
    /// The calls that wait at the gate.
    pub(super) waiting_calls: VecDeque<WaitingCall>,
    /// Whether a released call has not reported its result yet.
    pub(super) is_calling: bool,
    pub(super) calls: usize,
    pub(super) crash: Option<Crash>,
    pub(super) has_crashed: bool,
    /// What happens to the transaction that executes a batch at once.
    pub(super) immediate_verdict: Verdict,
    /// Whether the response to the present call is lost.
    pub(super) loses_response: bool,
    /// Whether that of a transaction that executes a batch at once was lost, or conflicted until its timeout.
    pub(super) is_in_doubt: bool,
    /// Whether it has dropped a waiting call.
    pub(super) has_timed_out: bool,
    /// Whether its last call conflicted, and nothing else was returned since.
    pub(super) is_in_conflict: bool,
    /// When a call last returned anything but a conflict.
    pub(super) last_response_at: Instant,
    /// The model's state when it began, and when it first read something since then, since its last write, and since
    /// it last waited.
    pub(super) began: usize,
    pub(super) first_read: Option<(usize, Instant)>,
    /// Whether it has read since it last waited.
    pub(super) has_just_read: bool,
    pub(super) begun_at: Instant,
    pub(super) tick: u64,
    pub(super) has_written: bool,
    /// The jobs that it has written, and their indexes in the order of requests.
    pub(super) jobs: Vec<JobId>,
    pub(super) ordered_requests: Vec<usize>,
}

pub(super) struct WaitingCall {
    pub(super) resume: oneshot::Sender<Verdict>,
    pub(super) writes: Vec<Write>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// The actor waits at its next call.
    AtCall,
    /// Its call conflicted, and it pauses.
    InConflict,
    /// The actor has ended.
    Ended,
}

impl Actor {
    /// Records conflicts, and their end.
    pub(super) fn record_step(&mut self, step: &GateEvent) {
        match step {
            GateEvent::Cancelled | GateEvent::Rejected => self.is_in_conflict = true,
            // A read is no retry: the batch was not executed at once, and will be queued.
            GateEvent::Waiting { writes, .. } if writes.is_empty() => {
                self.is_in_doubt |= self.has_conflicted_for(MIN_IMMEDIATE_TIME);
                self.is_in_conflict = false;
            }
            GateEvent::Waiting { .. } => {}
            GateEvent::Read(_) | GateEvent::Written(_) | GateEvent::ConditionFailed(_) | GateEvent::Lost => {
                self.is_in_conflict = false;
                self.last_response_at = Instant::now();
            }
        }
    }

    /// Whether only conflicts were returned for this time.
    pub(super) fn has_conflicted_for(&self, time: Duration) -> bool {
        self.is_in_conflict && self.last_response_at.elapsed() >= time
    }
}
