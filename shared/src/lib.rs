//! The common crate of imageshare: everything between a function's event and the table.
//!
//! A request goes down through these rooms, and each knows only those below it. No facade knows another one, and
//! `function` knows no facade: they meet in `http`. A test holds the imports to this picture (`rooms.rs`).
//!
//! ```text
//! function   what every function does around its work: admits the caller, names the request, logs it
//! facade     the API dialects (Glance, IMS, Alibaba, Keystone, our own): wire types in, wire types out
//! http       requests and responses without a dialect: queries, strict JSON, pages, markers, the common error body
//! usecases   what is done, once for every dialect: share, unshare, respond, list, carry out a job
//! app        the table and the settings, which every use case works with
//! auth       who makes a request: bearer tokens, signatures, access keys
//! store      what is kept, and the conditional write of each change
//! table      DynamoDB as the store asks it: by the AWS SDK, or embedded in this machine's process
//! domain     images, memberships, jobs and the rules of consent: plain types, pure functions, no I/O
//! ```
//!
//! To see one operation whole, follow a share: `facade/ims/share.rs`, `usecases/share.rs`, `store/jobs.rs`; then the work
//! that it leaves: `usecases/execute.rs`, `domain/step`, `domain/membership.rs`, `store/commit.rs`. `RULES.md` beside
//! this folder lists every rule with its source, its errors and its tests.
#![deny(missing_docs)]

mod app;
pub mod auth;
pub mod domain;
pub mod facade;
pub mod function;
pub mod http;
#[cfg(test)]
mod rooms;
pub mod store;
pub mod table;
pub mod usecases;

pub use app::{App, Settings};
