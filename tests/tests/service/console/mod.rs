//! The console, page by page and form by form, without a browser.

mod jobs;
mod session;
mod shared;
