//! The rules of consent, for one pair.
//!
//! What a vault's owner reserved by accepting a full-ECS image is given back when the membership ends. So such an image,
//! unlike others, does not begin anew as accepted by an answer that came before the share: it waits, as if nothing had
//! been said, until it is accepted into a vault again.

use super::decision::Decision;
use super::known::{Known, Rules, grant_of};
use crate::domain::{
    Encryption, ImageHead, ImageId, KeyGrant, Kind, Membership, Outcome, Reservation, Stamp, Status, Task,
    TenantId, VaultId, Visibility,
};

/// What is to be done to a pair that nothing stands in the way of.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// What the membership becomes; `None` where it stays.
    pub(super) becomes: Option<Membership>,
    /// Whether the image is offered by it, so that what its owner says of it must be as it was read.
    pub(super) offers: bool,
    /// The grant that this relies on.
    pub(super) grant: Option<KeyGrant>,
}

impl From<Option<Membership>> for Effect {
    fn from(becomes: Option<Membership>) -> Self {
        Self { becomes, ..Self::default() }
    }
}

/// One pair, with what is known and with what has been decided of the pairs before it.
pub(super) struct Pair<'a> {
    pub(super) image: &'a ImageId,
    pub(super) tenant: &'a TenantId,
    pub(super) known: &'a Known,
    pub(super) before: &'a Decision,
    pub(super) rules: Rules<'a>,
}

