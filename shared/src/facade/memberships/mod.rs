//! The service's own API for memberships: to read many of them in one request, in the style of IMS.

pub mod query;
mod view;
