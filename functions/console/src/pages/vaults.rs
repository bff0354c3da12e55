//! *Vaults*: where the backups of accepted full-ECS images go.

use askama::Template;
use imageshare::domain::{Protection, VaultId, VaultStatus};
use imageshare::store::VaultRecord;
use imageshare::usecases;

use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::{Moment, Pager};
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The path of the page.
pub(super) const PATH: &str = "/console/vaults";

#[derive(Template)]
#[template(path = "vaults.html")]
struct Vaults {
    frame: Frame,
    may_write: bool,
    rows: Vec<Row>,
    pager: Option<Pager>,
}

struct Row {
    id: String,
    protection: &'static str,
    status: &'static str,
    capacity: String,
    /// The reserved capacity and the whole, in GiB, for the bar.
    parts: (u64, u64),
    reserved: String,
    free: String,
    created: Moment,
    edit: String,
    delete: String,
}

/// Shows a page of the vaults, in the order of their ids. The list and the frame are read concurrently.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let listing = visit.listing("console vaults");
    let after: Option<VaultId> =
        listing.decode_marker(visit.query.text("marker")).and_then(|id| id.parse().ok());
    let list =
        async { Ok(usecases::list_vaults(&visit.app, visit.caller(), after.as_ref(), PAGE_SIZE).await?) };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::Vaults)), list)?;
    let next = page.next.map(|id| listing.encode_marker(id));
    Ok(Reply::page(&Vaults {
        frame,
        may_write: visit.may_write(),
        rows: page.items.iter().map(|record| Row::new(visit, record)).collect(),
        pager: Pager::new(visit.texts.pages, ("marker", after.is_some()), next.as_deref(), &[]),
    }))
}

impl Row {
    fn new(visit: &Visit<'_>, VaultRecord { id, vault, created }: &VaultRecord) -> Self {
        let (texts, details) = (visit.texts, vault.details);
        let own = &texts.received;
        let capacity = u64::from(details.capacity_gib);
        let gib = |count: u64| fill(texts.gib, &[("count", &count.to_string())]);
        let (reserved, all) = (vault.reserved_gib.to_string(), capacity.to_string());
        let label = |text| fill(text, &[("name", id.as_str())]);
        Self {
            id: id.to_string(),
            protection: protection_name(details.protection, texts),
            status: status_name(details.status, texts),
            capacity: gib(capacity),
            parts: (vault.reserved_gib, capacity),
            reserved: fill(own.reserved_of, &[("reserved", &reserved), ("capacity", &all)]),
            free: gib(capacity.saturating_sub(vault.reserved_gib)),
            created: Moment(*created),
            edit: label(own.edit_of),
            delete: label(own.delete_of),
        }
    }
}

/// What a protection type is called.
pub(super) fn protection_name(protection: Protection, texts: &'static Texts) -> &'static str {
    match protection {
        Protection::Backup => texts.received.backup,
        Protection::Replication => texts.received.replication,
        Protection::Hybrid => texts.received.hybrid,
    }
}

/// What the status of a vault is called.
pub(super) fn status_name(status: VaultStatus, texts: &'static Texts) -> &'static str {
    let texts = &texts.received;
    match status {
        VaultStatus::Available => texts.available,
        VaultStatus::Lock => texts.lock,
        VaultStatus::Frozen => texts.frozen,
        VaultStatus::Deleting => texts.deleting,
        VaultStatus::Error => texts.error,
    }
}
