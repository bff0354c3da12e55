//! The common crate of imageshare.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod auth;
pub mod domain;
pub mod facade;
pub mod function;
mod service;
pub mod store;
pub mod table;
pub mod usecases;

pub use service::{Service, Settings};
