//! `ephemeral.imageshare_token`: a token for an access key, which is stored nowhere.

use async_trait::async_trait;

use crate::api::{Call, Client, Secret};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Rule, Schema, not_empty};
use crate::server::{Context, Ephemeral, Opened};
use crate::value::Object;

/// The ephemeral resource `imageshare_token`.
pub struct Token;

#[async_trait]
impl Ephemeral<Client> for Token {
    fn name(&self) -> &'static str {
        "imageshare_token"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A token for an access key, or for that of the provider. It ends with its key, after an hour, or with the run if `revoke_on_close`.",
            [
                Attribute::string("access_key_id", "The access key; that of the provider, if it is left out.").check(not_empty()),
                Attribute::string("secret_access_key", "Its secret.").sensitive().check(not_empty()),
                Attribute::bool("revoke_on_close", "Whether the token ends with Terraform's run.").default(true),
                Attribute::string("token", "The token.").computed().sensitive(),
                Attribute::string("project_id", "The project that it acts for.").computed(),
                Attribute::string("expires_at", "When it ends.").computed(),
            ],
        )
        .rule(Rule::Together(&["access_key_id", "secret_access_key"]))
    }

    async fn open(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Opened, Diagnostic> {
        let issued = match (config.str("access_key_id"), config.str("secret_access_key")) {
            (Some(id), Some(secret)) => context.client.issue_token(id, &Secret::new(secret)).await,
            _ => context.client.issue_own_token().await,
        };
        let issued = issued
            .map_err(|error| Diagnostic::error("There is no token", error.to_string()).at("access_key_id"))?;
        if config.bool("revoke_on_close") == Some(true) {
            // Terraform keeps this in memory until the run ends.
            context.private.set("token", issued.token.expose());
        }
        let result = config
            .clone()
            .with("token", issued.token.expose())
            .with("project_id", issued.project_id)
            .with("expires_at", issued.expires_at);
        Ok(Opened { result, renew_at: None })
    }

    async fn close(&self, context: &mut Context<'_, Client>) -> Result<(), Diagnostic> {
        let Some(token) = context.private.remove("token") else { return Ok(()) };
        let token = Secret::new(token.as_str().unwrap_or_default());
        let revoked = context.client.remove(&Call::delete("/v3/auth/tokens", &[]).about_token(token)).await;
        if let Err(error) = revoked {
            context
                .diagnostics
                .warn("The token was not revoked", format!("It ends by itself within an hour. {error}"));
        }
        Ok(())
    }
}
