//! Share rules in the model: which images they match, whom they reach, what they have to do, and what they may do.
//!
//! A rule acts when the function `effects` handles a change, by the state in which it does. So a job of a rule has to
//! follow from some state since its actor began; and what was the case from a change to the end of the history has to
//! have led to a job.

use std::collections::BTreeSet;

use imageshare::domain::{ImageId, Job as StoredJob, Task as StoredTask, TenantId, Visibility};
use imageshare_tests::local_service::tenant;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::history::{Action, IMAGES, LATER_IMAGES, TENANTS, image_id};
use crate::model::{Model, Violation};
use crate::state::State;

/// The rules that an owner may have.
pub const RULES: u8 = 2;

/// A share rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub pattern: Pattern,
    pub recipients: Recipients,
    pub enabled: bool,
    pub withdraws: bool,
}

/// The pattern of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Images with the tag `golden`.
    Golden,
    /// Images whose name begins with `web`.
    Web,
    /// Images with that system.
    Linux,
    /// Images without a name: all that were registered and not described since.
    Unnamed,
}

/// The recipients of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// The third tenant, by its id.
    Project,
    /// The fourth tenant, while it is in an account.
    Named,
    /// The only project of an account.
    Solo,
    /// The projects of the first owner's account.
    Home,
    /// The members of the owners' organization.
    Organization,
}

/// What an owner writes into the record of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Description {
    /// Nothing, as when it is registered.
    #[default]
    None,
    Web,
    WebGoldenLinux,
    GoldenWindows,
}

/// The directory's entry of a tenant that is no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Solo,
    Home,
    Acme,
    /// In an account of its own, and in the owners' organization.
    Member,
}

/// A change of what share rules depend on. It is made at once, and never killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    Put { owner: TenantId, rule: u8, details: Rule },
    Delete { owner: TenantId, rule: u8 },
    Enable { owner: TenantId, rule: u8, enabled: bool },
    Enter { tenant: TenantId, entry: Option<Entry> },
    Describe { image: ImageId, description: Description },
}

impl Pattern {
    pub fn matches(self, description: Description) -> bool {
        use Description::{GoldenWindows, Web, WebGoldenLinux};
        match self {
            Self::Golden => matches!(description, WebGoldenLinux | GoldenWindows),
            Self::Web => matches!(description, Web | WebGoldenLinux),
            Self::Linux => description == WebGoldenLinux,
            Self::Unnamed => matches!(description, Description::None | GoldenWindows),
        }
    }
}

