//! The console, page by page and form by form, without a browser.

mod accept;
mod access;
mod access_keys;
mod directory;
mod image;
mod jobs;
mod key_grants;
mod messages;
mod owners;
mod session;
mod share;
mod share_rules;
mod shared;
mod sign_in;
mod texts;
mod vaults;
mod world;
