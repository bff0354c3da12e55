//! Failures beneath the service: of the table and the network to it, of the disk, and of the process, killed at any
//! moment.

mod damage;
mod killed_events;
mod power_cut;
mod several_readers;
mod several_servers;
mod table;
