//! The identity of a resource (Terraform 1.12): the attributes of its state that tell it from every other.

use std::collections::BTreeMap;

use crate::protocol::{DynamicValue, IdentityAttribute, ResourceIdentityData, ResourceIdentitySchema};
use crate::schema::Schema;
use crate::value::{CodecError, Object, Type, decode_msgpack, encode_msgpack};

/// The identity of a kind of resource.
pub(super) struct Identity {
    names: &'static [&'static str],
    ty: Type,
}

impl Identity {
    pub(super) fn new(names: &'static [&'static str]) -> Self {
        let types: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), Type::String)).collect();
        Self { names, ty: Type::Object(types) }
    }

    /// Its schema, with the descriptions of the attributes in the resource's.
    pub(super) fn schema(&self, resource: &Schema) -> ResourceIdentitySchema {
        let attributes = self.names.iter().map(|name| {
            let attribute = resource.attributes().iter().find(|attribute| attribute.name() == *name);
            IdentityAttribute {
                name: (*name).to_owned(),
                r#type: Type::String.to_json(),
                required_for_import: true,
                optional_for_import: false,
                description: attribute
                    .map(|attribute| attribute.description().to_owned())
                    .unwrap_or_default(),
            }
        });
        ResourceIdentitySchema { version: 0, identity_attributes: attributes.collect() }
    }

    /// The identity that a state has; `None` if it is not wholly known, as in a plan.
    pub(super) fn of(&self, state: &Object) -> Option<ResourceIdentityData> {
        let attributes = self.names.iter().map(|name| Some((*name, state.str(name)?)));
        let identity: Object = attributes.collect::<Option<Vec<_>>>()?.into_iter().collect();
        let msgpack = encode_msgpack(&identity.into(), &self.ty).ok()?;
        Some(ResourceIdentityData { identity_data: Some(DynamicValue { msgpack, json: Vec::new() }) })
    }

    /// Reads an identity; `None` if there is none.
    pub(super) fn decode(&self, data: Option<&ResourceIdentityData>) -> Result<Option<Object>, CodecError> {
        let Some(value) = data.and_then(|data| data.identity_data.as_ref()) else { return Ok(None) };
        Ok(decode_msgpack(&value.msgpack, &self.ty)?.as_object().cloned())
    }

    /// Its type.
    pub(super) fn ty(&self) -> &Type {
        &self.ty
    }
}
