//! `sample_token`: a secret that leaves a trace of its life in the store.

use std::fs;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use imageshare_provider::diagnostic::Diagnostic;
use imageshare_provider::schema::{Attribute, Schema};
use imageshare_provider::server::{Context, Ephemeral, Opened, Renewed};
use imageshare_provider::value::Object;

use crate::Store;

/// The ephemeral resource `sample_token`.
pub struct Token;

#[async_trait]
impl Ephemeral<Store> for Token {
    fn name(&self) -> &'static str {
        "sample_token"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A token.",
            [
                Attribute::string("subject", "Whose it is.").required(),
                Attribute::number("renew_after", "Seconds until it is renewed."),
                Attribute::string("token", "The token.").computed().sensitive(),
            ],
        )
    }

    async fn open(&self, context: &mut Context<'_, Store>, config: &Object) -> Result<Opened, Diagnostic> {
        let subject = config.str("subject").unwrap_or_default();
        context.private.set("subject", subject);
        trace(context, "opened");
        let renew_after = config.i64("renew_after").and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Opened {
            result: config.clone().with("token", format!("ephemeral-secret-of-{subject}")),
            renew_at: renew_after.map(|seconds| SystemTime::now() + Duration::from_secs(seconds)),
        })
    }

    async fn renew(&self, context: &mut Context<'_, Store>) -> Result<Renewed, Diagnostic> {
        trace(context, "renewed");
        Ok(Renewed::default())
    }

    async fn close(&self, context: &mut Context<'_, Store>) -> Result<(), Diagnostic> {
        trace(context, "closed");
        Ok(())
    }
}

fn trace(context: &Context<'_, Store>, what: &str) {
    let subject = context.private.get("subject").and_then(|subject| subject.as_str()).unwrap_or("nobody");
    fs::write(context.client.path(&format!("token-of-{subject}-{what}")), "").expect("a file");
}
