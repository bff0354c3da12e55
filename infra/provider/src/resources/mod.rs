//! What users declare: one file for each kind of resource, in one order: schema, plan, create, read, update, delete.

mod acceptance;
mod access_key;
mod image;
mod inbox;
mod key_grant;
mod share;
mod share_rule;
mod support;
mod tenant;
mod trusted_owner;
mod vault;

use crate::api::Client;
use crate::server::{ListResource, Resource};
#[cfg(test)]
pub(crate) use support::DEFAULT_TIMEOUT;

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn Resource<Client>>> {
    vec![
        Box::new(acceptance::Acceptance),
        Box::new(access_key::AccessKey),
        Box::new(image::Image),
        Box::new(key_grant::KeyGrant),
        Box::new(share::Share),
        Box::new(share_rule::ShareRule),
        Box::new(tenant::Tenant),
        Box::new(trusted_owner::TrustedOwner),
        Box::new(vault::Vault),
    ]
}

/// The lists of those that exist.
pub(crate) fn lists() -> Vec<Box<dyn ListResource<Client>>> {
    vec![Box::new(inbox::Inbox)]
}
