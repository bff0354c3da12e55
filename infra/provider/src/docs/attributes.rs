//! The part of a page that lists attributes: those of a schema, then those of each nested object.

use std::fmt::Write as _;

use crate::resources::DEFAULT_TIMEOUT;
use crate::schema::{Attribute, Nesting, Presence, Rule, Schema, Shape, TIMEOUTS};
use crate::value::{Type, Value};

/// The whole part, with the heading `Schema`.
pub(super) fn section(schema: &Schema) -> String {
    let mut text = "## Schema\n".to_owned();
    groups(&mut text, schema.attributes(), "", "### ", "");
    for rule in &schema.rules {
        writeln!(text, "\n{}", sentence(rule)).unwrap();
    }
    nested(&mut text, schema.attributes(), "");
    text
}

/// The attributes by who sets them. Anchors of nested ones begin with `prefix`.
fn groups(text: &mut String, attributes: &[Attribute], prefix: &str, before: &str, after: &str) {
    type Belongs = fn(Presence) -> bool;
    let kinds: [(&str, Belongs); 3] = [
        ("Required", |presence| presence == Presence::Required),
        ("Optional", |presence| matches!(presence, Presence::Optional | Presence::OptionalComputed)),
        ("Read-Only", |presence| presence == Presence::Computed),
    ];
    for (title, belongs) in kinds {
        let mut group = attributes.iter().filter(|one| belongs(one.presence())).peekable();
        if group.peek().is_some() {
            writeln!(text, "\n{before}{title}{after}\n").unwrap();
        }
        for attribute in group {
            writeln!(text, "{}", line(attribute, prefix)).unwrap();
        }
    }
}

/// A part for each attribute that contains objects.
fn nested(text: &mut String, attributes: &[Attribute], prefix: &str) {
    for attribute in attributes {
        if let Shape::Nested(_, inner) = attribute.shape() {
            let name = attribute.name();
            let anchor = format!("{prefix}--{name}");
            let path = anchor.trim_start_matches('-').replace("--", ".");
            writeln!(text, "\n<a id=\"nestedatt{anchor}\"></a>\n### Nested Schema for `{path}`").unwrap();
            groups(text, inner, &anchor, "", ":");
            nested(text, inner, &anchor);
        }
    }
}

/// What the page says of an attribute.
fn line(attribute: &Attribute, prefix: &str) -> String {
    let mut kind = match attribute.shape() {
        Shape::Plain(ty) => type_name(ty),
        Shape::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Shape::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Shape::Nested(Nesting::Set, _) => "Attributes Set".to_owned(),
        Shape::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
    };
    for (applies, word) in [
        (attribute.is_sensitive(), "Sensitive"),
        (attribute.is_write_only(), "Write-only"),
        (attribute.deprecated, "Deprecated"),
    ] {
        if applies {
            kind = format!("{kind}, {word}");
        }
    }
    let name = attribute.name();
    let mut line = format!("- `{name}` ({kind}) {}", attribute.description());
    if let Some(default) = attribute.default_value() {
        write!(line, " Default: `{}`.", value(default)).unwrap();
    }
    if name == TIMEOUTS {
        write!(line, " Without it, {} minutes each.", DEFAULT_TIMEOUT.as_secs() / 60).unwrap();
    }
    if attribute.is_force_new() {
        line.push_str(" Changing it replaces the resource.");
    }
    if matches!(attribute.shape(), Shape::Nested(..)) {
        write!(line, " See [below](#nestedatt{prefix}--{name}).").unwrap();
    }
    line
}

/// A type, as the registry's pages name it.
pub(super) fn type_name(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", type_name(element)),
        Type::Set(element) => format!("Set of {}", type_name(element)),
        Type::Map(element) => format!("Map of {}", type_name(element)),
        Type::Object(_) => "Object".to_owned(),
        Type::Tuple(_) => "Tuple".to_owned(),
    }
}

/// A default, as a configuration has it, without quotation marks.
fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        other => panic!("a page cannot show the default {other:?} yet"),
    }
}

fn sentence(rule: &Rule) -> String {
    let (start, names, end) = match rule {
        Rule::ExactlyOne(names) => ("Exactly one of ", names, " has to be set."),
        Rule::AtMostOne(names) => ("At most one of ", names, " can be set."),
        Rule::AtLeastOne(names) => ("At least one of ", names, " has to be set."),
        Rule::Together(names) => ("All or none of ", names, " have to be set."),
    };
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{start}{}{end}", names.join(", "))
}
