//! The backup vault that an answer may name, the same in every facade (`contract/ims.md` 1.2).

use serde_json::Value;

use crate::domain::{ID_FORM, TenantId};

/// Reads `vault_id`; a text of no length names none.
///
/// # Errors
/// What was expected, where it is no id.
pub(super) fn parse(value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.parse::<TenantId>().is_ok() => Ok(Some(text.clone())),
        Some(_) => Err(format!("vault_id: expected {ID_FORM}.")),
    }
}
