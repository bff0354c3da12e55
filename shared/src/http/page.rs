//! Pages of lists. A function's response has at most 6 MB, so a page of large images has fewer of them.

use std::fmt::Display;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::Listing;
use crate::usecases::{ImagePage, Marker, Page, VisibleImage};

/// The `page_info` of a list's response.
#[derive(Debug, serde::Serialize)]
pub(crate) struct PageInfo {
    /// The marker of the next page; `None` on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
    /// The number of items on this page.
    pub(crate) current_count: usize,
}

impl PageInfo {
    /// Creates the `page_info` of a page of the listing.
    pub(crate) fn new<T, P: Display>(page: &Page<T, P>, listing: &Listing) -> Self {
        let next_marker = page.next.as_ref().map(|next| listing.encode_marker(next));
        Self { next_marker, current_count: page.items.len() }
    }
}

/// The response of a list: its items under a name of their own, and its `page_info`.
#[derive(Debug)]
pub(crate) struct PageBody<T> {
    name: &'static str,
    items: Vec<T>,
    page_info: PageInfo,
}

impl<T> PageBody<T> {
    /// Renders each item of a page with `wire`, as an array with that name.
    pub(crate) fn new<'a, I, P: Display>(
        name: &'static str,
        page: &'a Page<I, P>,
        listing: &Listing,
        wire: impl Fn(&'a I) -> T,
    ) -> Self {
        Self { name, items: page.items.iter().map(wire).collect(), page_info: PageInfo::new(page, listing) }
    }
}

impl<T: Serialize> Serialize for PageBody<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(2))?;
        body.serialize_entry(self.name, &self.items)?;
        body.serialize_entry("page_info", &self.page_info)?;
        body.end()
    }
}

/// The most bytes of images on a page, including the escapes that the gateway's envelope adds.
pub(crate) const MAX_BYTES: usize = 5_000_000;

/// Renders the images of a page with `wire`, until they exceed `max_bytes`. Returns them with the marker of the next
/// page. Each image is serialized once, since its size has to be known.
pub(crate) fn render_images(
    page: ImagePage,
    max_bytes: usize,
    wire: impl Fn(&VisibleImage) -> Option<Box<RawValue>>,
) -> (Vec<Box<RawValue>>, Option<Marker>) {
    let (mut images, mut bytes, mut last) = (Vec::new(), 0, None);
    for row in page.rows {
        let Some(text) = wire(&row.visible) else { continue };
        bytes += escaped_len(text.get());
        if bytes > max_bytes && last.is_some() {
            return (images, last.map(Marker::Cursor));
        }
        last = Some(row.cursor);
        images.push(text);
    }
    (images, page.next)
}

/// Serialises an image to JSON text. Does not fail for types of texts, numbers and booleans.
pub(crate) fn raw_json(wire: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(wire).ok()
}

/// The size of a JSON text in a function's response, where the body is a JSON string.
fn escaped_len(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Image, Timestamp};
    use crate::http::fixtures;
    use crate::store::Position;
    use crate::usecases::{ImageRow, ListReason};

    fn page(ids: &[&str]) -> ImagePage {
        let visible_image = |id: &&str| VisibleImage {
            image: Image {
                id: id.parse().unwrap(),
                created: Timestamp::from_unix_millis(5),
                ..fixtures::image(&[])
            },
            reason: ListReason::Owned,
            members: 0,
        };
        let row = |id| {
            let visible = visible_image(id);
            let position = Position { created: visible.image.created, image: visible.image.id.clone() };
            ImageRow { visible, cursor: position.into() }
        };
        ImagePage { rows: ids.iter().map(row).collect(), next: None }
    }

    fn wire(visible: &VisibleImage) -> Option<Box<RawValue>> {
        raw_json(&json!({ "id": visible.image.id.as_str() }))
    }

    #[test]
    fn oversized_page_is_cut_and_returns_next_marker() {
        let (whole, next) = render_images(page(&["a", "b", "c"]), MAX_BYTES, wire);
        let [a, b, c] = whole.as_slice() else { panic!("three images") };
        assert_eq!((c.get(), next), (r#"{"id":"c"}"#, None));
        let two = escaped_len(a.get()) + escaped_len(b.get());
        let (cut, next) = render_images(page(&["a", "b", "c"]), two, wire);
        assert_eq!((cut.len(), next.map(|next| next.to_string()).as_deref()), (2, Some("b~5")));
        assert_eq!(render_images(page(&["a", "b"]), 1, wire).0.len(), 1);
    }

    #[test]
    fn escaped_length_is_exact() {
        let json = json!({ "a": "say \"hi\" \\ \n é" }).to_string();
        assert_eq!(escaped_len(&json), Value::from(json).to_string().len() - 2);
    }
}
