//! A pair of a step, and a request on it for the rules to check.

use super::guard::Guard;
use super::step_input::{Rules, StepInput};
use super::step_plan::Plan;
use super::verdict::{Basis, Unguarded, Violation};
use crate::domain::{ImageHead, ImageId, Membership, Outcome, Stamp, Task, TenantId, VaultId};

/// One pair, with the input of its step and the plan for the pairs before it.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) image: &'a ImageId,
    pub(super) tenant: &'a TenantId,
    pub(super) input: &'a StepInput,
    pub(super) plan_so_far: &'a Plan,
    pub(super) rules: Rules<'a>,
}

impl<'a> Pair<'a> {
    /// The membership that was read.
    pub(super) fn current(&self) -> Option<&'a Membership> {
        self.input.membership(self.image, self.tenant)
    }

    /// The membership, if it is active.
    pub(super) fn active_membership(&self) -> Option<&'a Membership> {
        self.current().filter(|current| current.active().is_some())
    }

    /// The image, unless it is deleted.
    pub(super) fn image_head(&self) -> Option<&'a ImageHead> {
        self.input.images.get(self.image)
    }

    /// The guard that the membership is still as it was read.
    pub(super) fn membership_unchanged(&self) -> Guard {
        Guard::MembershipUnchanged { image: self.image.clone(), tenant: self.tenant.clone() }
    }
}

/// A pair of a task, after its image has been read and before anything is decided. What a rule reads follows from it.
pub(super) struct Subject<'a> {
    pub(super) task: &'a Task,
    pub(super) image: &'a ImageHead,
    pub(super) tenant: &'a TenantId,
    pub(super) input: &'a StepInput,
}

/// A request on a pair, for the rules to check.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) pair: &'a Pair<'a>,
    /// The stamp of the request.
    pub(super) stamp: Stamp,
    /// The membership that the request results in; `None` if the recipient has no membership to decide on.
    pub(super) next: Option<&'a Membership>,
    /// The vault that the request names, or the policy by which a share is accepted.
    pub(super) vault: Option<&'a VaultId>,
}

impl<'a> Case<'a> {
    /// The image.
    ///
    /// # Errors
    /// The violation that every rule about the image reports if the image is deleted. It is final: the id is never
    /// used again.
    pub(super) fn image(&self) -> Result<&'a ImageHead, Violation> {
        let deleted = Violation { outcome: Outcome::ImageDeleted, basis: Unguarded::Final.into() };
        self.pair.image_head().ok_or(deleted)
    }

    /// What a satisfied rule about the image rests on: if a membership begins, the image as it was read. An owner may
    /// change an image later without ending a membership, so one that is active already needs no guard.
    pub(super) fn image_basis(&self, image: &ImageHead) -> Basis {
        if self.begins() {
            Guard::ImageUnchanged { image: image.id.clone(), revision: image.revision }.into()
        } else {
            Unguarded::ChangeMayFollow.into()
        }
    }

    /// Whether a membership begins with the request.
    pub(super) fn begins(&self) -> bool {
        let is_active = |membership: &Membership| membership.active().is_some();
        self.next.is_some_and(is_active) && !self.pair.current().is_some_and(is_active)
    }
}
