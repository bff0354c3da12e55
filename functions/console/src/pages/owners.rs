//! *Trusted Owners*: the owners whose images are accepted at once, and those whose images are refused (seed 002).

use askama::Template;
use imageshare::domain::{PolicyKind, TenantId, authorize_write};
use imageshare::store::OwnerPolicyRecord;
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
pub(super) const PATH: &str = "/console/owners";

#[derive(Template)]
#[template(path = "owners.html")]
struct Owners {
    frame: Frame,
    may_write: bool,
    rows: Vec<Row>,
    pager: Option<Pager>,
}

/// A policy. The names of the owner are not shown: whether it exists is not for the project to learn.
struct Row {
    owner: String,
    policy: (&'static str, &'static str),
    vault: String,
    created: Moment,
    edit: String,
    remove: String,
}

/// Shows a page of the policies, in the order of the owners' ids. The list and the frame are read concurrently.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let listing = visit.listing("console owners");
    let after: Option<TenantId> =
        listing.decode_marker(visit.query.text("marker")).and_then(|id| id.parse().ok());
    let list = async {
        let (app, caller) = (&visit.app, visit.caller());
        Ok(usecases::list_owner_policies(app, caller, None, after.as_ref(), PAGE_SIZE).await?)
    };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::Owners)), list)?;
    let next = page.next.map(|id| listing.encode_marker(id));
    Ok(Reply::page(&Owners {
        frame,
        may_write: visit.may_write(),
        rows: page.items.iter().map(|record| Row::new(visit.texts, record)).collect(),
        pager: Pager::new(visit.texts.pages, ("marker", after.is_some()), next.as_deref(), &[]),
    }))
}

/// Removes the policy on an owner. Costs one transaction. One that does not exist any more is removed.
pub(crate) async fn remove(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let owner = visit.form.text("remove").parse().map_err(|_| Refusal::MalformedForm)?;
    usecases::delete_owner_policy(&visit.app, visit.caller(), owner).await?;
    Ok(Reply::redirect(format!("{PATH}?done=removed")))
}

impl Row {
    fn new(texts: &'static Texts, OwnerPolicyRecord { owner, policy, created }: &OwnerPolicyRecord) -> Self {
        let own = &texts.received;
        let vault = policy.policy.vault().map(ToString::to_string);
        Self {
            owner: owner.to_string(),
            policy: match policy.policy.kind() {
                PolicyKind::Trusted => (own.trusted, "accepted"),
                PolicyKind::Blocked => (own.blocked, "rejected"),
            },
            vault: vault.unwrap_or_default(),
            created: Moment(*created),
            edit: fill(own.edit_of, &[("name", owner.as_str())]),
            remove: fill(own.remove_of, &[("owner", owner.as_str())]),
        }
    }
}
