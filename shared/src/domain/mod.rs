//! Images, memberships, jobs: plain types and pure functions. Nothing here depends on HTTP or DynamoDB, and only
//! [`Clock`], [`Stamp::now`] and [`Timestamp::now`] read a clock.

mod access;
mod access_key;
mod caller;
mod clock;
mod directory;
mod event;
mod ids;
mod image;
mod iso_time;
mod job;
mod job_entry;
mod key_grant;
mod limits;
mod member_view;
mod membership;
mod message;
mod outcome;
mod owner_policy;
mod pattern;
mod permission;
mod property_rules;
mod read_rate;
mod share_request;
mod share_rule;
mod step;
mod tenant;
mod time;
mod transition;
mod value_enum;
mod vault;

pub use self::access::{
    AccessControlled, Bypass, Denied, ImageAction, NamedMembership, NotShared, Unauthorized, authorize_admin,
    authorize_job_path, authorize_project, authorize_revocation, authorize_visibility, authorize_write,
    authorize_write_for, chooses_project, role_above, sees_all_members,
};
pub use self::access_key::{AccessKey, AccessKeyState, MAX_ACCESS_KEY_LIFETIME, SealedSecret};
pub use self::caller::{Caller, Role, SYSTEM_PROJECT};
pub use self::clock::{Clock, MAX_FUNCTION_SKEW};
pub use self::directory::{
    DirectoryEntry, NAME_FORMAT, Name, RecipientList, ResolveError, TenantName, resolve_tenant,
};
pub use self::event::{
    Audience, Event, EventImage, EventKind, EventSubject, ShareChange, WithdrawalReason, share_changes,
};
pub use self::ids::{
    AccessKeyId, CLOUD_ACCOUNT_FORMAT, CloudAccountId, ID_FORMAT, ImageId, JobId, KeyId, MalformedId,
    OrganizationId, Region, ShareRuleName, Stamp, TenantId, VaultId,
};
pub use self::image::{
    BadDetail, Details, Encryption, Image, ImageHead, ImageKind, ImageSpec, MAX_DETAILS_BYTES, MAX_TAGS,
    Visibility, is_tag,
};
pub use self::job::{Job, JobReport, JobStatus, PairResult, Task, WorkItem};
pub use self::job_entry::{JobEntry, JobKind};
pub use self::key_grant::KeyGrant;
pub use self::limits::{
    BadLimit, Limit, LimitSetting, Limits, MAX_MEMBERS_PER_IMAGE, MAX_NAMES_PER_BATCH, MAX_NAMES_PER_QUERY,
    MAX_PAIRS_PER_BATCH,
};
pub use self::member_view::MemberView;
pub use self::membership::{
    AcceptedBy, Active, Decision, Ended, MAX_RESHARES, Membership, NotAMember, Status,
};
pub use self::message::{
    MAX_MESSAGE_IMAGES, MESSAGE_RETENTION, Message, MessageId, MessageKind, MessagePart, SeenMessages,
    UnreadEntry,
};
pub use self::outcome::Outcome;
pub use self::owner_policy::{MAX_OWNER_POLICIES, OwnerPolicy, OwnerPolicyKey, Policy, PolicyKind};
pub use self::pattern::{MAX_PATTERN_BYTES, Pattern, PatternError};
pub use self::permission::{AddedAndRemoved, PermissionChange, ShareRefused, plan_permissions};
pub use self::property_rules::{is_reserved_property, property};
pub use self::read_rate::{ReadBucket, ReadRate};
pub use self::share_request::{ShareKind, ShareRequestError, check_share_request};
pub use self::share_rule::{
    ImageChange, MAX_RULE_GROUPS, MAX_RULE_RECIPIENTS, MAX_SHARE_RULES, RecipientGroup, RuleDetails,
    RuleProblem, RuleProblemKind, RuleRecipients, ShareRule, ShareRuleCause, is_visible_change,
};
pub use self::step::{
    Change, ExtraReads, Guard, Guards, Plan, PlanItem, Rule, Rules, StepInput, extra_reads,
    owner_policy_reads, plan, plan_dry_run, plan_failure, reads_recipients, share_obstacle,
};
pub use self::tenant::{Inbox, Queue, QueueKind, Tenant};
pub use self::time::Timestamp;
pub use self::transition::Transition;
pub use self::value_enum::UnknownValue;
pub(crate) use self::value_enum::value_enum;
pub use self::vault::{MAX_VAULT_GIB, Protection, Reservation, Vault, VaultDetails, VaultKey, VaultStatus};
