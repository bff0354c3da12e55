//! The result of an actor that has ended, checked against the model.

use imageshare::store::WorkItemKey;
use imageshare::usecases::UseCaseError;
use serde_json::{Value, json};
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
        if matches!(end, CallResult::Job(_) | CallResult::Done | CallResult::Applied(Ok(_))) {
            for place in &actor.ordered_requests {
                self.model.ordered[*place].answered = Some(self.tick);
            }
        }
        match (&actor.kind, end) {
            (ActorKind::Client(request), CallResult::Refused(refusal)) => {
                self.check_refusal(actor, request, refusal)
            }
            (ActorKind::Client(request), _) => self.check_response(actor, request, end),
            (ActorKind::Worker(work_item), CallResult::WorkerResponse(response)) => {
                self.check_worker(actor, work_item, response)
            }
            (ActorKind::Sweeper, CallResult::WorkerResponse(response)) if response["givenUp"] == json!(0) => {
                Ok(())
            }
            (ActorKind::Effects(delivery), CallResult::WorkerResponse(response)) => {
                self.check_effects(actor, delivery, response)
            }
            (ActorKind::Applier { owner, rule }, CallResult::Applied(result)) => {
                self.check_applied(actor, (owner, *rule), result)
            }
            (kind, end) => Err(unexpected(kind, end)),
        }
    }

    /// Checks the refusal of a request. A request that has written is refused only if the table failed.
    fn check_refusal(
        &self,
        actor: &Actor,
        request: &Request,
        refusal: &UseCaseError,
    ) -> Result<(), Violation> {
        match refusal {
            UseCaseError::Store(problem)
                if actor.has_crashed
                    || actor.has_timed_out
                    || actor.is_in_doubt
                    || actor.has_conflicted_for(MIN_RETRY_TIME) =>
            {
                if problem.is_transient() {
                    Ok(())
                } else {
                    Err(format!("{request:?}: {problem}"))
                }
            }
            refusal if actor.has_written => Err(format!("{request:?} has written and got {refusal:?}")),
            UseCaseError::InProgress(_) => {
                self.statistics.count_in_progress();
                let waited = actor.begun_at.elapsed();
                if waited >= MIN_WAIT && self.model.is_in_progress(request) {
                    Ok(())
                } else {
                    Err(format!("{request:?} after {waited:?}: {refusal:?}"))
                }
            }
            refusal => {
                self.statistics.count_refusal();
                let is = |expected: &ExpectedResult| matches!(expected, ExpectedResult::Refused(these) if these.contains(refusal));
                self.check_against_model(actor, request, is)
                    .map_err(|violation| format!("{refusal:?} to {violation}"))
            }
        }
    }

    /// Checks any other response to a request.
    fn check_response(&self, actor: &Actor, request: &Request, end: &CallResult) -> Result<(), Violation> {
        match end {
            CallResult::Job(job) if actor.has_written => {
                if actor.jobs.contains(job) {
                    Ok(())
                } else {
                    Err(format!("the response to {request:?} is {job}, which it did not create"))
                }
            }
            CallResult::Job(job) => self
                .check_against_model(actor, request, |expected| *expected == ExpectedResult::Replayed(*job)),
            CallResult::InUse if !actor.has_written => {
                self.statistics.count_refusal();
                self.check_against_model(actor, request, |expected| *expected == ExpectedResult::InUse)
            }
            CallResult::MissingVault if !actor.has_written => {
                self.statistics.count_refusal();
                self.check_against_model(actor, request, |expected| *expected == ExpectedResult::MissingVault)
            }
            CallResult::Done if actor.has_written => Ok(()),
            // There was nothing to change.
            CallResult::Done if matches!(request, Request::SetVisibility { .. }) => {
                self.check_against_model(actor, request, |expected| *expected == ExpectedResult::Accepted)
            }
            CallResult::Done if self.model.was_without_policy(request, actor.began) => Ok(()),
            end => Err(unexpected(&actor.kind, end)),
        }
    }

    /// Checks a response by the states of the model that the actor may have read.
    fn check_against_model(
        &self,
        actor: &Actor,
        request: &Request,
        is: impl Fn(&ExpectedResult) -> bool,
    ) -> Result<(), Violation> {
        let since = actor.first_read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.valid_since(since.1);
        let reading = ReadContext { began: actor.began, since: since.0, counts: &counts };
        self.model.check_response(request, reading, is)
    }

    /// Checks the response of a worker. Only a worker that was disturbed returns its work item.
    fn check_worker(
        &self,
        actor: &Actor,
        work_item: &WorkItemKey,
        response: &Value,
    ) -> Result<(), Violation> {
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
}

fn unexpected(kind: &ActorKind, end: &CallResult) -> Violation {
    format!("{kind:?} ended with {end:?}")
}
