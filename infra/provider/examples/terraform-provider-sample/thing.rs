//! `sample_thing`: a file with a number, how often it was written.

use std::fs;

use async_trait::async_trait;
use imageshare_provider::diagnostic::Diagnostic;
use imageshare_provider::schema::{Attribute, Nesting, Operation, Rule, Schema, Shape, length, one_of};
use imageshare_provider::server::{Context, Create, Delete, Moved, Read, Resource, Update};
use imageshare_provider::value::{Object, RawState, Type};

use crate::Store;

/// The resource `sample_thing`.
pub struct Thing;

#[async_trait]
impl Resource<Store> for Thing {
    fn name(&self) -> &'static str {
        "sample_thing"
    }

    fn schema(&self) -> Schema {
        let setting = || {
            [
                Attribute::string("value", "A value.").required().check(length(1..=10)),
                Attribute::number("weight", "A weight."),
            ]
        };
        Schema::new(
            "A thing.",
            [
                Attribute::string("name", "Its name.").required().force_new(),
                Attribute::string("behaviour", "What goes wrong.")
                    .local()
                    .check(one_of(&["panic", "wait", "fail", "forget"])),
                Attribute::string("text", "A text."),
                Attribute::number("number", "A number."),
                Attribute::strings("words", "Some words."),
                Attribute::new("any", Shape::Plain(Type::Dynamic), "Anything."),
                Attribute::objects("settings", Nesting::Map, "Settings.", setting()),
                Attribute::objects("list", Nesting::List, "Settings.", setting()),
                Attribute::objects("set", Nesting::Set, "Settings.", setting()),
                Attribute::object("single", "A setting.", setting()),
                Attribute::string("mode", "A mode.").default("soft"),
                Attribute::string("secret_wo", "A secret.").write_only().sensitive(),
                Attribute::number("secret_version", "Changed with the secret."),
                Attribute::number("secret_length", "The length of the secret.").computed(),
                Attribute::string("path", "Its file.").computed().keep(),
                Attribute::number("revision", "How often it was written.").computed(),
            ],
        )
        .timeouts(&[Operation::Create])
        .rule(Rule::AtMostOne(&["list", "set"]))
        .version(1)
    }

    fn identity(&self) -> &'static [&'static str] {
        &["name"]
    }

    async fn create(&self, context: &mut Context<'_, Store>, create: &mut Create) -> Result<(), Diagnostic> {
        let behaviour = create.plan.str("behaviour").unwrap_or_default().to_owned();
        assert!(behaviour != "panic", "the sample panics as it was told");
        let state = write(context.client, &create.config, &create.plan, 1)?;
        match behaviour.as_str() {
            "forget" => create.state = Some(create.plan.clone()),
            "fail" => {
                create.state = Some(state);
                return Err(
                    Diagnostic::error("Half done", "The thing exists, but is not ready.").at("behaviour")
                );
            }
            "wait" => {
                create.state = Some(state);
                let timeout = context.timeout(std::time::Duration::from_mins(10));
                tokio::select! {
                    () = context.stop.cancelled() => context.diagnostics.warn("Interrupted", "The thing may not be ready."),
                    () = tokio::time::sleep(timeout) => context.diagnostics.warn("Timed out", "The thing may not be ready."),
                }
            }
            _ => create.state = Some(state),
        }
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Store>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &mut read.state else { return Ok(()) };
        let path = context.client.path(state.str("name").unwrap_or_default());
        match fs::read_to_string(&path) {
            Ok(text) => {
                state.set("revision", text.trim().parse::<i64>().ok());
                state.set("path", path.to_str());
            }
            Err(_) => read.state = None,
        }
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Store>, update: &mut Update) -> Result<(), Diagnostic> {
        let revision = update.prior.i64("revision").unwrap_or_default() + 1;
        update.state = write(context.client, &update.config, &update.plan, revision)?;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Store>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let _ = fs::remove_file(context.client.path(delete.state.str("name").unwrap_or_default()));
        Ok(())
    }

    fn upgrade(&self, version: i64, state: &mut RawState) -> Result<(), Diagnostic> {
        // Version 0 called the text "label".
        if version == 0
            && let Some(label) = state.remove("label")
        {
            state.insert("text".to_owned(), label);
        }
        Ok(())
    }

    fn adopt(&self, moved: &Moved) -> Option<Result<Object, Diagnostic>> {
        // Its input may be of any type, so that the state has that, too.
        let input: serde_json::Value = serde_json::from_str(moved.state.get("input")?.get()).ok()?;
        (moved.type_name == "terraform_data").then(|| Ok(Object::new().with("name", input["value"].as_str())))
    }
}

fn write(store: &Store, config: &Object, plan: &Object, revision: i64) -> Result<Object, Diagnostic> {
    let path = store.path(plan.str("name").unwrap_or_default());
    fs::write(&path, revision.to_string())
        .map_err(|problem| Diagnostic::error("No file", problem.to_string()))?;
    let secret = config.str("secret_wo").map(str::len);
    Ok(plan.clone().with("secret_length", secret).with("path", path.to_str()).with("revision", revision))
}
