//! OpenStack Glance v2 (`contract/glance.md`): the image registry and the members of an image.
//!
//! Bodies are checked before the image is looked for, so that a bad request is 400 also for a stranger; then whether the
//! caller sees the image (404), and then whether it may (403).

mod attribute;
pub mod create;
pub mod delete;
mod error;
mod image;
pub mod image_data;
pub mod list;
pub mod members;
mod request;
pub mod schema;
pub mod show;
pub mod tags;
pub mod update;
pub mod versions;

pub use self::error::Error;
