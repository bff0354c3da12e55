//! `provider::imageshare::parse_share_id`: the parts of an id.

use crate::server::{Function, FunctionFailure, Parameter, Signature};
use crate::value::{Object, Type, Value};

/// The function `parse_share_id`.
pub struct ParseShareId;

impl Function for ParseShareId {
    fn name(&self) -> &'static str {
        "parse_share_id"
    }

    fn signature(&self) -> Signature {
        let parts = ["image_id", "project_id"].map(|name| (name.to_owned(), Type::String));
        Signature {
            summary: "Splits IMAGE/PROJECT into its parts",
            description: "Splits `IMAGE/PROJECT`, the id of an acceptance and the keys of the `members` of a share, into an object with `image_id` and `project_id`.",
            parameters: vec![Parameter { name: "id", description: "The id.", ty: Type::String }],
            result: Type::Object(parts.into()),
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionFailure> {
        let id = arguments.first().and_then(Value::as_str).unwrap_or_default();
        match id.split_once('/') {
            Some((image, project)) if !image.is_empty() && !project.is_empty() && !project.contains('/') => {
                Ok(Object::new().with("image_id", image).with("project_id", project).into())
            }
            _ => Err(FunctionFailure {
                text: format!("Expected IMAGE/PROJECT, found {id:?}."),
                argument: Some(0),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_split_or_refused() {
        let parsed = ParseShareId.call(&["a/p".into()]).expect("its parts");
        assert_eq!(parsed, Object::new().with("image_id", "a").with("project_id", "p").into());
        for bad in ["", "a", "a/", "/p", "a/p/q"] {
            let failure = ParseShareId.call(&[bad.into()]).expect_err("a failure");
            assert_eq!((failure.argument, failure.text.contains("IMAGE/PROJECT")), (Some(0), true), "{bad}");
        }
    }
}
