//! Lists, with all of their pages.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ApiError, Call, Client, ErrorKind};

#[derive(Deserialize)]
struct Page {
    page_info: Option<PageInfo>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Deserialize)]
struct PageInfo {
    next_marker: Option<String>,
}

impl Client {
    /// Reads a list of the service's own API to its end. `items` is the member of a page that has them, and `call` makes
    /// the call of the page that follows a marker. Costs a call for each page.
    pub(super) async fn all_pages<T: DeserializeOwned>(
        &self,
        items: &str,
        call: impl Fn(Option<&str>) -> Call,
    ) -> Result<Vec<T>, ApiError> {
        let (mut all, mut marker) = (Vec::new(), None::<String>);
        loop {
            let call = call(marker.as_deref());
            let mut page: Page = self.send(&call).await?;
            let found = page.members.remove(items).unwrap_or(Value::Array(Vec::new()));
            let found: Vec<T> = serde_json::from_value(found)
                .map_err(|problem| ApiError::unreadable(&problem, None, call.name()))?;
            all.extend(found);
            let next = page.page_info.and_then(|info| info.next_marker);
            match next {
                None => return Ok(all),
                Some(next) if marker.as_ref() == Some(&next) => {
                    let message = "The list does not end: the service returned the same marker twice.";
                    return Err(ApiError::local(ErrorKind::UnexpectedResponse, message, call.name()));
                }
                Some(next) => marker = Some(next),
            }
        }
    }
}
