//! The rules of consent, one file each: what the rule reads, what it checks, and the guards that its verdict rests on.
//!
//! A new rule is a file here, a line in the list below and its place in `consent.rs`. A verdict cannot be given
//! without guards or the reason why it needs none; a new guard does not compile until the store turns it into a
//! condition; and `tests/` has a race for every rule in the list. `shared/RULES.md` names the source of each.

mod active_member;
mod auto_accept;
mod image_exists;
mod key_grant;
mod member_limit;
mod not_hidden;
mod owner_policy;
mod pending_limit;
mod region;
mod shareable;
mod vault;

use std::collections::HashSet;

use super::pair::{Case, Subject};
use super::step_input::{ExtraRead, ExtraReads, StepInput};
use super::verdict::Verdict;
use crate::domain::{ImageId, OwnerPolicyKey, Task, TenantId};

pub(super) use self::owner_policy::trusted_share;
pub use self::region::reads_recipients;
pub use self::shareable::share_obstacle;
pub(super) use self::vault::new_reservation;

/// Defines the list of the rules, with one module for each.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident: $module:ident,)+) => {
        /// A rule about a pair.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[$doc])* $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// What the rule reads of a pair besides its image, membership and tenant.
            fn extra_read(self, subject: &Subject<'_>) -> Option<ExtraRead> {
                match self {
                    $(Self::$rule => $module::extra_read(subject),)+
                }
            }

            /// Checks the rule.
            pub(super) fn check(self, case: &Case<'_>) -> Verdict {
                match self {
                    $(Self::$rule => $module::check(case),)+
                }
            }
        }
    };
}

rules! {
    /// The image is not deleted.
    ImageExists: image_exists,
    /// The image's visibility, encryption and kind allow sharing.
    Shareable: shareable,
    /// An image that is accepted into a vault is not shared without consent.
    AutoAccept: auto_accept,
    /// An image has no more members than its limit.
    MemberLimit: member_limit,
    /// The key of an encrypted image is granted to its recipients.
    KeyGrant: key_grant,
    /// A recipient is in the deployment's region, and in the directory if that is complete.
    Region: region,
    /// A recipient may trust or block an owner.
    OwnerPolicy: owner_policy,
    /// The number of images pending for a tenant is limited, approximately.
    PendingLimit: pending_limit,
    /// Only a member decides on a share.
    ActiveMember: active_member,
    /// A full-ECS image is accepted into a vault that has room for its backups.
    Vault: vault,
    /// An image that its owner hides cannot be accepted.
    NotHidden: not_hidden,
}

/// What the rules read of the pairs of a task besides their images, memberships and tenants.
///
/// The vaults of owner policies are among it once the input has these policies.
pub fn extra_reads<'a>(
    task: &Task,
    pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
    input: &StepInput,
) -> ExtraReads {
    let mut reads = ExtraReads::default();
    for (id, tenant) in pairs {
        let Some(image) = input.images.get(id) else { continue };
        let subject = Subject { task, image, tenant, input };
        reads.extend(Rule::ALL.iter().filter_map(|rule| rule.extra_read(&subject)));
    }
    reads
}

/// The owner policies that shares of pairs depend on: those of recipients that have any, which the input has to say.
pub fn owner_policy_reads<'a>(
    pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
    input: &StepInput,
) -> HashSet<OwnerPolicyKey> {
    let of_pair = |(image, tenant)| owner_policy::relevant_policy(input.images.get(image)?, tenant, input);
    pairs.into_iter().filter_map(of_pair).collect()
}