/// Account, project and organization of a tenant.
type Names = (&'static str, &'static str, Option<&'static str>);

impl State {
    /// The names of a tenant in the directory.
    pub fn names(&self, id: &TenantId) -> Option<Names> {
        let project = match TENANTS.iter().position(|name| *name == id.as_str())? {
            0 => return Some(("home", "aa", Some("o-1"))),
            1 => return Some(("away", "bb", Some("o-1"))),
            2 => "cc",
            _ => "dd",
        };
        Some(match self.entries.get(id)? {
            Entry::Solo => ("solo", project, None),
            Entry::Home => ("home", project, None),
            Entry::Acme => ("acme", project, None),
            Entry::Member => ("many", project, Some("o-1")),
        })
    }

    /// The recipients of an owner's rule.
    pub fn recipients(&self, owner: &TenantId, recipients: Recipients) -> BTreeSet<TenantId> {
        let all = || TENANTS.iter().map(|id| tenant(id));
        let of_account = |account: &str| {
            let found: BTreeSet<_> =
                all().filter(|id| self.names(id).is_some_and(|(of, _, _)| of == account)).collect();
            let is_own = self.names(owner).is_some_and(|(of, _, _)| of == account);
            if is_own || found.len() == 1 { found } else { BTreeSet::new() }
        };
        let mut found = match recipients {
            Recipients::Project => [tenant(TENANTS[2])].into(),
            Recipients::Solo => of_account("solo"),
            Recipients::Home => of_account("home"),
            Recipients::Named => all().filter(|id| self.is_named(id, recipients)).collect(),
            Recipients::Organization => all().filter(|id| self.is_named(id, recipients)).collect(),
        };
        found.remove(owner);
        found
    }

    /// Whether a rule names a tenant other than by its id.
    fn is_named(&self, id: &TenantId, recipients: Recipients) -> bool {
        let Some((account, project, organization)) = self.names(id) else { return false };
        match recipients {
            Recipients::Project => false,
            Recipients::Named => (account, project) == ("acme", "dd"),
            Recipients::Solo => account == "solo",
            Recipients::Home => account == "home",
            Recipients::Organization => organization.is_some(),
        }
    }

    pub fn description(&self, image: &ImageId) -> Description {
        self.descriptions.get(image).copied().unwrap_or_default()
    }

    /// Whether the image exists and a rule of its owner matches it.
    fn matches(&self, owner: &TenantId, rule: Rule, image: &ImageId) -> bool {
        self.image(image).is_some_and(|found| found.owner == *owner)
            && rule.pattern.matches(self.description(image))
    }

    /// The same, and it can be shared.
    fn would_share(&self, owner: &TenantId, rule: Rule, image: &ImageId) -> bool {
        self.matches(owner, rule, image)
            && self.image(image).is_some_and(|found| found.visibility == Visibility::Shared)
    }
}

/// A job that a rule has made.
#[derive(Debug, Clone)]
pub struct RuleJob {
    pub shares: bool,
    pub images: Vec<ImageId>,
    pub tenants: BTreeSet<TenantId>,
}

impl Model {
    /// Records a change of what share rules depend on.
    pub fn apply_rule_change(&mut self, change: &RuleChange) {
        let mut next = self.state().clone();
        match change.clone() {
            RuleChange::Put { owner, rule, details } => drop(next.rules.insert((owner, rule), details)),
            RuleChange::Delete { owner, rule } => drop(next.rules.remove(&(owner, rule))),
            RuleChange::Enable { owner, rule, enabled } => {
                next.rules.entry((owner, rule)).and_modify(|found| found.enabled = enabled);
            }
            RuleChange::Enter { tenant, entry: Some(entry) } => drop(next.entries.insert(tenant, entry)),
            RuleChange::Enter { tenant, entry: None } => drop(next.entries.remove(&tenant)),
            RuleChange::Describe { image, description } => {
                next.descriptions.insert(image, description);
            }
        }
        self.states.push(next);
    }

    /// Checks a job that rules have made, by an actor that began in that state: because of a change, or because their
    /// owner applied one of them.
    pub fn check_rule_job(
        &self,
        job: &StoredJob,
        began: usize,
        applied: Option<u8>,
    ) -> Result<(), Violation> {
        let (owner, states) = (&job.creator, &self.states[began..]);
        let shares = job.task == StoredTask::Share;
        let is_right = |number: u8| {
            let key = (owner.clone(), number);
            let versions = states.iter().filter_map(|state| Some((state, *state.rules.get(&key)?)));
            let acting: Vec<_> = versions
                .filter(|(_, rule)| (applied.is_some() || rule.enabled) && (shares || rule.withdraws))
                .collect();
            let fits = |image: &ImageId| {
                let rules = acting.iter().map(|(_, rule)| *rule);
                rules
                    .flat_map(|rule| states.iter().map(move |state| (state, rule)))
                    .any(|(state, rule)| state.matches(owner, rule, image) == shares)
            };
            let reached: BTreeSet<_> = acting
                .iter()
                .flat_map(|(_, rule)| {
                    states.iter().map(move |state| state.recipients(owner, rule.recipients))
                })
                .flatten()
                .collect();
            job.images.iter().all(fits) && job.tenants.iter().all(|tenant| reached.contains(tenant))
        };
        let mut numbers = applied.map_or(0..RULES, |number| number..number + 1);
        if numbers.any(is_right) { Ok(()) } else { Err(format!("no share rule makes {job:?}")) }
    }

    /// Checks that rules have acted on an image that was registered or changed from the state before `changed` on.
    pub fn check_acted_on_image(
        &self,
        image: &ImageId,
        changed: usize,
        jobs: &[RuleJob],
    ) -> Result<(), Violation> {
        let (before, since) = (&self.states[changed - 1], &self.states[changed..]);
        for (owner, number, rule) in self.unchanged_rules(changed) {
            let begins = !before.would_share(&owner, rule, image);
            if begins && since.iter().all(|state| state.would_share(&owner, rule, image)) {
                let recipients = self.lasting_recipients(&owner, rule, changed - 1);
                expect_shared(jobs, (&owner, number), image, &recipients)?;
            }
        }
        Ok(())
    }

    /// Checks that rules have acted on a tenant whose entry in the directory was changed.
    pub fn check_acted_on_entry(
        &self,
        id: &TenantId,
        changed: usize,
        jobs: &[RuleJob],
    ) -> Result<(), Violation> {
        let before = &self.states[changed - 1];
        for (owner, number, rule) in self.unchanged_rules(changed) {
            let joined =
                !before.is_named(id, rule.recipients) && self.states[changed].is_named(id, rule.recipients);
            if !joined || !self.lasting_recipients(&owner, rule, changed).contains(id) {
                continue;
            }
            for image in IMAGES.iter().chain(&LATER_IMAGES).map(|id| image_id(id)) {
                let mut since = self.states[changed - 1..].iter();
                if since.all(|state| state.would_share(&owner, rule, &image)) {
                    expect_shared(jobs, (&owner, number), &image, &[id.clone()].into())?;
                }
            }
        }
        Ok(())
    }

    /// The number of times that an image has begun to match any version of a rule: no change makes more than one job.
    pub fn begins_to_match(
        &self,
        (owner, number): (&TenantId, u8),
        image: &ImageId,
        changes: &[usize],
    ) -> usize {
        let versions: Vec<_> = self
            .states
            .iter()
            .filter_map(|state| state.rules.get(&(owner.clone(), number)).copied())
            .collect();
        let begins = |changed: &&usize| {
            let (before, after) = (&self.states[**changed - 1], &self.states[**changed]);
            versions
                .iter()
                .any(|rule| after.matches(owner, *rule, image) && !before.would_share(owner, *rule, image))
        };
        changes.iter().filter(begins).count()
    }

    /// How often a rule was created, or 1.
    pub fn lives_of_rule(&self, owner: &TenantId, number: u8) -> usize {
        let is_there = |state: &State| state.rules.contains_key(&(owner.clone(), number));
        let creations = self.states.windows(2).filter(|states| !is_there(&states[0]) && is_there(&states[1]));
        creations.count().max(1)
    }

    /// The rules that are enabled and the same from just before a change to the end.
    fn unchanged_rules(&self, changed: usize) -> Vec<(TenantId, u8, Rule)> {
        let since = &self.states[changed - 1..];
        let enabled = self.state().rules.iter().filter(|(_, rule)| rule.enabled);
        let unchanged =
            enabled.filter(|(key, rule)| since.iter().all(|state| state.rules.get(*key) == Some(*rule)));
        unchanged.map(|((owner, number), rule)| (owner.clone(), *number, *rule)).collect()
    }

    /// The tenants that a rule has reached from a state to the end.
    fn lasting_recipients(&self, owner: &TenantId, rule: Rule, since: usize) -> BTreeSet<TenantId> {
        let mut lasting = self.states[since].recipients(owner, rule.recipients);
        for state in &self.states[since..] {
            let now = state.recipients(owner, rule.recipients);
            lasting.retain(|tenant| now.contains(tenant));
        }
        lasting
    }
}

fn expect_shared(
    jobs: &[RuleJob],
    rule: (&TenantId, u8),
    image: &ImageId,
    recipients: &BTreeSet<TenantId>,
) -> Result<(), Violation> {
    for recipient in recipients {
        let is_shared =
            |job: &RuleJob| job.shares && job.images.contains(image) && job.tenants.contains(recipient);
        if !jobs.iter().any(is_shared) {
            return Err(format!("rule {rule:?} has not shared {image} with {recipient}"));
        }
    }
    Ok(())
}

/// Generates a delivery of changes, a change of what rules depend on, or the application of a rule.
pub fn any_rule_action() -> impl Strategy<Value = Action> {
    let skip = prop_oneof![3 => Just(0), 1 => 0..20_u8];
    prop_oneof![
        6 => (skip, 1..40_u8, prop::bool::weighted(0.05))
            .prop_map(|(skip, count, refuses)| Action::DeliverChanges { skip, count, refuses }),
        1 => (any::<Index>(), 1..40_u8).prop_map(|(first, count)| Action::RedeliverChanges { first, count }),
        4 => any_rule_change().prop_map(Action::ChangeRules),
        1 => (select(&TENANTS[..2]).prop_map(tenant), 0..RULES)
            .prop_map(|(owner, rule)| Action::Apply { owner, rule }),
    ]
}

/// Generates a change of what rules depend on.
fn any_rule_change() -> impl Strategy<Value = RuleChange> {
    let key = || (select(&TENANTS[..2]).prop_map(tenant), 0..RULES);
    let image = prop_oneof![8 => select(&IMAGES[..]), 1 => select(&LATER_IMAGES[..])];
    let description = select(vec![
        Description::None,
        Description::Web,
        Description::WebGoldenLinux,
        Description::GoldenWindows,
    ]);
    let entry = select(vec![Entry::Solo, Entry::Home, Entry::Acme, Entry::Member]);
    let entry = prop::option::weighted(0.8, entry);
    prop_oneof![
        6 => (key(), any_rule()).prop_map(|((owner, rule), details)| RuleChange::Put { owner, rule, details }),
        1 => key().prop_map(|(owner, rule)| RuleChange::Delete { owner, rule }),
        2 => (key(), any::<bool>())
            .prop_map(|((owner, rule), enabled)| RuleChange::Enable { owner, rule, enabled }),
        4 => (select(&TENANTS[2..]).prop_map(tenant), entry)
            .prop_map(|(tenant, entry)| RuleChange::Enter { tenant, entry }),
        7 => (image.prop_map(image_id), description)
            .prop_map(|(image, description)| RuleChange::Describe { image, description }),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let pattern = select(vec![Pattern::Golden, Pattern::Web, Pattern::Linux, Pattern::Unnamed]);
    let recipients = select(vec![
        Recipients::Project,
        Recipients::Named,
        Recipients::Solo,
        Recipients::Home,
        Recipients::Organization,
    ]);
    (pattern, recipients, prop::bool::weighted(0.85), prop::bool::weighted(0.4)).prop_map(
        |(pattern, recipients, enabled, withdraws)| Rule { pattern, recipients, enabled, withdraws },
    )
}
