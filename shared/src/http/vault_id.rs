//! The backup vault that an answer may name, the same in every facade (`contract/ims.md` 1.2).

use serde_json::Value;

use crate::domain::{ID_FORMAT, VaultId};

/// Reads `vault_id`; a text of no length names none.
///
/// # Errors
/// What was expected, where it is no id.
pub(crate) fn parse(value: Option<&Value>) -> Result<Option<VaultId>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => {
            let id = value.as_str().and_then(|text| text.parse().ok());
            id.map(Some).ok_or_else(|| format!("vault_id: expected {ID_FORMAT}."))
        }
    }
}
