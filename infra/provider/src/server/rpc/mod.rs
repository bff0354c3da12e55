//! The procedures, one file for each group. Each takes a request and returns its response, or an error that becomes the only
//! diagnostic of a response.

mod data;
mod ephemeral;
mod function;
mod import;
mod list;
mod provider;
mod resource;
mod stored;
mod validate;
mod wire;
