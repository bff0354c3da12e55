//! What is wrong with a schema itself, for a test of every provider: Terraform refuses some of it, and the plan engine relies on the
//! rest.

use super::{Attribute, Presence, Rule, Schema, Shape};
use crate::value::{Type, encode_msgpack};

/// Names that Terraform keeps for itself.
const RESERVED: [&str; 7] =
    ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

impl Schema {
    /// What is wrong with it; empty for a good one.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        attribute_faults(&self.attributes, None, &mut faults);
        for attribute in self.attributes.iter().filter(|attribute| RESERVED.contains(&attribute.name)) {
            faults.push(format!("{}: Terraform keeps this name for itself", attribute.name));
        }
        for name in self.rules.iter().flat_map(Rule::attributes) {
            if !self.attributes.iter().any(|attribute| attribute.name == *name) {
                faults.push(format!("{name}: a rule names it, but it is no attribute"));
            }
        }
        faults
    }
}

fn attribute_faults(attributes: &[Attribute], parent: Option<&Attribute>, faults: &mut Vec<String>) {
    for (position, attribute) in attributes.iter().enumerate() {
        let is_repeated = attributes.iter().skip(position + 1).any(|other| other.name == attribute.name);
        let is_configured =
            attribute.presence == Presence::Optional || attribute.presence == Presence::Required;
        let encodes =
            |ty: &Type| attribute.default.as_ref().is_none_or(|value| encode_msgpack(value, ty).is_ok());
        let checks = [
            (is_name(attribute.name), "a name has lower-case letters, digits and underscores only"),
            (!is_repeated, "the name is used twice"),
            (!attribute.description.is_empty(), "it has no description"),
            (!attribute.write_only || is_configured, "a write-only attribute cannot be computed"),
            (
                !attribute.write_only || !attribute.force_new,
                "a write-only attribute cannot force a replacement",
            ),
            (!attribute.keep || attribute.is_computed(), "only a computed value can be kept"),
            (!attribute.local || !attribute.force_new, "a local attribute cannot force a replacement"),
            (
                attribute.is_configurable() || !attribute.force_new,
                "only a configured value can force a replacement",
            ),
            (
                attribute.is_configurable() || attribute.validators.is_empty(),
                "a computed value is not validated",
            ),
            (encodes(&attribute.ty()), "the default is of another type"),
            (
                parent.is_none_or(|parent| parent.is_configurable() != attribute.is_computed()),
                "nested attributes are either all configured or all computed",
            ),
            (
                parent.is_none()
                    || !(attribute.force_new || attribute.keep || attribute.local || attribute.write_only),
                "only an attribute of the block itself can be that",
            ),
        ];
        let found = checks.iter().filter(|(is_good, _)| !is_good);
        faults.extend(found.map(|(_, fault)| format!("{}: {fault}", attribute.name)));
        if let Shape::Nested(_, nested) = &attribute.shape {
            attribute_faults(nested, Some(attribute), faults);
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_schema_are_found() {
        let good = Schema::new(
            "Good.",
            [
                Attribute::string("name", "A name.").required().force_new(),
                Attribute::string("token_wo", "A token.").write_only().sensitive(),
                Attribute::object("limits", "Limits.", [Attribute::number("n", "A number.")]),
                Attribute::object("found", "Found.", [Attribute::number("n", "A number.").computed()])
                    .computed(),
            ],
        );
        assert_eq!(good.faults(), Vec::<String>::new());
        let bad = Schema::new(
            "Bad.",
            [
                Attribute::string("Name", "A name."),
                Attribute::string("count", ""),
                Attribute::string("twice", "Once."),
                Attribute::string("twice", "Twice."),
                Attribute::number("number", "A number.").default("text"),
                Attribute::string("kept", "Kept.").keep(),
                Attribute::object("mixed", "Mixed.", [Attribute::number("n", "A number.").computed()]),
            ],
        )
        .rule(Rule::AtMostOne(&["twice", "missing"]));
        let names: Vec<_> =
            bad.faults().iter().map(|fault| fault.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["Name", "count", "twice", "number", "kept", "n", "count", "missing"]);
    }
}
