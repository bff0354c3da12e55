//! Huawei Cloud IMS / Open Telekom Cloud IMS (`contract/ims.md`): batch calls that return a job, jobs, lists, members
//! and quota.
//!
//! One operation, one file, in one order: route, handler, wire types, tests.

mod accounts;
mod batch;
mod error;
mod filter;
mod image;
pub mod job;
pub mod jobs;
pub mod list;
pub mod members;
pub mod quota;
pub mod respond;
pub mod share;
pub mod unshare;
mod view;

pub use self::error::route_not_found;
