//! The common crate of imageshare: everything between a function's event and the table.
//!
//! A request passes through these rooms from top to bottom, and each room uses only those below it. No facade uses
//! another facade, and `function` uses no facade: they meet in `http`. A test checks the imports against this diagram
//! (`rooms.rs`).
//!
//! ```text
//! function   what every function does around a request: authenticates the caller, limits its reads, logs one line
//! facade     the API dialects (Glance, IMS, Alibaba, Keystone, our own): wire types in, wire types out
//! http       requests and responses without a dialect: queries, strict JSON, pages, markers, the common error body
//! events     how an event looks outside, on EventBridge and as a CloudEvent, and how it gets there
//! usecases   the operations, once for every dialect: share, unshare, respond, list, execute a job
//! app        the store and the settings that every use case works with
//! auth       authentication of the caller: bearer tokens, signatures, access keys
//! store      the items of the table, and the conditional write of each change
//! table      the store's calls to DynamoDB: through the AWS SDK, or to a database embedded in the process
//! domain     images, memberships, jobs and the rules of consent: plain types, pure functions, no I/O
//! ```
//!
//! To follow one operation from end to end, read a share: `facade/ims/share.rs`, `usecases/share.rs`,
//! `usecases/accept_batch.rs`; who may share, `usecases/access.rs` and `domain/access.rs`; what is refused at once,
//! `domain/share_request.rs`; what becomes of each pair, `domain/step` and `domain/membership.rs`; and the transaction,
//! `store/commit.rs`. A larger share is queued (`store/queues.rs`), and its job executed in steps that are planned and
//! committed in the same way (`usecases/execute.rs`). `RULES.md`, beside this folder, lists every rule with its source,
//! its errors and its tests.
#![deny(missing_docs)]

mod app;
pub mod auth;
pub mod domain;
pub mod events;
pub mod facade;
pub mod function;
pub mod http;
#[cfg(test)]
mod rooms;
pub mod store;
pub mod table;
pub mod usecases;

pub use app::{App, Settings, TooManyWaiting, WaitingReads};
