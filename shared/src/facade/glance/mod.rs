//! OpenStack Glance v2 (`contract/glance.md`): the image registry.
//!
//! Bodies are checked before the image is looked for, so that a bad request is 400 also for a stranger; then whether the
//! caller sees the image (404), and then whether it may (403).

mod attribute;
pub mod create;
pub mod delete;
mod error;
mod image;
mod request;
pub mod show;
pub mod update;

pub use self::error::Error;
