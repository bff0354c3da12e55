//! The identity of a resource (Terraform 1.12): the attributes of its state that tell it from every other.
//!
//! They are texts, or sets of texts, which an identity has as sorted lists. Those that the configuration need not have may be missing.

use std::collections::BTreeMap;

use crate::protocol::{DynamicValue, IdentityAttribute, ResourceIdentityData, ResourceIdentitySchema};
use crate::schema::{Presence, Schema};
use crate::value::{CodecError, Object, Type, Value, decode_msgpack, encode_msgpack};

/// The identity of a kind of resource.
pub(super) struct Identity {
    attributes: Vec<IdentityPart>,
    ty: Type,
}

struct IdentityPart {
    name: &'static str,
    description: &'static str,
    ty: Type,
    is_optional: bool,
}

impl Identity {
    /// The identity that consists of these attributes of a resource's schema.
    pub(super) fn new(names: &'static [&'static str], resource: &Schema) -> Self {
        let attributes = resource.attributes();
        let found =
            names.iter().filter_map(|name| attributes.iter().find(|attribute| attribute.name() == *name));
        let parts: Vec<_> = found
            .map(|attribute| IdentityPart {
                name: attribute.name(),
                description: attribute.description(),
                ty: if attribute.ty() == Type::String { Type::String } else { Type::list(Type::String) },
                is_optional: attribute.presence() == Presence::Optional,
            })
            .collect();
        let ty = Type::Object(
            parts.iter().map(|part| (part.name.to_owned(), part.ty.clone())).collect::<BTreeMap<_, _>>(),
        );
        Self { attributes: parts, ty }
    }

    /// Its schema, with the descriptions of the attributes in the resource's.
    pub(super) fn schema(&self) -> ResourceIdentitySchema {
        let attributes = self.attributes.iter().map(|part| IdentityAttribute {
            name: part.name.to_owned(),
            r#type: part.ty.to_json(),
            required_for_import: !part.is_optional,
            optional_for_import: part.is_optional,
            description: part.description.to_owned(),
        });
        ResourceIdentitySchema { version: 0, identity_attributes: attributes.collect() }
    }

    /// The identity that a state has; `None` if it is not wholly known, as in a plan.
    pub(super) fn of(&self, state: &Object) -> Option<ResourceIdentityData> {
        if self.missing(state).next().is_some() {
            return None;
        }
        let attributes =
            self.attributes.iter().map(|part| (part.name, as_list(state.get(part.name).clone())));
        let identity: Object = attributes.collect();
        if identity.has_unknown() {
            return None;
        }
        let msgpack = encode_msgpack(&identity.into(), &self.ty).ok()?;
        Some(ResourceIdentityData { identity_data: Some(DynamicValue { msgpack, json: Vec::new() }) })
    }

    /// The attributes that an identity has to have, and this state has not.
    pub(super) fn missing(&self, state: &Object) -> impl Iterator<Item = &'static str> {
        let required = self.attributes.iter().filter(|part| !part.is_optional);
        required
            .map(|part| part.name)
            .filter(|name| state.get(name).is_null() || state.get(name).is_unknown())
    }

    /// Reads an identity, as attributes of a state; `None` without one.
    pub(super) fn decode(&self, data: Option<&ResourceIdentityData>) -> Result<Option<Object>, CodecError> {
        let Some(value) = data.and_then(|data| data.identity_data.as_ref()) else { return Ok(None) };
        let identity = decode_msgpack(&value.msgpack, &self.ty)?;
        let attributes = identity.as_object().into_iter().flat_map(Object::iter);
        Ok(Some(attributes.map(|(name, value)| (name, as_set(value.clone()))).collect()))
    }

    /// Its type.
    pub(super) fn ty(&self) -> &Type {
        &self.ty
    }
}

/// A set as the list that an identity has; another value as it is.
fn as_list(value: Value) -> Value {
    match value {
        Value::Set(elements) => Value::List(elements.to_vec()),
        other => other,
    }
}

fn as_set(value: Value) -> Value {
    match value {
        Value::List(elements) => Value::Set(elements.into_iter().collect()),
        other => other,
    }
}
