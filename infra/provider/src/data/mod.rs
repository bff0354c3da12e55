//! What users look up: one file for each kind of data source, in one order: schema, read.

mod image_members;
mod images;
mod job;
mod quota;
mod shared_images;
mod support;
mod tenant;

use crate::api::Client;
use crate::server::DataSource;

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn DataSource<Client>>> {
    vec![
        Box::new(image_members::ImageMembers),
        Box::new(images::Images),
        Box::new(job::Job),
        Box::new(quota::Quota),
        Box::new(shared_images::SharedImages),
        Box::new(tenant::Tenant),
    ]
}
