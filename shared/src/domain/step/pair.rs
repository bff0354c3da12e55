//! The rules of consent, for one pair.
//!
//! What a vault's owner reserved by accepting a full-ECS image is given back when the membership ends. So such an image,
//! unlike others, does not begin anew as accepted by an answer that came before the share: it waits, as if nothing had
//! been said, until it is accepted into a vault again.

use super::step_input::{Rules, StepInput, required_key_grant};
use super::step_plan::Plan;
use crate::domain::{
    Encryption, ImageHead, ImageId, ImageKind, KeyGrant, Membership, Outcome, Reservation, Stamp, Status,
    Task, TenantId, VaultId, Visibility,
};

/// What is to be done to a pair that nothing stands in the way of.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// What the membership becomes; `None` where it stays.
    pub(super) membership: Option<Membership>,
    /// Whether the image is offered by it, so that what its owner says of it must be as it was read.
    pub(super) offers_image: bool,
    /// The grant that this relies on.
    pub(super) key_grant: Option<KeyGrant>,
}

impl From<Option<Membership>> for Effect {
    fn from(becomes: Option<Membership>) -> Self {
        Self { membership: becomes, ..Self::default() }
    }
}

/// One pair, with what is known and with what has been decided of the pairs before it.
pub(super) struct Pair<'a> {
    pub(super) image: &'a ImageId,
    pub(super) tenant: &'a TenantId,
    pub(super) input: &'a StepInput,
    pub(super) plan_so_far: &'a Plan,
    pub(super) rules: Rules<'a>,
}