impl Pair<'_> {
    /// Decides what a task does to the pair.
    ///
    /// # Errors
    /// The outcome of a pair that fails; then nothing is written of it.
    pub(super) fn decide(&self, task: &Task, stamp: Stamp) -> Result<Effect, Outcome> {
        match task {
            // Before the image was deleted it may have been shared again, by a later request.
            Task::Unshare if self.known_image().is_none() => {
                Ok(Membership::end(self.current(), stamp).into())
            }
            Task::Unshare => Ok(Membership::unshare(self.current(), stamp).into()),
            Task::Refresh => Ok(self.stands().cloned().filter(|_| self.known_image().is_some()).into()),
            Task::Share => self.share(Membership::share(self.current(), stamp)),
            Task::Respond { status, vault } | Task::RespondToAll { status, vault, .. } => {
                self.answer(*status, vault.as_ref(), stamp)
            }
        }
    }

    /// Decides on a share that would make the membership so.
    pub(super) fn share(&self, becomes: Option<Membership>) -> Result<Effect, Outcome> {
        let image = self.known_image().ok_or(Outcome::ImageGone)?;
        can_be_shared(image)?;
        let Some(becomes) = becomes.map(|becomes| accepted_into_a_vault(image, becomes)) else {
            return Ok(Effect::default());
        };
        let begins = self.current().is_none_or(|current| current.standing().is_none());
        if begins {
            self.has_room(image)?;
        }
        let grant = match self.may_receive(image) {
            Ok(grant) => grant,
            // Who is a member stays one (decision 6); but not beyond an earlier unshare that is carried out later, which
            // would let it begin anew with this share.
            Err(_) if self.current().and_then(Membership::status) == becomes.status() => {
                return Ok(Effect::default());
            }
            Err(outcome) => return Err(outcome),
        };
        self.may_ask(image, &becomes)?;
        Ok(Effect { becomes: Some(becomes), offers: begins, grant })
    }

    /// Whether the image may have one more member.
    fn has_room(&self, image: &ImageHead) -> Result<(), Outcome> {
        let growth = i64::from(self.before.members_growth(self.image)) + 1;
        let most = i64::from(self.rules.limits.members_of(image));
        if growth > 0 && i64::from(image.members) + growth > most {
            Err(Outcome::MemberLimit)
        } else {
            Ok(())
        }
    }

    /// Whether the image may be shared with the tenant now. Returns the grant that this relies on.
    fn may_receive(&self, image: &ImageHead) -> Result<Option<KeyGrant>, Outcome> {
        let grant = grant_of(image, self.tenant);
        if grant.as_ref().is_some_and(|grant| !self.known.grants.contains(grant)) {
            return Err(Outcome::KeyNotGranted);
        }
        self.is_of_this_region()?;
        Ok(grant)
    }

    /// Membership first: a stranger must not learn from the outcome whether the image exists.
    fn answer(&self, status: Status, vault: Option<&VaultId>, stamp: Stamp) -> Result<Effect, Outcome> {
        let overtaken = self.current().is_some_and(|current| current.is_withdrawn_after(stamp));
        let refused = if overtaken { Outcome::Overtaken } else { Outcome::NotAMember };
        let becomes = Membership::answer(self.current(), stamp, status).map_err(|_| refused)?;
        let image = self.known_image().ok_or(Outcome::ImageGone)?;
        let Some(becomes) = becomes else { return Ok(Effect::default()) };
        self.may_ask(image, &becomes)?;
        let reservation = if status == Status::Accepted { self.reservation(image, vault)? } else { None };
        let becomes = match reservation {
            Some(reservation) => becomes.reserving(reservation),
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
        let Kind::FullEcs { backup_gib: gib, .. } = image.make.kind else { return Ok(None) };
        let held = self.current().and_then(Membership::reserved);
        match (held, vault) {
            (Some(_), None) => return Ok(None),
            (Some(held), Some(vault)) if held.vault == *vault => return Ok(None),
            _ => {}
        }
        let vault = vault.ok_or(Outcome::NoVault)?;
        let key = (self.tenant.clone(), vault.clone());
        self.known.vaults.get(&key).ok_or(Outcome::NoVault)?.takes(gib, self.before.reserved_growth(&key))?;
        Ok(Some(Reservation { vault: vault.clone(), gib }))
    }

    fn is_of_this_region(&self) -> Result<(), Outcome> {
        match self.known.tenants.get(self.tenant).and_then(|tenant| tenant.region.as_deref()) {
            None if self.rules.directory_is_complete => Err(Outcome::UnknownTenant),
            Some(region) if region != self.rules.region => Err(Outcome::OtherRegion),
            None | Some(_) => Ok(()),
        }
    }

    /// Whether one more image may wait for the tenant's answer, where the membership becomes one that waits.
    fn may_ask(&self, image: &ImageHead, becomes: &Membership) -> Result<(), Outcome> {
        if !becomes.is_pending() || self.current().is_some_and(Membership::is_pending) {
            return Ok(());
        }
        let Some(inbox) = self.known.inboxes.get(self.tenant) else { return Ok(()) };
        let (growth, growth_of_owner) = self.before.pending_growth(self.tenant, &image.owner);
        let of_owner = inbox.of_owner.get(&image.owner).copied().unwrap_or_default();
        if i64::from(of_owner) + growth_of_owner >= i64::from(self.rules.limits.pending_per_owner) {
            Err(Outcome::OwnerPendingLimit)
        } else if i64::from(inbox.waiting) + growth >= i64::from(self.rules.limits.pending_per_tenant) {
            Err(Outcome::PendingLimit)
        } else {
            Ok(())
        }
    }

    /// The outcome of a task that has that effect on the pair: done if the pair is then as the task wants it, overtaken if a
    /// later request wants it otherwise.
    pub(super) fn outcome(&self, task: &Task, effect: &Effect) -> Outcome {
        let after = effect.becomes.as_ref().or(self.current());
        let status = after.and_then(Membership::status);
        let is_as_wanted = match task {
            Task::Share => status.is_some(),
            Task::Unshare => status.is_none(),
            Task::Refresh => true,
            Task::Respond { status: wanted, .. } | Task::RespondToAll { status: wanted, .. } => {
                status == Some(*wanted)
            }
        };
        if is_as_wanted { Outcome::Done } else { Outcome::Overtaken }
    }

    /// The membership that there is.
    fn current(&self) -> Option<&Membership> {
        self.known.membership(self.image, self.tenant)
    }

    /// The membership, if it stands.
    fn stands(&self) -> Option<&Membership> {
        self.current().filter(|current| current.standing().is_some())
    }

    fn known_image(&self) -> Option<&ImageHead> {
        self.known.images.get(self.image)
    }
}

/// The same, where it is accepted only if that needs no vault or is reserved.
fn accepted_into_a_vault(image: &ImageHead, becomes: Membership) -> Membership {
    let needs_vault = matches!(image.make.kind, Kind::FullEcs { .. });
    if needs_vault && becomes.status() == Some(Status::Accepted) && becomes.reserved().is_none() {
        becomes.unanswered()
    } else {
        becomes
    }
}

/// Whether the image can be shared with anybody.
fn can_be_shared(image: &ImageHead) -> Result<(), Outcome> {
    if image.visibility != Visibility::Shared {
        return Err(Outcome::NotShareable);
    }
    if image.make.encryption == Encryption::DefaultKey {
        return Err(Outcome::DefaultKey);
    }
    match image.make.kind {
        Kind::FullEcs { from_backup: false, .. } => Err(Outcome::NotFromBackup),
        Kind::FullEcs { .. } | Kind::SystemDisk | Kind::DataDisk => Ok(()),
    }
}
