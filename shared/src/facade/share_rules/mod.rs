//! Share rules: an owner's standing order to share each image that matches a pattern with some recipients
//! ([`GUIDE.md`](GUIDE.md)). In the style of IMS.
//!
//! One operation, one file, in one order: route, handler, wire types, tests. Errors are those of IMS.

pub mod apply;
mod body;
pub mod delete;
pub mod disable;
pub mod dry_run;
pub mod enable;
mod error;
pub mod jobs;
pub mod list;
pub mod put;
pub mod show;
mod wire;
