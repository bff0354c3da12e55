//! The service in the test's own process, over an embedded table: its responses in every dialect, and the contents of the
//! table afterwards. Nothing here starts another program.

mod accounts;
mod admission;
mod alibaba;
mod alibaba_signed;
mod bindings;
mod budget;
mod consent;
mod corpus;
mod directory;
mod effects;
mod errors;
mod event_bus;
mod glance;
mod http_api;
mod identity;
mod image_events;
mod ims_refusals;
mod long_lists;
mod markers;
mod order;
mod queues;
mod read_rate;
mod references;
mod registry;
mod rules;
mod secrets;
mod several_servers;
mod share_rules;
mod signatures;
mod source_limits;
mod strangers;
mod table;
mod terraform;
mod upgrades;
mod views;
