//! Share rules. Each is an item in its owner's partition, with a lookup for each group of tenants that it names. The
//! lookups are written in the transaction of the rule, so that a tenant that joins a group finds every rule that names
//! it. They say no more than where a rule is: who reads one reads the rule, too.

use std::collections::BTreeSet;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::directory_entry;
use super::items::share_rule::{PROBLEM, ShareRuleJob, parse, parse_rule_job, put_rule, put_rule_job};
use super::keys::{self, SK};
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{
    DirectoryEntry, JobId, MAX_SHARE_RULES, RecipientGroup, RuleProblem, ShareRule, ShareRuleName, TenantId,
};
use crate::table::{Query, Write};

/// The outcome of writing a share rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutShareRuleOutcome {
    /// The rule is written.
    Written,
    /// Another request has changed, created or deleted it since it was read.
    Conflict,
    /// The owner has the most share rules that a tenant may have.
    LimitReached,
}

/// A share rule and its owner.
pub type OwnedShareRule = (TenantId, ShareRule);

/// A position in the rules of a group: the owner and the name of a rule.
pub type GroupPosition = (TenantId, ShareRuleName);

impl Store {
    /// Creates a share rule, or replaces it if it is unchanged since `previous` was read. One transaction: the rule,
    /// its lookups, the removal of former ones, and for a new rule its owner's count.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_share_rule(
        &self,
        owner: &TenantId,
        previous: Option<&ShareRule>,
        rule: &ShareRule,
    ) -> Result<PutShareRuleOutcome, StoreError> {
        let put = put_rule(owner, rule)?;
        let mut writes = match previous {
            Some(read) => vec![item::if_unchanged(put, read.version)],
            None => vec![put.only_if("attribute_not_exists(pk)"), count_rule(owner)],
        };
        let former = previous.map(|read| read.details.recipients.groups()).unwrap_or_default();
        let groups = rule.details.recipients.groups();
        let attributes: [(String, item::AttributeValue); 0] = [];
        let put_lookup =
            |group| Write::put(item::item(keys::rule_lookup(group, owner, &rule.name), attributes.clone()));
        writes.extend(groups.difference(&former).map(put_lookup));
        writes.extend(delete_lookups(owner, &rule.name, former.difference(&groups)));
        match self.transact(&writes).await {
            Ok(()) => Ok(PutShareRuleOutcome::Written),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::ConditionFailed(reasons))
                if reasons.first().is_some_and(is_condition_failure) =>
            {
                Ok(PutShareRuleOutcome::Conflict)
            }
            Err(WriteError::ConditionFailed(_)) => Ok(PutShareRuleOutcome::LimitReached),
        }
    }

    /// Deletes a share rule if it is unchanged since it was read. The list of its jobs expires with them. One
    /// transaction: the rule, its lookups, and its owner's count.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_share_rule(&self, owner: &TenantId, read: &ShareRule) -> Result<Commit, StoreError> {
        let delete = item::if_unchanged(Write::delete(keys::share_rule(owner, &read.name)), read.version);
        let uncount = Write::update(keys::tenant(owner), "ADD share_rules :minus_one")
            .value(":minus_one", item::number(-1));
        let mut writes = vec![delete, uncount];
        writes.extend(delete_lookups(owner, &read.name, &read.details.recipients.groups()));
        self.commit(&writes).await
    }

    /// Reads a share rule. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn share_rule(
        &self,
        owner: &TenantId,
        name: &ShareRuleName,
    ) -> Result<Option<ShareRule>, StoreError> {
        self.read_one(keys::share_rule(owner, name)).await?.as_ref().map(parse).transpose()
    }

    /// Returns a tenant's share rules after `after`, ordered by name, at most `limit`; and whether there are more. One
    /// query for each megabyte.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn share_rules(
        &self,
        owner: &TenantId,
        after: Option<&ShareRuleName>,
        limit: usize,
    ) -> Result<(Vec<ShareRule>, bool), StoreError> {
        let start = after.map(|name| keys::share_rule(owner, name));
        let (items, more) = self.partition_page(keys::share_rules_partition(owner), start, limit).await?;
        Ok((items.iter().map(parse).collect::<Result<_, _>>()?, more))
    }

    /// Returns all share rules of a tenant that can be read. One that cannot is logged and left out, so that it does
    /// not keep the others from acting. One query for each megabyte.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn readable_share_rules(&self, owner: &TenantId) -> Result<Vec<ShareRule>, StoreError> {
        let limit = usize::try_from(MAX_SHARE_RULES).unwrap_or(usize::MAX);
        let (items, _) = self.partition_page(keys::share_rules_partition(owner), None, limit).await?;
        Ok(items.iter().filter_map(|item| parse_or_log(item, owner)).collect())
    }

    /// Returns a page of the share rules that name a group, and where the next page starts, if there may be one. One
    /// that cannot be read is logged and left out. One query and one batch read, strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn share_rules_of_group(
        &self,
        group: &RecipientGroup,
        after: Option<&GroupPosition>,
    ) -> Result<(Vec<OwnedShareRule>, Option<GroupPosition>), StoreError> {
        const RULES_PER_PAGE: usize = 100;
        let query = Query::new("pk = :group").value(":group", item::text(keys::rule_lookup_partition(group)));
        let start = after.map(|(owner, name)| keys::rule_lookup(group, owner, name));
        let query = Query { consistent: true, limit: Some(RULES_PER_PAGE), start, ..query };
        let page = self.query(&query).await?;
        let position = |found: &item::Item| {
            keys::parse_rule_lookup_sort_key(item::get_text(found, SK)?).ok_or(StoreError::Unreadable(SK))
        };
        let positions = page.items.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        let mut rules = Vec::with_capacity(positions.len());
        let keys = positions.iter().map(|(owner, name)| keys::share_rule(owner, name)).collect();
        for found in self.read(keys).await? {
            let owner = keys::parse_share_rules_partition(item::get_text(&found, keys::PK)?);
            let owner = owner.ok_or(StoreError::Unreadable(keys::PK))?;
            rules.extend(parse_or_log(&found, &owner).map(|rule| (owner, rule)));
        }
        Ok((rules, positions.into_iter().next_back().filter(|_| page.next.is_some())))
    }

    /// Stores what a share rule could not do, if the rule is unchanged since it was read. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn record_rule_problem(
        &self,
        owner: &TenantId,
        rule: &ShareRule,
        problem: &RuleProblem,
    ) -> Result<(), StoreError> {
        let record = Write::update(keys::share_rule(owner, &rule.name), "SET #problem = :problem")
            .name("#problem", PROBLEM)
            .value(":problem", item::json(problem)?);
        match self.update(&item::if_unchanged(record, rule.version)).await {
            Ok(_) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Adds a job to those of a share rule. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn add_rule_job(
        &self,
        owner: &TenantId,
        rule: &ShareRuleName,
        made: &ShareRuleJob,
    ) -> Result<(), StoreError> {
        self.commit(&[put_rule_job(owner, rule, made)]).await.map(drop)
    }

    /// Returns the jobs of a share rule before `before`, the newest first, at most `limit`; and whether there may be
    /// more. One query.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn rule_jobs(
        &self,
        owner: &TenantId,
        rule: &ShareRuleName,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<(Vec<ShareRuleJob>, bool), StoreError> {
        let partition = keys::share_rule_jobs_partition(owner, rule);
        let query = Query::new("pk = :rule").value(":rule", item::text(partition));
        let start = before.map(|job| keys::share_rule_job(owner, rule, job));
        let query = Query { descending: true, consistent: true, limit: Some(limit), start, ..query };
        let page = self.query(&query).await?;
        let now = self.clock.now();
        let jobs = page.items.iter().map(|found| parse_rule_job(found, now));
        let jobs: Vec<_> = jobs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        // Jobs expire in the order of their ids, so behind an expired one there are no others.
        let more = page.next.is_some() && jobs.len() == page.items.len();
        Ok((jobs, more))
    }

    /// Reads the directory entries of tenants, and leaves out those that have none. One batch read for every 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn entries_of(&self, tenants: &[TenantId]) -> Result<Vec<DirectoryEntry>, StoreError> {
        let found = self.read(tenants.iter().map(keys::tenant).collect()).await?;
        let entries = found.iter().map(directory_entry::parse).collect::<Result<Vec<_>, _>>()?;
        Ok(entries.into_iter().flatten().collect())
    }
}

/// Counts one more rule of its owner, if it has less than the most.
fn count_rule(owner: &TenantId) -> Write {
    Write::update(keys::tenant(owner), "ADD share_rules :one")
        .only_if("attribute_not_exists(share_rules) OR share_rules < :max")
        .value(":one", item::number(1))
        .value(":max", item::number(MAX_SHARE_RULES))
}

fn delete_lookups<'a>(
    owner: &TenantId,
    rule: &ShareRuleName,
    groups: impl IntoIterator<Item = &'a RecipientGroup>,
) -> Vec<Write> {
    let groups: BTreeSet<_> = groups.into_iter().collect();
    groups.into_iter().map(|group| Write::delete(keys::rule_lookup(group, owner, rule))).collect()
}

fn parse_or_log(found: &item::Item, owner: &TenantId) -> Option<ShareRule> {
    let rule = parse(found);
    if let Err(problem) = &rule {
        tracing::error!(%owner, %problem, "a share rule cannot be read, and does not act");
    }
    rule.ok()
}
