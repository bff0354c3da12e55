//! Huawei Cloud IMS / Open Telekom Cloud IMS (`contract/ims.md`): batch calls that answer with a job, jobs, lists.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests.

mod accounts;
mod batch;
pub(in crate::facade) mod error;
mod filter;
mod image;
pub mod job;
pub mod list;
pub mod members;
pub(super) mod query;
pub mod quota;
pub mod respond;
pub mod share;
pub mod unshare;
mod view;

pub(crate) use self::error::outcome_code;
pub use self::error::{Error, auth_error_response, route_not_found};
pub(super) use self::error::{ensure_no_body, unresolved_names};
