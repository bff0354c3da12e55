//! The shape of a table: its keys and indexes, as the store defines them and as DynamoDB describes them.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
    TableDescription,
};
use imageshare::store::table_definition;
use serde::Deserialize;

/// The partition key and the sort key of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeyPair {
    pub(super) partition: Option<String>,
    pub(super) sort: Option<String>,
}

impl fmt::Display for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |key: &Option<String>| key.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{} and {}", name(&self.partition), name(&self.sort))
    }
}

impl KeyPair {
    fn from_elements<'a>(elements: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        elements.into_iter().fold(Self::default(), |pair, (name, kind)| match kind {
            "HASH" => Self { partition: Some(name.to_owned()), ..pair },
            _ => Self { sort: Some(name.to_owned()), ..pair },
        })
    }

    fn from_schema(schema: &[KeySchemaElement]) -> Self {
        Self::from_elements(schema.iter().map(|e| (e.attribute_name(), e.key_type().as_str())))
    }

    /// The schema for a call that creates a table.
    pub(super) fn to_schema(&self) -> Vec<KeySchemaElement> {
        let element = |name: &Option<String>, kind| {
            let element = KeySchemaElement::builder().attribute_name(name.as_ref()?).key_type(kind);
            element.build().ok()
        };
        [element(&self.partition, KeyType::Hash), element(&self.sort, KeyType::Range)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// An index: its keys, and the attributes that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexShape {
    pub(super) keys: KeyPair,
    pub(super) projection: String,
}

/// The shape of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableShape {
    pub(super) keys: KeyPair,
    pub(super) indexes: BTreeMap<String, IndexShape>,
    /// The type of each attribute that is part of a key.
    pub(super) attributes: BTreeMap<String, String>,
}

/// The parts of a `CreateTable` call that make the shape.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    attribute_definitions: Vec<AttributeJson>,
    key_schema: Vec<KeyJson>,
    global_secondary_indexes: Vec<IndexJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeJson {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyJson {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexJson {
    index_name: String,
    key_schema: Vec<KeyJson>,
    projection: ProjectionJson,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectionJson {
    projection_type: String,
}

impl TableShape {
    /// The shape that the store defines.
    ///
    /// # Errors
    /// The definition is not a `CreateTable` call, which a test excludes.
    pub(super) fn wanted() -> Result<Self, serde_json::Error> {
        let definition: Definition = serde_json::from_value(table_definition("imageshare"))?;
        let keys = |schema: &[KeyJson]| {
            KeyPair::from_elements(schema.iter().map(|key| (&key.attribute_name[..], &key.key_type[..])))
        };
        let index = |index: IndexJson| {
            let shape =
                IndexShape { keys: keys(&index.key_schema), projection: index.projection.projection_type };
            (index.index_name, shape)
        };
        Ok(Self {
            keys: keys(&definition.key_schema),
            indexes: definition.global_secondary_indexes.into_iter().map(index).collect(),
            attributes: definition
                .attribute_definitions
                .into_iter()
                .map(|attribute| (attribute.attribute_name, attribute.attribute_type))
                .collect(),
        })
    }

    /// The shape of a table that exists.
    pub(super) fn of(table: &TableDescription) -> Self {
        let indexes = table.global_secondary_indexes().iter().map(|index| {
            let projection = index.projection().and_then(Projection::projection_type);
            let projection = projection.map_or("nothing", ProjectionType::as_str).to_owned();
            let shape = IndexShape { keys: KeyPair::from_schema(index.key_schema()), projection };
            (index.index_name().unwrap_or_default().to_owned(), shape)
        });
        let attributes = table.attribute_definitions().iter().map(|attribute| {
            (attribute.attribute_name().to_owned(), attribute.attribute_type().as_str().to_owned())
        });
        Self {
            keys: KeyPair::from_schema(table.key_schema()),
            indexes: indexes.collect(),
            attributes: attributes.collect(),
        }
    }

    /// How a table differs from this shape, each in a few words; empty if it does not. Further indexes and attributes
    /// do no harm, and are no difference.
    pub(super) fn differences(&self, found: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if found.keys != self.keys {
            differences.push(format!("its keys are {}, not {}", found.keys, self.keys));
        }
        for (name, wanted) in &self.indexes {
            match found.indexes.get(name) {
                None => differences.push(format!("the index {name} is missing")),
                Some(index) if index.keys != wanted.keys => differences
                    .push(format!("the keys of the index {name} are {}, not {}", index.keys, wanted.keys)),
                Some(index) if index.projection != wanted.projection => differences
                    .push(format!("the index {name} holds {}, not {}", index.projection, wanted.projection)),
                Some(_) => {}
            }
        }
        let wrong_type = |(name, wanted): (&String, &String)| {
            let kind = found.attributes.get(name)?;
            (kind != wanted).then(|| format!("the attribute {name} is of the type {kind}, not {wanted}"))
        };
        differences.extend(self.attributes.iter().filter_map(wrong_type));
        differences
    }

    /// The attribute definitions for a call that creates a table.
    pub(super) fn attribute_definitions(&self) -> Vec<AttributeDefinition> {
        let definition = |(name, kind): (&String, &String)| {
            let kind = ScalarAttributeType::from(kind.as_str());
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().ok()
        };
        self.attributes.iter().filter_map(definition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_shape_is_that_of_the_store() {
        let shape = TableShape::wanted().unwrap();
        assert_eq!(shape.keys.to_string(), "pk and sk");
        assert_eq!(shape.indexes.keys().collect::<Vec<_>>(), ["lists", "names", "updates"]);
        assert_eq!(shape.attribute_definitions().len(), 8);
        assert_eq!(shape.keys.to_schema().len(), 2);
        assert_eq!(shape.differences(&shape), [""; 0]);
    }

    #[test]
    fn every_difference_is_named() {
        let wanted = TableShape::wanted().unwrap();
        let mut found = wanted.clone();
        found.keys = KeyPair { partition: Some("id".to_owned()), sort: None };
        found.indexes.remove("names");
        found.indexes.get_mut("lists").unwrap().projection = "ALL".to_owned();
        found.indexes.get_mut("updates").unwrap().keys.sort = Some("at".to_owned());
        found.attributes.insert("pk".to_owned(), "B".to_owned());
        let expected = [
            "its keys are id and nothing, not pk and sk",
            "the index lists holds ALL, not KEYS_ONLY",
            "the index names is missing",
            "the keys of the index updates are upk and at, not upk and usk",
            "the attribute pk is of the type B, not S",
        ];
        assert_eq!(wanted.differences(&found), expected);
    }
}
