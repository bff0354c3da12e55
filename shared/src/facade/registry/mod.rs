//! What operators and owners register besides images, in the manner of IMS: the directory of tenants.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests. Errors are those of IMS.

pub mod tenants;
