//! The console, page by page and form by form, without a browser.

mod session;
mod shared;
