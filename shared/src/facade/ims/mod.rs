//! Huawei Cloud IMS / Open Telekom Cloud IMS (`contract/ims.md`): batch calls that answer with a job, jobs, lists.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests.

mod accounts;
mod batch;
mod error;
mod filter;
mod image;
pub mod job;
pub mod list;
pub mod members;
pub mod quota;
pub mod respond;
pub mod share;
pub mod unshare;
mod view;

pub use self::error::route_not_found;
