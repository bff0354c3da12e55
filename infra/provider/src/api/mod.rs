//! The client of the service.
//!
//! A [`Client`] sends each [`Call`] until it has a response that is final: it renews its token, obeys `Retry-After`, and
//! repeats what the service was too busy for, under one `Idempotency-Key`. So a call that returns has been executed
//! once, and one that fails says in an [`ApiError`] why, with the request's id and without a secret.
//!
//! From top to bottom, each file uses only those below it:
//!
//! ```text
//! images, shares, memberships, …   the operations: one file for each resource of the service
//! batch                            reads that wait at the same time, joined to one call
//! jobs                             waits for a job to end
//! client, pages                    one call, or a list with all of its pages
//! session                          the token: given, or issued for an access key and renewed
//! sender, retry                    one call with its retries
//! transport                        one exchange over HTTP
//! call, error                      what is sent, what a call ends with
//! ```
//!
//! Requests are not signed: an access key is exchanged for a token. A large body is then sent as any other, where the
//! signing of other providers has failed.

mod access_keys;
mod batch;
mod call;
mod client;
mod error;
mod images;
mod jobs;
mod key_grants;
mod memberships;
mod owners;
mod pages;
mod quota;
mod rectangles;
mod retry;
mod sender;
mod service;
mod session;
mod share_rules;
mod shares;
mod tenants;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
mod transport;
mod vaults;

pub use imageshare_credentials::{Credential, Secret};

pub use access_keys::{AccessKey, NewAccessKey};
pub use call::Call;
pub use client::{Client, Settings};
pub use error::{ApiError, ErrorKind, Origin};
pub use images::{Image, ImageFilter, NewImage, PatchOperation};
pub use jobs::{Entities, Job, JobStatus, PairResult, PairStatus, StopWaiting, Wait};
pub use key_grants::{Dependent, KeyGrant};
pub use memberships::{Membership, MembershipQuery, Role, Status};
pub use owners::{OwnerPolicy, Policy};
pub use quota::Quota;
pub use rectangles::{Pair, Rectangle, cover};
pub use retry::RetryPolicy;
pub use service::{Limits, Service};
pub use session::IssuedToken;
pub use share_rules::{AccountName, NewShareRule, RuleError, RuleRecipients, ShareRule};
pub use shares::{Changed, Decision, MembershipChange};
pub use tenants::{NewTenant, Tenant};
pub use vaults::{NewVault, Vault};
