//! The provider `imageshare`: its configuration, and what it consists of.

mod client;

use std::env;

use async_trait::async_trait;

pub use client::Client;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resources;
use crate::schema::{Attribute, Schema, not_empty};
use crate::server::{Provider, Resource};
use crate::value::Object;

/// The provider of imageshare.
pub struct Imageshare;

#[async_trait]
impl Provider for Imageshare {
    type Client = Client;

    fn address(&self) -> &'static str {
        "registry.terraform.io/imageshare/imageshare"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Shares machine images between projects, with consent.",
            [
                Attribute::string("endpoint", "The URL of the service. Else `IMAGESHARE_ENDPOINT`.")
                    .check(not_empty()),
                Attribute::string("token", "A token. Else `IMAGESHARE_TOKEN`.")
                    .sensitive()
                    .check(not_empty()),
            ],
        )
    }

    async fn configure(
        &self,
        config: &Object,
        _terraform: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Client> {
        let mut setting = |name: &str, variable: &str| {
            let value = config.str(name).map(str::to_owned).or_else(|| env::var(variable).ok());
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() {
                let detail = format!("Set {name} in the provider block, or {variable} in the environment.");
                diagnostics.push(Diagnostic::error(format!("Missing {name}"), detail).at(name));
            }
            value
        };
        let (endpoint, token) =
            (setting("endpoint", "IMAGESHARE_ENDPOINT"), setting("token", "IMAGESHARE_TOKEN"));
        match Client::new(&endpoint?, &token?) {
            Ok(client) => Some(client),
            Err(problem) => {
                diagnostics.push(Diagnostic::error("Invalid endpoint", problem.to_string()).at("endpoint"));
                None
            }
        }
    }

    fn resources(&self) -> Vec<Box<dyn Resource<Client>>> {
        vec![Box::new(resources::Vault)]
    }
}
