//! The console, page by page and form by form, without a browser.

mod access;
mod jobs;
mod session;
mod shared;
mod sign_in;
