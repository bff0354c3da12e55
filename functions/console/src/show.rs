//! How values look on a page.

use std::fmt;

use imageshare::domain::{Image, ImageKind, Status, Timestamp};

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
    fn moment_is_shown_to_the_minute() {
        let moment = Moment(Timestamp::from_unix_millis(1_795_000_000_000));
        assert_eq!(moment.to_string(), "2026-11-18 11:06 UTC");
        assert_eq!(moment.machine(), "2026-11-18T11:06:40Z");
    }
}
