//! One attribute: its type, who sets it, and what a plan does with it.

use super::{Validator, object_type};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::{Object, Path, Type, Value};

/// What an attribute contains.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A value of a type.
    Plain(Type),
    /// Objects whose attributes are declared, too. They are either all configured or all computed.
    Nested(Nesting, Vec<Attribute>),
}

/// How many objects a nested attribute contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One.
    Single,
    /// Any number in an order.
    List,
    /// Distinct ones.
    Set,
    /// One for each key.
    Map,
}

/// Who sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The configuration must.
    Required,
    /// The configuration may.
    Optional,
    /// The provider does.
    Computed,
    /// The configuration may, else the provider does.
    OptionalComputed,
}

/// An attribute of a schema. It is optional unless the builder says otherwise.
#[expect(clippy::struct_excessive_bools, reason = "an attribute may have any of these properties")]
#[derive(Debug, Clone)]
pub struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) shape: Shape,
    pub(crate) presence: Presence,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) force_new: bool,
    pub(crate) keep: bool,
    pub(crate) local: bool,
    pub(crate) deprecated: bool,
    pub(crate) default: Option<Value>,
    pub(crate) validators: Vec<Validator>,
}

impl Attribute {
    /// An attribute of any type. The description is Markdown.
    pub fn new(name: &'static str, shape: Shape, description: &'static str) -> Self {
        Self {
            name,
            description,
            shape,
            presence: Presence::Optional,
            sensitive: false,
            write_only: false,
            force_new: false,
            keep: false,
            local: false,
            deprecated: false,
            default: None,
            validators: Vec::new(),
        }
    }

    /// A text.
    pub fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(Type::String), description)
    }

    /// A number.
    pub fn number(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(Type::Number), description)
    }

    /// A truth value.
    pub fn bool(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(Type::Bool), description)
    }

    /// A set of texts.
    pub fn strings(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(Type::set(Type::String)), description)
    }

    /// A map of texts.
    pub fn string_map(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(Type::map(Type::String)), description)
    }

    /// An object with these attributes.
    pub fn object<const N: usize>(
        name: &'static str,
        description: &'static str,
        attributes: [Self; N],
    ) -> Self {
        Self::new(name, Shape::Nested(Nesting::Single, attributes.into()), description)
    }

    /// Objects with these attributes.
    pub fn objects<const N: usize>(
        name: &'static str,
        nesting: Nesting,
        description: &'static str,
        attributes: [Self; N],
    ) -> Self {
        Self::new(name, Shape::Nested(nesting, attributes.into()), description)
    }

    /// The configuration must set it.
    #[must_use]
    pub fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    /// The provider sets it.
    #[must_use]
    pub fn computed(self) -> Self {
        Self { presence: Presence::Computed, ..self }
    }

    /// The configuration may set it; if it is left out, the provider does.
    #[must_use]
    pub fn optional_computed(self) -> Self {
        Self { presence: Presence::OptionalComputed, ..self }
    }

    /// If it is left out, it has this value.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self { presence: Presence::OptionalComputed, default: Some(value.into()), ..self }
    }

    /// It is not shown to the user.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// It is read from the configuration and stored nowhere: in a plan or a state it is null.
    #[must_use]
    pub fn write_only(self) -> Self {
        Self { write_only: true, ..self }
    }

    /// If it changes, the resource is replaced.
    #[must_use]
    pub fn force_new(self) -> Self {
        Self { force_new: true, ..self }
    }

    /// An update does not change its computed value, so a plan shows it as it is.
    #[must_use]
    pub fn keep(self) -> Self {
        Self { keep: true, ..self }
    }

    /// It concerns the provider only. If nothing else changes, no call is made, and no computed value becomes unknown.
    #[must_use]
    pub fn local(self) -> Self {
        Self { local: true, ..self }
    }

    /// Its use is advised against.
    #[must_use]
    pub fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    /// Checks its value whenever that is known.
    #[must_use]
    pub fn check(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text that says what it is for.
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// What it contains.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Who sets it.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// The value that it has if it is left out.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// Whether it is hidden from the user.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether it is stored nowhere.
    pub fn is_write_only(&self) -> bool {
        self.write_only
    }

    /// Whether a change of it replaces the resource.
    pub fn is_force_new(&self) -> bool {
        self.force_new
    }

    /// Whether the provider may set it.
    pub(crate) fn is_computed(&self) -> bool {
        matches!(self.presence, Presence::Computed | Presence::OptionalComputed)
    }

    /// Whether the configuration may set it.
    pub(crate) fn is_configurable(&self) -> bool {
        self.presence != Presence::Computed
    }

    /// The type of its value.
    pub fn ty(&self) -> Type {
        match &self.shape {
            Shape::Plain(ty) => ty.clone(),
            Shape::Nested(Nesting::Single, attributes) => object_type(attributes),
            Shape::Nested(Nesting::List, attributes) => Type::list(object_type(attributes)),
            Shape::Nested(Nesting::Set, attributes) => Type::set(object_type(attributes)),
            Shape::Nested(Nesting::Map, attributes) => Type::map(object_type(attributes)),
        }
    }
}

/// Checks the values of attributes that are known, with those of nested objects.
pub(super) fn validate(
    attributes: &[Attribute],
    config: &Object,
    within: &Path,
    diagnostics: &mut Diagnostics,
) {
    for attribute in attributes {
        let value = config.get(attribute.name);
        if value.is_null() || value.is_unknown() {
            continue;
        }
        let path = within.clone().then_attribute(attribute.name);
        for validator in &attribute.validators {
            if let Err(problem) = validator.check(value) {
                let summary = format!("Invalid value for {}", attribute.name);
                diagnostics.push(Diagnostic::error(summary, problem).at(path.clone()));
            }
        }
        if let Shape::Nested(_, nested) = &attribute.shape {
            validate_nested(nested, value, &path, diagnostics);
        }
    }
}

fn validate_nested(attributes: &[Attribute], value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    match value {
        Value::Object(object) => validate(attributes, object, path, diagnostics),
        Value::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                validate_nested(attributes, element, &path.clone().then_index(index), diagnostics);
            }
        }
        Value::Map(elements) => {
            for (key, element) in elements {
                validate_nested(attributes, element, &path.clone().then_key(key), diagnostics);
            }
        }
        // An element of a set has no path of its own.
        Value::Set(elements) => {
            let mut found = Diagnostics::default();
            for element in elements.iter() {
                validate_nested(attributes, element, &Path::default(), &mut found);
            }
            for problem in found {
                diagnostics.push(Diagnostic::error(problem.summary(), problem.detail()).at(path.clone()));
            }
        }
        _ => {}
    }
}
