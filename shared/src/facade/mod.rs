//! The API dialects. A facade translates: a request into a use case's words, and the answer back; it decides
//! nothing.

pub mod ims;
mod reply;

pub use self::reply::{Reply, error, json, no_content};
