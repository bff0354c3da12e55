//! How values look on a page.

use std::fmt;

use imageshare::domain::{Image, ImageKind, Status, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::texts::Texts;

/// A moment, to the minute, in UTC: for `<time>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Moment {
    /// The moment as a program reads it.
    pub(crate) fn machine(self) -> String {
        self.0.to_iso_seconds()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.0.to_iso_seconds();
        write!(f, "{} {} UTC", iso.get(..10).unwrap_or_default(), iso.get(11..16).unwrap_or_default())
    }
}

/// The links between the pages of a list, where a page may have several lists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pager {
    /// What it leads through.
    pub(crate) label: &'static str,
    /// The address of the first page; `None` on that page.
    pub(crate) first: Option<String>,
    /// The address of the next page; `None` on the last one.
    pub(crate) next: Option<String>,
}

impl Pager {
    /// The links of a list, whose marker is in the parameter of that name; `None` if it has one page. Other parameters of
    /// the query are kept.
    pub(crate) fn new(
        label: &'static str,
        (name, is_later): (&str, bool),
        next: Option<&str>,
        kept: &[(&str, &str)],
    ) -> Option<Self> {
        let address = |marker: Option<&str>| {
            let marker = marker.map(|marker| (name, marker));
            let fields = kept.iter().copied().filter(|(_, value)| !value.is_empty()).chain(marker);
            let fields: Vec<_> = fields
                .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
                .collect();
            format!("?{}", fields.join("&"))
        };
        let first = is_later.then(|| address(None));
        let next = next.map(|marker| address(Some(marker)));
        (first.is_some() || next.is_some()).then_some(Self { label, first, next })
    }
}

/// What a kind of image is called.
pub(crate) fn kind_name(kind: ImageKind, texts: &'static Texts) -> &'static str {
    match kind {
        ImageKind::SystemDisk => texts.system_disk,
        ImageKind::DataDisk => texts.data_disk,
        ImageKind::FullEcs { .. } => texts.full_ecs,
    }
}

/// What a status is called.
pub(crate) fn status_name(status: Status, texts: &'static Texts) -> &'static str {
    match status {
        Status::Pending => texts.pending,
        Status::Accepted => texts.accepted,
        Status::Rejected => texts.rejected,
    }
}

/// The name of an image, or its id if it has no name.
pub(crate) fn image_name(image: &Image) -> &str {
    image.details.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(image.id.as_str())
}

/// The size of the backups that accepting an image reserves, in GiB; `None` for an image that needs no vault.
pub(crate) fn backup_gib(image: &Image) -> Option<u64> {
    match image.details.kind() {
        ImageKind::FullEcs { backup_gib, .. } => Some(backup_gib),
        ImageKind::SystemDisk | ImageKind::DataDisk => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pager_keeps_the_other_list() {
        assert_eq!(Pager::new("Pages", ("marker", false), None, &[("pending", "x")]), None);
        let pager = Pager::new("Pages", ("marker", true), Some("i~5"), &[("pending", "a&b"), ("other", "")]);
        let (first, next) = pager.map(|pager| (pager.first, pager.next)).unwrap();
        assert_eq!(first.as_deref(), Some("?pending=a%26b"));
        assert_eq!(next.as_deref(), Some("?pending=a%26b&marker=i%7E5"));
    }

    #[test]
    fn moment_is_shown_to_the_minute() {
        let moment = Moment(Timestamp::from_unix_millis(1_795_000_000_000));
        assert_eq!(moment.to_string(), "2026-11-18 11:06 UTC");
        assert_eq!(moment.machine(), "2026-11-18T11:06:40Z");
    }
}
