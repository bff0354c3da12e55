//! The vault that an acceptance may name, the same in every facade (`contract/ims.md` 1.2).

use serde_json::Value;

use crate::domain::{ID_FORMAT, VaultId};

/// Parses `vault_id`. An empty text counts as none.
///
/// # Errors
/// A message with the expected format, if it is not an id.
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
