//! Share rules: an owner's standing order to share each image that matches a pattern with some recipients.
//!
//! A rule acts as its owner, by the use cases that share and unshare. What it does is derived from the change of an
//! image ([`image_changed()`]) or of the directory ([`tenant_joined()`]), both of which the table's stream delivers at
//! least once and in any order:
//!
//! * A rule acts on an image that begins or ends to match, as it is when the event is handled. So an event that is
//!   overtaken by another does nothing that the image does not match any more.
//! * Each of its jobs has an idempotency key, made from the rule and from what it acts on: see `jobs.rs`.
//! * What a rule could not do is stored with it, and the owner sees it. Only a failure of the table is an error, so
//!   that the stream delivers the event again.
//!
//! A job of a rule writes memberships, and neither an image nor an entry of the directory: no rule makes a rule act.

mod apply;
mod dry_run;
mod error;
mod image_changed;
mod jobs;
mod manage;
mod matching;
mod recipients;
mod tenant_joined;

pub use self::apply::{Application, RefusedImage, apply};
pub use self::dry_run::{DryRunPair, PairResult, RuleDryRun, dry_run};
pub use self::error::ShareRuleError;
pub use self::image_changed::image_changed;
pub use self::manage::{delete, jobs, list, put, set_enabled, show};
pub use self::tenant_joined::tenant_joined;
