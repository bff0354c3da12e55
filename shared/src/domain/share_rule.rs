//! Share rules: an owner's standing order to share each image that matches a pattern with some recipients.
//!
//! A rule acts when an image begins to match it, when a tenant becomes one of its recipients, and when its owner
//! applies it. It acts as its owner, by ordinary jobs. A share changes no image and no entry of the directory, so no
//! rule makes another one act, or itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pattern::look_the_same;
use super::value_enum::value_enum;
use super::{
    DirectoryEntry, Image, ImageId, Name, OrganizationId, Pattern, ShareRuleName, Stamp, TenantId,
    TenantName, Timestamp, Visibility,
};

/// The maximum number of share rules of a tenant.
pub const MAX_SHARE_RULES: u32 = 100;

/// The maximum number of recipients that a rule names.
pub const MAX_RULE_RECIPIENTS: usize = 100;

/// The maximum number of these that are accounts and organizations. The lookups of an old and a new version of a rule
/// are written in one transaction with it.
pub const MAX_RULE_GROUPS: usize = 40;

/// A share rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareRule {
    /// Its name.
    pub name: ShareRuleName,
    /// What its owner sets.
    pub details: RuleDetails,
    /// The number of its changes since it was created, for its owner.
    pub revision: u64,
    /// Unique to this version of it, also among rules that have had its name before. A change is written only onto the
    /// version that it was made from.
    pub version: Stamp,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What it could not do, since it was last changed: the last time.
    pub problem: Option<RuleProblem>,
}

/// The part of a rule that its owner sets.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleDetails {
    /// The images that it shares.
    pub pattern: Pattern,
    /// Whom it shares them with.
    pub recipients: RuleRecipients,
    /// Whether it acts by itself. Its owner can apply it all the same.
    pub enabled: bool,
    /// Whether an image that no longer matches is unshared from its recipients.
    pub withdraw_unmatched: bool,
}

/// The recipients of a rule, each kind without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRecipients {
    /// Tenants by their ids.
    pub projects: Vec<TenantId>,
    /// Tenants by their names. An account without a project means its only one in this region, or all of them if it
    /// is the owner's own account.
    pub accounts: Vec<TenantName>,
    /// Organizations, whose members in this region receive the images, if the owner is one of the members.
    pub organizations: Vec<OrganizationId>,
}

/// A group of tenants that a rule can name. A rule has a lookup for each, which finds it when a tenant joins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecipientGroup {
    /// The projects of an account.
    Account(Name),
    /// The members of an organization.
    Organization(OrganizationId),
}

/// What a change of an image means to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageChange {
    /// The image begins to match, or to be shareable while it matches.
    Matched,
    /// The image no longer matches.
    Unmatched,
}

/// Why a rule made a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareRuleCause {
    /// An image began to match.
    ImageMatched,
    /// An image no longer matched.
    ImageUnmatched,
    /// A tenant became one of the recipients.
    TenantJoined,
    /// Its owner applied it.
    Applied,
}

value_enum!(ShareRuleCause {
    ImageMatched = "image_matched", ImageUnmatched = "image_unmatched", TenantJoined = "tenant_joined"
    or Applied = "applied"
});

/// Something that a rule could not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleProblem {
    /// When it tried.
    pub at: Timestamp,
    /// The image that it could not share or unshare.
    pub image: ImageId,
    /// Why.
    #[serde(flatten)]
    pub kind: RuleProblemKind,
}

/// Why a rule could not do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleProblemKind {
    /// The image has no members, as its visibility is not `shared`.
    NotShared {
        /// Its visibility.
        visibility: Visibility,
    },
    /// A recipient's id is the name of a project of the owner's account.
    ProjectNameAsId {
        /// The id of the rule.
        named: TenantId,
        /// The project of that name.
        tenant: TenantId,
    },
    /// The owner has too many open jobs.
    QueueFull {
        /// The limit of pairs in open jobs.
        max_pairs: u32,
    },
    /// Another reason, which the log names.
    Refused,
}

impl ShareRule {
    /// What a change of an image from `old`, if it existed, to `new` means to the rule; `None` if it means nothing.
    pub fn change(&self, old: Option<&Image>, new: &Image) -> Option<ImageChange> {
        let pattern = &self.details.pattern;
        let before = old.filter(|old| pattern.matches(old));
        match (before, pattern.matches(new)) {
            (None, true) => Some(ImageChange::Matched),
            (Some(old), true) => {
                let is_shareable_now = new.visibility.allows_sharing() && !old.visibility.allows_sharing();
                is_shareable_now.then_some(ImageChange::Matched)
            }
            (Some(_), false) => self.details.withdraw_unmatched.then_some(ImageChange::Unmatched),
            (None, false) => None,
        }
    }
}

impl RuleRecipients {
    /// How many recipients it names.
    pub fn len(&self) -> usize {
        self.projects.len() + self.accounts.len() + self.organizations.len()
    }

    /// Whether it names no recipient.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups that it names, also those of which it names one project only.
    pub fn groups(&self) -> BTreeSet<RecipientGroup> {
        let accounts = self.accounts.iter().map(|named| RecipientGroup::Account(named.account.clone()));
        let organizations = self.organizations.iter().cloned().map(RecipientGroup::Organization);
        accounts.chain(organizations).collect()
    }

