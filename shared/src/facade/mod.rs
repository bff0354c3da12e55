//! The API dialects. A facade translates: a request into a use case's words, and the answer back; it decides
//! nothing.

pub mod alibaba;
pub mod glance;
pub mod identity;
pub mod ims;
pub mod registry;
