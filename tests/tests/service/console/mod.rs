//! The console, page by page and form by form, without a browser.

mod access_keys;
mod directory;
mod jobs;
mod session;
mod shared;
