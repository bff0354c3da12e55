//! The operations of the service, each implemented once for all facades. A use case takes the caller and domain
//! values; its code follows the first sentence of its doc comment.

mod accept_batch;
mod access;
mod access_keys;
mod change_membership;
mod change_permissions;
mod cloud_images;
mod conflict_retries;
mod counterparts;
mod directory;
mod earlier_jobs;
mod effects;
mod error;
mod execute;
mod failures;
mod idempotency;
mod images;
mod job_status;
mod key_grants;
mod list_images;
mod list_jobs;
mod list_members;
mod marker;
mod messages;
mod outcome_error;
mod owner_policies;
mod page;
mod pending_count;
mod query_memberships;
mod quota;
mod received_images;
mod respond;
mod respond_to_all_job;
mod share;
pub mod share_rules;
mod sweep;
mod tenant_clocks;
mod unshare;
mod vaults;

pub use self::access_keys::{
    AccessKeyError, NewAccessKey, create_access_key, disable_access_key, find_created_access_key,
    list_access_keys, rename_access_key, show_access_key,
};
pub use self::change_membership::{add_member, decide_as_member, remove_member};
pub use self::change_permissions::{DryRun, change_permissions};
pub use self::cloud_images::{
    CLOUD_DETAILS_TIME, CLOUD_STATE, CLOUD_STATE_TIME, CloudImage, CloudImageOutcome, CloudState,
    follow_cloud_image,
};
pub use self::counterparts::{CounterpartNames, MembershipSide, names_of};
pub use self::directory::{
    DirectoryError, delete_tenant, find_project, find_tenant, list_tenants, own_entry, put_tenant,
    show_tenant,
};
pub use self::effects::{apply_share_rules, deliver_messages, derive_events, list_accepted_jobs};
pub use self::error::{ExceededLimit, UseCaseError};
pub use self::execute::{execute, fail_remaining};
pub use self::idempotency::find_earlier_job;
pub use self::images::{
    IfShared, NewImage, delete_image, delete_image_if, register_image, show_image, update_image,
};
pub use self::job_status::{job_status, wait_for_job};
pub use self::key_grants::{
    DependentMemberships, KeyGrantError, grant_key, list_dependent_memberships, list_key_grants,
    list_missing_key_grants, revoke_key_grant, show_key_grant,
};
pub use self::list_images::{
    Direction, ImagePage, ImageQuery, ImageRow, IndexFilter, ListReason, Sort, SortKey, VisibleImage,
    find_images, list_images,
};
pub use self::list_jobs::{JobQuery, list_jobs};
pub use self::list_members::{MemberCounts, MemberList, list_members, list_members_by_status, show_member};
pub use self::marker::Marker;
pub use self::messages::{
    MAX_UNREAD_COUNT, MessageError, MessageList, MessageView, UnreadCount, count_unread_messages,
    deliver_message, list_messages, list_unread_messages, mark_message, mark_messages_read, show_message,
    wait_for_unread_messages,
};
pub(crate) use self::outcome_error::{outcome_code, outcome_error, rule_error};
pub use self::owner_policies::{
    OwnerPolicyError, delete_owner_policy, list_owner_policies, put_owner_policy, show_owner_policy,
};
pub use self::page::Page;
pub use self::pending_count::{MAX_BRIEF_COUNT, PendingCount, full_pending_count, pending_count};
pub use self::query_memberships::{
    MembershipPage, MembershipPosition, MembershipQuery, MembershipRow, query_memberships,
};
pub use self::quota::{Quota, quota};
pub use self::received_images::{ReceivedImage, find_received, images_with_granted_key, list_received};
pub use self::respond::{respond, respond_to_all, respond_to_owners};
pub use self::share::share;
pub use self::sweep::{SweepReport, sweep, unblock_queues};
pub use self::unshare::unshare;
pub use self::vaults::{VaultError, delete_vault, list_vaults, put_vault, show_vault};
