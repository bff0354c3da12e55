//! What a block may contain: its attributes, and the rules between them.
//!
//! ```
//! # use imageshare_provider::schema::{Attribute, Schema, one_of};
//! Schema::new("A vault for the backups of full-ECS images.", [
//!     Attribute::string("vault_id", "The vault, as the backup service knows it.").required().force_new(),
//!     Attribute::string("status", "Whether the vault takes backups.").default("available").check(one_of(&["available", "lock"])),
//!     Attribute::string("created_at", "When it was registered.").computed().keep(),
//! ]);
//! ```

mod attribute;
mod faults;
mod rules;
mod timeouts;
mod validators;
mod wire;

use std::collections::BTreeMap;

pub use attribute::{Attribute, Nesting, Presence, Shape};
pub use rules::Rule;
pub use timeouts::{Operation, TIMEOUTS, parse_duration};
pub use validators::{Validator, between, duration, each, keys, length, not_empty, one_of};

use crate::diagnostic::Diagnostics;
use crate::value::{Object, Type};

/// The schema of a resource, a data source, an ephemeral resource, a list or the provider.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(crate) version: i64,
    pub(crate) description: &'static str,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) rules: Vec<Rule>,
    ty: Type,
}

impl Schema {
    /// A schema with these attributes. The description is Markdown.
    pub fn new(description: &'static str, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        let attributes: Vec<_> = attributes.into_iter().collect();
        Self { version: 0, description, ty: object_type(&attributes), attributes, rules: Vec::new() }
    }

    /// Sets the version, which is raised when a state of the schema before has to be rewritten.
    #[must_use]
    pub fn version(self, version: i64) -> Self {
        Self { version, ..self }
    }

    /// Adds a rule between attributes.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds the attribute `timeouts`, which limits how long these operations may take.
    #[must_use]
    pub fn timeouts(mut self, operations: &[Operation]) -> Self {
        self.attributes.push(timeouts::attribute(operations));
        Self { ty: object_type(&self.attributes), ..self }
    }

    /// The type of an object of this schema.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// Its attributes, in the order of their declaration.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The text that says what it is for.
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// Checks the known values of a configuration against the validators and the rules.
    pub fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        attribute::validate(&self.attributes, config, &crate::value::Path::default(), diagnostics);
        for rule in &self.rules {
            rule.validate(config, diagnostics);
        }
    }

    /// Sets the attributes that have a default and are left out.
    pub fn apply_defaults(&self, config: &mut Object) {
        for attribute in &self.attributes {
            if let Some(default) = attribute.default.as_ref().filter(|_| config.get(attribute.name).is_null())
            {
                config.set(attribute.name, default.clone());
            }
        }
    }
}

/// The type of an object with these attributes.
fn object_type(attributes: &[Attribute]) -> Type {
    let types = attributes.iter().map(|attribute| (attribute.name.to_owned(), attribute.ty()));
    Type::Object(types.collect::<BTreeMap<_, _>>())
}
