//! OpenStack Glance v2 (`contract/glance.md`): the image registry and the members of an image.
//!
//! Bodies are checked before the image is read, so that an invalid one is 400 for every caller. Then come the
//! visibility of the image (404) and the caller's permission (403).

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
