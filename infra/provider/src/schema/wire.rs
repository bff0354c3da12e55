//! Schemas as messages of the protocol.

use super::{Attribute, Nesting, Presence, Schema, Shape};
use crate::protocol::{self, ObjectNesting, SchemaAttribute, SchemaBlock, SchemaObject, StringKind};

impl From<&Schema> for protocol::Schema {
    fn from(schema: &Schema) -> Self {
        let block = SchemaBlock {
            version: schema.version,
            attributes: schema.attributes.iter().map(Into::into).collect(),
            description: schema.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
            ..SchemaBlock::default()
        };
        Self { version: schema.version, block: Some(block) }
    }
}

impl From<&Attribute> for SchemaAttribute {
    fn from(attribute: &Attribute) -> Self {
        // One of the two: Terraform refuses a schema that has both.
        let (ty, nested_type) = match &attribute.shape {
            Shape::Plain(ty) => (ty.to_json(), None),
            Shape::Nested(nesting, attributes) => {
                let attributes = attributes.iter().map(Into::into).collect();
                (Vec::new(), Some(SchemaObject { attributes, nesting: ObjectNesting::from(*nesting).into() }))
            }
        };
        Self {
            name: attribute.name.to_owned(),
            r#type: ty,
            nested_type,
            description: attribute.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
            required: attribute.presence == Presence::Required,
            optional: matches!(attribute.presence, Presence::Optional | Presence::OptionalComputed),
            computed: attribute.is_computed(),
            sensitive: attribute.sensitive,
            deprecated: attribute.deprecated,
            write_only: attribute.write_only,
        }
    }
}

impl From<Nesting> for ObjectNesting {
    fn from(nesting: Nesting) -> Self {
        match nesting {
            Nesting::Single => Self::Single,
            Nesting::List => Self::List,
            Nesting::Set => Self::Set,
            Nesting::Map => Self::Map,
        }
    }
}
