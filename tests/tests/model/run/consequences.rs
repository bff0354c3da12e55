//! The end of a history: what follows from its changes has come, once.
//!
//! Every change is delivered once more, after all share rules were deleted. This changes nothing, and says which events
//! are of which change: all of them were published before, with the same ids, and no others.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, Message, MessageKind, Outcome, ShareRuleCause, Stamp, Status, TenantId};
use imageshare::usecases::{JobQuery, list_jobs, list_messages};
use imageshare_tests::local_service::{caller, tenant};
use serde_json::{Value, json};

use super::Run;
use super::effects::{ModelBus, core_of};
use crate::expectations::Task;
use crate::history::TENANTS;
use crate::model::{PairChange, Violation};
use crate::rule_calls::rule_name;
use crate::rules::{RULES, RuleChange};
use crate::stream::Subject;

/// More messages and jobs than there are.
const MAX_ITEMS: usize = 10_000;

/// The most changes that are delivered together.
const MAX_BATCH: usize = 100;

/// A message: its request, its kind and its counterpart.
type MessageKey = (Stamp, MessageKind, TenantId);

impl Run<'_> {
    /// Checks events and messages, once everything is executed and delivered.
    pub(super) async fn check_consequences(&mut self) -> Result<(), Violation> {
        let before = self.messages().await?;
        for (owner, rule) in self.model.state().rules.keys().cloned().collect::<Vec<_>>() {
            self.change_rules(&RuleChange::Delete { owner, rule }, 0).await?;
        }
        let jobs = self.model.jobs.len();
        let events = self.events_of_changes().await?;
        let after = self.messages().await?;
        if self.model.jobs.len() != jobs || after != before {
            return Err(format!("delivered again, changes make of {before:?} {after:?}"));
        }
        self.check_job_lists().await?;
        self.check_ids(&events)?;
        self.check_shares(&events)?;
        self.check_images(&events)?;
        self.check_messages(&events, &before)
    }

    /// Rules have acted on what has lasted to the end; and on no change twice.
    pub(super) async fn check_rules(&self) -> Result<(), Violation> {
        let mut changes = BTreeMap::<_, Vec<usize>>::new();
        for record in &self.stream.records {
            match &record.subject {
                Subject::Image(image) => {
                    changes.entry(image.clone()).or_default().push(record.state);
                    self.model.check_acted_on_image(image, record.state, &self.rule_jobs)?;
                }
                Subject::Tenant(id) => self.model.check_acted_on_entry(id, record.state, &self.rule_jobs)?,
                _ => {}
            }
        }
        let store = &self.local.service.store;
        for (owner, rule) in TENANTS[..2].iter().flat_map(|id| (0..RULES).map(|rule| (tenant(id), rule))) {
            let (jobs, _) = store.rule_jobs(&owner, &rule_name(rule), None, MAX_ITEMS).await.map_err(text)?;
            let mut counts = BTreeMap::<ImageId, usize>::new();
            for job in jobs.iter().filter(|job| job.cause == ShareRuleCause::ImageMatched) {
                let found = self.model.jobs.get(&job.job).ok_or(format!("{job:?} of a rule is no job"))?;
                for image in found.pairs.iter().map(|(image, _)| image).collect::<BTreeSet<_>>() {
                    *counts.entry(image.clone()).or_default() += 1;
                }
            }
            let lives = self.model.lives_of_rule(&owner, rule);
            for (image, count) in counts {
                let states = changes.get(&image).map(Vec::as_slice).unwrap_or_default();
                let most = lives * self.model.begins_to_match((&owner, rule), &image, states);
                if count > most {
                    return Err(format!(
                        "rule {rule} of {owner} has made {count} jobs for {image}, expected {most}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Delivers every change once more. Returns the events of each.
    async fn events_of_changes(&self) -> Result<Vec<Vec<Value>>, Violation> {
        let mut events = vec![Vec::new(); self.stream.records.len()];
        let mut batch = BTreeMap::new();
        for number in 0..self.stream.records.len() {
            let subject = &self.stream.records[number].subject;
            if batch.len() == MAX_BATCH || batch.contains_key(subject) {
                self.deliver_again(&std::mem::take(&mut batch), &mut events).await?;
            }
            batch.insert(subject.clone(), number);
        }
        self.deliver_again(&batch, &mut events).await?;
        Ok(events)
    }

    /// Delivers changes of different subjects once more, and sorts their events by the changes.
    async fn deliver_again(
        &self,
        batch: &BTreeMap<Subject, usize>,
        events: &mut [Vec<Value>],
    ) -> Result<(), Violation> {
        if batch.is_empty() {
            return Ok(());
        }
        let bus = ModelBus::default();
        let mut numbers: Vec<_> = batch.values().copied().collect();
        numbers.sort_unstable();
        let response = ::effects::handle(&self.local.service, &bus, self.stream.event(&numbers)).await;
        if response.map_err(text)?["batchItemFailures"] != json!([]) {
            return Err("changes that are delivered again are not handled".to_owned());
        }
        for entry in bus.take() {
            let detail = entry.detail;
            if detail["kind"] == "job.ended" {
                // Of a large job, every work item that has ended tells the end.
                self.expect_published(&detail)?;
                continue;
            }
            let subject = subject_of(&detail).ok_or_else(|| format!("of no subject: {detail}"))?;
            let is_of_it = |candidate: &&Subject| match (candidate, &subject) {
                (Subject::KeyGrant(key), Subject::KeyGrant(grant)) => key.contains(grant.as_str()),
                (candidate, subject) => candidate == &subject,
            };
            let found = batch.keys().find(is_of_it).ok_or_else(|| format!("of no change: {detail}"))?;
            events[batch[found]].push(detail);
        }
        Ok(())
    }

    fn expect_published(&self, detail: &Value) -> Result<(), Violation> {
        let id = detail["id"].as_str().unwrap_or_default();
        match self.published.get(id) {
            Some(published) if *published == core_of(detail.clone()) => Ok(()),
            other => Err(format!("{detail} was not published, but {other:?}")),
        }
    }

    /// Every event was published, and nothing else; none has the id of another.
    fn check_ids(&self, events: &[Vec<Value>]) -> Result<(), Violation> {
        let mut ids = BTreeSet::new();
        for (number, event) in
            events.iter().enumerate().flat_map(|(number, of)| of.iter().map(move |e| (number, e)))
        {
            self.expect_published(event)?;
            let is_new = ids.insert(event["id"].as_str().unwrap_or_default());
            // A key grant that is given and withdrawn twice in a millisecond has the same id.
            if !is_new && !matches!(self.stream.records[number].subject, Subject::KeyGrant(_)) {
                return Err(format!("{event} has the id of an earlier event"));
            }
        }
        // The owner of a deleted image may not be known any more when its change is delivered again.
        let is_unexpected = |(id, event): &(&String, &Value)| {
            event["kind"] != "job.ended" && !ids.contains(id.as_str()) && event["audience"] != "owner"
        };
        match self.published.iter().find(is_unexpected) {
            Some((_, event)) => Err(format!("{event} follows from no change")),
            None => Ok(()),
        }
    }

    /// After each change, a recipient was told the status that the share had then; and later events have greater
    /// sequences.
    fn check_shares(&self, events: &[Vec<Value>]) -> Result<(), Violation> {
        let (mut told, mut sequences) = (BTreeMap::new(), BTreeMap::new());
        for (record, events) in self.stream.records.iter().zip(events) {
            let Subject::Pair(pair) = &record.subject else { continue };
            for event in events.iter().filter(|event| event["audience"] == "recipient") {
                told.insert(pair, event["status"].as_str().map(str::to_owned));
            }
            let status = self.model.states[record.state].pair(&pair.0, &pair.1).status();
            let is_told = told.get(pair).cloned().flatten();
            if is_told.as_deref() != status.map(Status::as_str) {
                return Err(format!("{pair:?} was told {is_told:?} and is {status:?}"));
            }
            check_sequences(&mut sequences, pair, events)?;
        }
        Ok(())
    }

    /// An owner was told of each change of its images.
    fn check_images(&self, events: &[Vec<Value>]) -> Result<(), Violation> {
        let mut sequences = BTreeMap::new();
        for (record, events) in self.stream.records.iter().zip(events) {
            match &record.subject {
                Subject::Image(image) => {
                    let kind = match record.name.as_str() {
                        "INSERT" => "image.registered",
                        "MODIFY" => "image.changed",
                        _ => "image.removed",
                    };
                    let kinds: Vec<_> = events.iter().map(|event| &event["kind"]).collect();
                    if kinds != [kind] {
                        return Err(format!("{image} makes {kinds:?}, expected {kind}"));
                    }
                    check_sequences(&mut sequences, image, events)?;
                }
                Subject::KeyGrant(grant) => {
                    let expected = if record.name == "REMOVE" { 2 } else { 0 };
                    if events.len() != expected {
                        return Err(format!("{grant} makes {events:?}"));
                    }
                }
                Subject::Pair(_) => {}
                other if events.is_empty() => drop(other.clone()),
                other => return Err(format!("{other:?} makes {events:?}")),
            }
        }
        Ok(())
    }

    /// The end of each job was told, with its outcomes, once.
    pub(super) fn check_job_ends(&self) -> Result<(), Violation> {
        let ends = self.published.values().filter(|event| event["kind"] == "job.ended");
        let mut told = BTreeMap::<&str, Vec<&Value>>::new();
        for end in ends {
            told.entry(end["job"]["id"].as_str().unwrap_or_default()).or_default().push(&end["job"]);
        }
        for (id, job) in &self.model.jobs {
            let found = told.remove(id.to_string().as_str()).unwrap_or_default();
            if job.task == Task::Refresh {
                if !found.is_empty() {
                    return Err(format!("the end of job {id}, which nobody has requested, was told"));
                }
                continue;
            }
            let has_failed = |outcome: &&Outcome| !matches!(outcome, Outcome::Done | Outcome::Superseded);
            let failed = job.outcomes.values().filter(has_failed).count();
            let is_right = |end: &&Value| end["pairs"] == job.outcomes.len() && end["failed"] == failed;
            if found.len() != 1 || !found.iter().all(is_right) {
                return Err(format!("the end of job {id} was told as {found:?}: {job:?}"));
            }
        }
        if told.is_empty() { Ok(()) } else { Err(format!("of no job: {told:?}")) }
    }

    /// Each tenant has the messages that follow from the events, each once and unread.
    fn check_messages(
        &self,
        events: &[Vec<Value>],
        found: &BTreeMap<TenantId, Vec<Message>>,
    ) -> Result<(), Violation> {
        let mut allowed = BTreeMap::<(TenantId, MessageKey), BTreeSet<ImageId>>::new();
        let mut required = allowed.clone();
        let mut grants = BTreeMap::<(TenantId, TenantId), usize>::new();
        for event in events.iter().flatten() {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if text("/kind") == "grant.ended" {
                *grants.entry((tenant(text("/recipient")), tenant(text("/key/owner")))).or_default() += 1;
                continue;
            }
            // The events of the recipient are all there; those of an owner that is not known any more are missing.
            let (Some(Subject::Pair(pair)), "recipient") = (subject_of(event), text("/audience")) else {
                continue;
            };
            let request: Stamp = text("/request").parse().map_err(|_| format!("no request: {event}"))?;
            let Some(record) = self.model.state().images.get(&pair.0) else {
                return Err(format!("of no image: {event}"));
            };
            let owner = record.owner.clone();
            let (to, key) = match text("/kind") {
                "share.offered" => (pair.1, (request, MessageKind::ShareOffered, owner)),
                "share.withdrawn" => (pair.1, (request, MessageKind::ShareWithdrawn, owner)),
                kind => {
                    let is_decision = self.model.pair_changes.iter().any(|(of, at, change)| {
                        *of == pair && *at == request && matches!(change, PairChange::Decide(_))
                    });
                    if !is_decision {
                        continue;
                    }
                    let accepted = kind == "share.accepted";
                    let kind = if accepted { MessageKind::ShareAccepted } else { MessageKind::ShareRejected };
                    (owner, (request, kind, pair.1))
                }
            };
            allowed.entry((to.clone(), key.clone())).or_default().insert(pair.0.clone());
            if !text("/image/owner").is_empty() {
                required.entry((to, key)).or_default().insert(pair.0);
            }
        }
        for (to, messages) in found {
            let mut ended = BTreeMap::<TenantId, usize>::new();
            for Message { id, images, .. } in messages {
                if id.kind == MessageKind::GrantEnded {
                    *ended.entry(id.counterpart.clone()).or_default() += 1;
                    continue;
                }
                let key = (to.clone(), (id.stamp, id.kind, id.counterpart.clone()));
                let images: BTreeSet<_> = images.keys().cloned().collect();
                let is_allowed = allowed.get(&key).is_some_and(|most| images.is_subset(most));
                let is_whole = required.remove(&key).is_none_or(|least| least.is_subset(&images));
                if !is_allowed || !is_whole {
                    return Err(format!("message {key:?} of {images:?}, expected {:?}", allowed.get(&key)));
                }
            }
            let expected = grants.iter().filter(|((tenant, _), _)| tenant == to);
            let of_grants = expected.map(|((_, owner), count)| (owner.clone(), *count)).collect();
            let are_fewer = |ended: &BTreeMap<TenantId, usize>, most: &BTreeMap<TenantId, usize>| {
                ended.keys().eq(most.keys()) && ended.iter().all(|(owner, count)| *count <= most[owner])
            };
            if !are_fewer(&ended, &of_grants) {
                return Err(format!("{to} was told of {ended:?} ended grants, expected {of_grants:?}"));
            }
        }
        match required.into_iter().find(|((to, _), _)| found.contains_key(to)) {
            Some(missing) => Err(format!("no message {missing:?}")),
            None => Ok(()),
        }
    }

    /// Each tenant's list has the jobs that it has requested, the newest first, and no others.
    async fn check_job_lists(&self) -> Result<(), Violation> {
        for id in TENANTS {
            let by = caller(id);
            let query = JobQuery::all(by.tenant.clone());
            let page = list_jobs(&self.local.service, &by, &query, None, MAX_ITEMS).await.map_err(text)?;
            let listed: Vec<_> = page.items.iter().map(|report| report.job.id).collect();
            let requested = self.model.jobs.iter().rev();
            let requested =
                requested.filter(|(_, job)| job.creator == by.tenant && job.task != Task::Refresh);
            let requested: Vec<_> = requested.map(|(job, _)| *job).collect();
            if listed != requested {
                return Err(format!("{id} has the jobs {listed:?}, and has requested {requested:?}"));
            }
        }
        Ok(())
    }

    /// The messages of each tenant, of which it has read none.
    async fn messages(&self) -> Result<BTreeMap<TenantId, Vec<Message>>, Violation> {
        const MAX_EXACT: usize = 99;
        let mut all = BTreeMap::new();
        for id in TENANTS {
            let list =
                list_messages(&self.local.service, &caller(id), None, MAX_ITEMS).await.map_err(text)?;
            let mut messages: Vec<_> = list.page.items.into_iter().map(|view| view.message).collect();
            // The last name that was read stays.
            messages.iter_mut().flat_map(|message| message.images.values_mut()).for_each(|name| *name = None);
            let unread = list.unread.map(|unread| unread.count);
            if unread != Some(messages.len().min(MAX_EXACT)) {
                return Err(format!("{id} has {unread:?} unread of {} messages", messages.len()));
            }
            all.insert(tenant(id), messages);
        }
        Ok(all)
    }
}

/// What an event is about.
fn subject_of(event: &Value) -> Option<Subject> {
    if event["kind"] == "grant.ended" {
        let (owner, recipient) = (event["key"]["owner"].as_str()?, event["recipient"].as_str()?);
        return Some(Subject::KeyGrant(format!("{owner}#key {recipient}")));
    }
    let image = event["image"]["id"].as_str()?.parse().ok()?;
    match event["recipient"].as_str() {
        Some(recipient) => Some(Subject::Pair((image, recipient.parse().ok()?))),
        None => Some(Subject::Image(image)),
    }
}

/// The events of one change have one sequence for each audience, greater than those before.
fn check_sequences<'a, T: Ord + std::fmt::Debug>(
    last: &mut BTreeMap<&'a T, u64>,
    of: &'a T,
    events: &[Value],
) -> Result<(), Violation> {
    let sequences: BTreeSet<_> =
        events.iter().map(|event| event["sequence"].as_u64().unwrap_or_default()).collect();
    let Some(sequence) = sequences.first() else { return Ok(()) };
    if sequences.len() > 1 || last.get(of).is_some_and(|last| last >= sequence) {
        return Err(format!("{of:?} has the sequences {sequences:?} after {last:?}"));
    }
    last.insert(of, *sequence);
    Ok(())
}

fn text(problem: impl std::fmt::Display) -> Violation {
    problem.to_string()
}
