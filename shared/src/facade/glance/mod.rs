//! Glance.
