//! What fails beneath the service: the table and the network to it, the disk, and the process, cut off at any moment.

mod damage;
mod power_cut;
mod table;