    /// Whether a tenant is a recipient by its account, its name or its organization, wherever it is.
    pub fn name_entry(&self, entry: &DirectoryEntry) -> bool {
        let is_named = |named: &TenantName| {
            named.account == entry.account
                && named.project.as_ref().is_none_or(|project| *project == entry.project)
        };
        self.accounts.iter().any(is_named)
            || entry.organization.as_ref().is_some_and(|of| self.organizations.contains(of))
    }
}

impl RecipientGroup {
    /// The groups of a tenant.
    pub fn of(entry: &DirectoryEntry) -> BTreeSet<Self> {
        let account = Self::Account(entry.account.clone());
        let organization = entry.organization.clone().map(Self::Organization);
        std::iter::once(account).chain(organization).collect()
    }
}

/// Whether a change of an image can mean anything to a rule.
pub fn is_visible_change(old: Option<&Image>, new: &Image) -> bool {
    old.is_none_or(|old| !look_the_same(old, new))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Details;

    fn image(name: &str, visibility: Visibility) -> Image {
        Image {
            id: "image".parse().unwrap(),
            owner: "owner".parse().unwrap(),
            visibility,
            details: Details { name: Some(name.to_owned()), ..Details::default() },
            created: Timestamp::from_unix_millis(1),
            updated: Timestamp::from_unix_millis(1),
            revision: 1,
        }
    }

    fn rule(withdraw_unmatched: bool) -> ShareRule {
        let pattern = Pattern::parse(&json!({"name": [{"prefix": "golden"}]})).unwrap();
        let recipients = RuleRecipients::default();
        ShareRule {
            name: "rule".parse().unwrap(),
            details: RuleDetails { pattern, recipients, enabled: true, withdraw_unmatched },
            revision: 1,
            version: Stamp::now(),
            created: Timestamp::from_unix_millis(1),
            updated: Timestamp::from_unix_millis(1),
            problem: None,
        }
    }

    #[test]
    fn rule_acts_only_when_an_image_begins_or_ends_to_match() {
        use ImageChange::{Matched, Unmatched};
        let (shared, private) = (Visibility::Shared, Visibility::Private);
        let (golden, plain) = (image("golden-1", shared), image("plain", shared));
        let hidden = image("golden-1", private);
        for (old, new, expected) in [
            (None, &golden, Some(Matched)),
            (None, &plain, None),
            (None, &hidden, Some(Matched)),
            (Some(&plain), &golden, Some(Matched)),
            (Some(&golden), &golden, None),
            (Some(&golden), &image("golden-2", shared), None),
            (Some(&hidden), &golden, Some(Matched)),
            (Some(&golden), &hidden, None),
            (Some(&golden), &plain, Some(Unmatched)),
            (Some(&plain), &plain, None),
        ] {
            assert_eq!(rule(true).change(old, new), expected, "{old:?} {new:?}");
            let without = expected.filter(|change| *change == Matched);
            assert_eq!(rule(false).change(old, new), without, "{old:?} {new:?}");
        }
        assert!(is_visible_change(None, &golden) && is_visible_change(Some(&plain), &golden));
        let same = Image { revision: 2, ..golden.clone() };
        assert!(!is_visible_change(Some(&golden), &same));
    }

    #[test]
    fn entry_is_a_recipient_by_its_names_or_organization() {
        let entry = |account: &str, project: &str, organization: Option<&str>| DirectoryEntry {
            tenant: "t".parse().unwrap(),
            account: account.parse().unwrap(),
            project: project.parse().unwrap(),
            region: "here".parse().unwrap(),
            organization: organization.map(|organization| organization.parse().unwrap()),
            cloud_account: None,
        };
        let named = |account: &str, project: Option<&str>| TenantName {
            account: account.parse().unwrap(),
            project: project.map(|project| project.parse().unwrap()),
        };
        let recipients = RuleRecipients {
            projects: vec!["other".parse().unwrap()],
            accounts: vec![named("acme", None), named("solo", Some("web"))],
            organizations: vec!["o-1".parse().unwrap()],
        };
        for (entry, expected) in [
            (entry("acme", "any", None), true),
            (entry("solo", "web", None), true),
            (entry("solo", "shop", None), false),
            (entry("solo", "shop", Some("o-1")), true),
            (entry("none", "web", Some("o-2")), false),
        ] {
            assert_eq!(recipients.name_entry(&entry), expected, "{entry:?}");
            let is_found = !recipients.groups().is_disjoint(&RecipientGroup::of(&entry));
            assert!(is_found || !expected, "{entry:?} has no lookup");
        }
        assert_eq!((recipients.len(), recipients.groups().len()), (4, 3));
    }

    #[test]
    fn rule_problem_round_trips_through_json() {
        for kind in [
            RuleProblemKind::NotShared { visibility: Visibility::Private },
            RuleProblemKind::ProjectNameAsId { named: "web".parse().unwrap(), tenant: "t".parse().unwrap() },
            RuleProblemKind::QueueFull { max_pairs: 7 },
            RuleProblemKind::Refused,
        ] {
            let problem =
                RuleProblem { at: Timestamp::from_unix_millis(7), image: "i".parse().unwrap(), kind };
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<RuleProblem>(&text).unwrap(), problem, "{text}");
        }
    }
}