impl Pair<'_> {
    /// Decides what a task does to the pair.
    ///
    /// # Errors
    /// The outcome of a pair that fails; then nothing is written of it.
    pub(super) fn plan(&self, task: &Task, stamp: Stamp) -> Result<Effect, Outcome> {
        match task {
            // Before the image was deleted it may have been shared again, by a later request.
            Task::Unshare if self.image_head().is_none() => {
                Ok(Membership::unshare_deleted_image(self.current(), stamp).into())
            }
            Task::Unshare => Ok(Membership::unshare(self.current(), stamp).into()),
            Task::Refresh => {
                Ok(self.active_membership().cloned().filter(|_| self.image_head().is_some()).into())
            }
            Task::Share => self.share(Membership::share(self.current(), stamp)),
            Task::Respond { status, vault } | Task::RespondToAll { status, vault, .. } => {
                self.respond(*status, vault.as_ref(), stamp)
            }
        }
    }

    /// Decides on a share that would make the membership so.
    pub(super) fn share(&self, becomes: Option<Membership>) -> Result<Effect, Outcome> {
        let image = self.image_head().ok_or(Outcome::ImageDeleted)?;
        check_shareable(image)?;
        let Some(becomes) = becomes.map(|becomes| pending_unless_reserved(image, becomes)) else {
            return Ok(Effect::default());
        };
        let begins = self.current().is_none_or(|current| current.active().is_none());
        if begins {
            self.check_member_limit(image)?;
        }
        let grant = match self.check_recipient(image) {
            Ok(grant) => grant,
            // Who is a member stays one (decision 6); but not beyond an earlier unshare that is carried out later, which
            // would let it begin anew with this share.
            Err(_) if self.current().and_then(Membership::status) == becomes.status() => {
                return Ok(Effect::default());
            }
            Err(outcome) => return Err(outcome),
        };
        self.check_pending_limits(image, &becomes)?;
        Ok(Effect { membership: Some(becomes), offers_image: begins, key_grant: grant })
    }

    /// Whether the image may have one more member.
    fn check_member_limit(&self, image: &ImageHead) -> Result<(), Outcome> {
        let growth = i64::from(self.plan_so_far.member_delta(self.image)) + 1;
        let most = i64::from(self.rules.limits.member_limit(image));
        if growth > 0 && i64::from(image.member_count) + growth > most {
            Err(Outcome::MemberLimit)
        } else {
            Ok(())
        }
    }

    /// Whether the image may be shared with the tenant now. Returns the grant that this relies on.
    fn check_recipient(&self, image: &ImageHead) -> Result<Option<KeyGrant>, Outcome> {
        let grant = required_key_grant(image, self.tenant);
        if grant.as_ref().is_some_and(|grant| !self.input.key_grants.contains(grant)) {
            return Err(Outcome::KeyNotGranted);
        }
        self.check_region()?;
        Ok(grant)
    }

    /// Membership first: a stranger must not learn from the outcome whether the image exists.
    fn respond(&self, status: Status, vault: Option<&VaultId>, stamp: Stamp) -> Result<Effect, Outcome> {
        let overtaken = self.current().is_some_and(|current| current.is_unshared_after(stamp));
        let refused = if overtaken { Outcome::Superseded } else { Outcome::NotAMember };
        let becomes = Membership::decide(self.current(), stamp, status).map_err(|_| refused)?;
        let image = self.image_head().ok_or(Outcome::ImageDeleted)?;
        let Some(becomes) = becomes else { return Ok(Effect::default()) };
        self.check_pending_limits(image, &becomes)?;
        let reservation = if status == Status::Accepted { self.reservation(image, vault)? } else { None };
        let becomes = match reservation {
            Some(reservation) => becomes.with_reservation(reservation),
            None => becomes,
        };
        Ok(Some(becomes).into())
    }

    /// What an acceptance of the image has to reserve, besides what the membership holds already
    /// (`contract/decisions.md` 15).
    fn reservation(
        &self,
        image: &ImageHead,
        vault: Option<&VaultId>,
    ) -> Result<Option<Reservation>, Outcome> {
        let ImageKind::FullEcs { backup_gib: gib, .. } = image.spec.kind else { return Ok(None) };
        let held = self.current().and_then(Membership::reservation);
        match (held, vault) {
            (Some(_), None) => return Ok(None),
            (Some(held), Some(vault)) if held.vault == *vault => return Ok(None),
            _ => {}
        }
        let vault = vault.ok_or(Outcome::NoVault)?;
        let key = (self.tenant.clone(), vault.clone());
        self.input
            .vaults
            .get(&key)
            .ok_or(Outcome::NoVault)?
            .check_capacity(gib, self.plan_so_far.reserved_gib_delta(&key))?;
        Ok(Some(Reservation { vault: vault.clone(), gib }))
    }

    fn check_region(&self) -> Result<(), Outcome> {
        match self.input.tenants.get(self.tenant).and_then(|tenant| tenant.region.as_deref()) {
            None if self.rules.directory_is_complete => Err(Outcome::UnknownTenant),
            Some(region) if region != self.rules.region => Err(Outcome::OtherRegion),
            None | Some(_) => Ok(()),
        }
    }

    /// Whether one more image may wait for the tenant's answer, where the membership becomes one that waits.
    fn check_pending_limits(&self, image: &ImageHead, becomes: &Membership) -> Result<(), Outcome> {
        if !becomes.is_pending() || self.current().is_some_and(Membership::is_pending) {
            return Ok(());
        }
        let Some(inbox) = self.input.inboxes.get(self.tenant) else { return Ok(()) };
        let (growth, growth_of_owner) = self.plan_so_far.pending_delta(self.tenant, &image.owner);
        let of_owner = inbox.pending_by_owner.get(&image.owner).copied().unwrap_or_default();
        if i64::from(of_owner) + growth_of_owner >= i64::from(self.rules.limits.pending_per_owner) {
            Err(Outcome::OwnerPendingLimit)
        } else if i64::from(inbox.pending) + growth >= i64::from(self.rules.limits.pending_per_tenant) {
            Err(Outcome::PendingLimit)
        } else {
            Ok(())
        }
    }

    /// The outcome of a task that has that effect on the pair: done if the pair is then as the task wants it, overtaken if a
    /// later request wants it otherwise.
    pub(super) fn outcome(&self, task: &Task, effect: &Effect) -> Outcome {
        let after = effect.membership.as_ref().or(self.current());
        let status = after.and_then(Membership::status);
        let is_as_wanted = match task {
            Task::Share => status.is_some(),
            Task::Unshare => status.is_none(),
            Task::Refresh => true,
            Task::Respond { status: wanted, .. } | Task::RespondToAll { status: wanted, .. } => {
                status == Some(*wanted)
            }
        };
        if is_as_wanted { Outcome::Done } else { Outcome::Superseded }
    }

    /// The membership that there is.
    fn current(&self) -> Option<&Membership> {
        self.input.membership(self.image, self.tenant)
    }

    /// The membership, if it stands.
    fn active_membership(&self) -> Option<&Membership> {
        self.current().filter(|current| current.active().is_some())
    }

    fn image_head(&self) -> Option<&ImageHead> {
        self.input.images.get(self.image)
    }
}

/// The same, where it is accepted only if that needs no vault or is reserved.
fn pending_unless_reserved(image: &ImageHead, becomes: Membership) -> Membership {
    let needs_vault = matches!(image.spec.kind, ImageKind::FullEcs { .. });
    if needs_vault && becomes.status() == Some(Status::Accepted) && becomes.reservation().is_none() {
        becomes.without_decision()
    } else {
        becomes
    }
}

/// Whether the image can be shared with anybody.
fn check_shareable(image: &ImageHead) -> Result<(), Outcome> {
    if image.visibility != Visibility::Shared {
        return Err(Outcome::NotShareable);
    }
    if image.spec.encryption == Encryption::DefaultKey {
        return Err(Outcome::DefaultKey);
    }
    match image.spec.kind {
        ImageKind::FullEcs { from_backup: false, .. } => Err(Outcome::NotFromBackup),
        ImageKind::FullEcs { .. } | ImageKind::SystemDisk | ImageKind::DataDisk => Ok(()),
    }
}
