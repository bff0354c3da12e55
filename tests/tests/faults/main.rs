//! What fails beneath the service: the table and the network to it, the disk, and the process, cut off at any moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod damage;
mod power_cut;
mod table;
