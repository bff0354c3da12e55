//! What users declare: one file for each kind of resource, in one order: schema, create, read, update, delete.

mod vault;

pub use vault::Vault;
