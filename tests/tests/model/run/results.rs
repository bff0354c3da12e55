//! The result of an actor that has ended, checked against the model.

use imageshare::usecases::UseCaseError;
use serde_json::json;
use tokio::time::Duration;

use super::Run;
use super::actor::{Actor, ActorKind, MIN_RETRY_TIME};
use crate::calls::CallResult;
use crate::expectations::ExpectedResult;
use crate::history::Request;
use crate::model::{ReadContext, Violation};

/// The shortest wait of a request before it is refused because an earlier one is in progress.
const MIN_WAIT: Duration = Duration::from_millis(4_700);

impl Run<'_> {
    /// Checks the result of an actor that has ended.
    pub(super) fn check_result(&mut self, actor: &Actor, end: &CallResult) -> Result<(), Violation> {
        self.tick += 1;
        if actor.has_conflicted_for(MIN_RETRY_TIME) {
            self.statistics.count_conflict_timeout();
        }
        let since = actor.first_read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.valid_since(since.1);
        let reading = ReadContext { began: actor.began, since: since.0, counts: &counts };
        if matches!(end, CallResult::Job(_) | CallResult::Done) {
            for place in &actor.ordered_requests {
                self.model.ordered[*place].answered = Some(self.tick);
            }
        }
        match (&actor.kind, end) {
            (ActorKind::Client(request), CallResult::Refused(UseCaseError::Store(problem)))
                if actor.has_crashed
                    || actor.has_timed_out
                    || actor.is_in_doubt
                    || actor.has_conflicted_for(MIN_RETRY_TIME) =>
            {
                let is_passing = problem.is_transient();
                if is_passing { Ok(()) } else { Err(format!("{request:?}: {problem}")) }
            }
            (ActorKind::Client(request), CallResult::Refused(refusal @ UseCaseError::InProgress(_)))
                if !actor.has_written =>
            {
                self.statistics.count_in_progress();
                let has_waited = actor.begun_at.elapsed() >= MIN_WAIT;
                if has_waited && self.model.is_in_progress(request) {
                    Ok(())
                } else {
                    Err(format!("{request:?} after {:?}: {refusal:?}", actor.begun_at.elapsed()))
                }
            }
            (ActorKind::Client(request), CallResult::Refused(refusal)) if !actor.has_written => {
                self.statistics.count_refusal();
                let is = |expected: &ExpectedResult| matches!(expected, ExpectedResult::Refused(these) if these.contains(refusal));
                self.model
                    .check_response(request, reading, is)
                    .map_err(|violation| format!("{refusal:?} to {violation}"))
            }
            (ActorKind::Client(request), CallResult::Job(job)) if actor.has_written => {
                if actor.jobs.contains(job) {
                    Ok(())
                } else {
                    Err(format!("the response to {request:?} is {job}, which it did not create"))
                }
            }
            (ActorKind::Client(request), CallResult::Job(job)) => {
                self.model
                    .check_response(request, reading, |expected| *expected == ExpectedResult::Replayed(*job))
            }
            (ActorKind::Client(request), CallResult::InUse) if !actor.has_written => {
                self.statistics.count_refusal();
                self.model.check_response(request, reading, |expected| *expected == ExpectedResult::InUse)
            }
            (ActorKind::Client(_), CallResult::Done) if actor.has_written => Ok(()),
            // There was nothing to change.
            (ActorKind::Client(request @ Request::SetVisibility { .. }), CallResult::Done) => {
                self.model.check_response(request, reading, |expected| *expected == ExpectedResult::Accepted)
            }
            (ActorKind::Worker(work_item), CallResult::WorkerResponse(response)) => {
                let has_failed = response["batchItemFailures"] != json!([]);
                let may_fail = actor.has_crashed
                    || actor.has_timed_out
                    || actor.has_conflicted_for(MIN_RETRY_TIME)
                    || self.model.has_older_work(work_item.job);
                if has_failed && !actor.has_crashed {
                    self.statistics.count_returned_work_item();
                }
                if has_failed == actor.has_crashed || (has_failed && may_fail) {
                    Ok(())
                } else {
                    Err(format!("a worker of {work_item:?} returned {response}"))
                }
            }
            (ActorKind::Sweeper, CallResult::WorkerResponse(response)) if response["givenUp"] == json!(0) => {
                Ok(())
            }
            (kind, end) => Err(format!("{kind:?} ended with {end:?}")),
        }
    }
}
