//! Processes and HTTP between them: `imageshare serve` and its commands as operators and clients use them, requests
//! byte by byte, and the servers that issue tokens.

mod access_keys;
mod console_link;
mod deployment_checks;
mod events;
mod hostile;
mod issuers;
mod journey;
mod log;
mod operator;
mod readme;
mod tenants;
