//! *Stop sharing*: the projects that lose access to an image, and the confirmation.
//!
//! The page costs what the frame costs, one batch read for the image and one for each 100 memberships; its form what
//! unsharing costs.

use std::collections::BTreeSet;

use imageshare::domain::{Audience, ImageId, Status, TenantId, authorize_write};
use imageshare::usecases::{self, ListReason, MembershipQuery};

use super::confirm::{Confirmation, Item};
use super::image;
use crate::frame::{Frame, Section};
use crate::owned;
use crate::reply::Reply;
use crate::show;
use crate::texts::{fill, plural};
use crate::visit::Visit;
use crate::wording::Refusal;

/// The most projects of one form: those of a page of members.
const MOST: usize = 100;

/// Asks whether to stop sharing the image with the projects in the query. Those that are no members are left out.
pub(crate) async fn show(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let tenants = selected(visit.query.parsed("tenant"))?;
    let query = MembershipQuery {
        project: visit.caller().tenant.clone(),
        side: Audience::Owner,
        images: Some(BTreeSet::from([id.clone()])),
        counterparts: Some(tenants.into_iter().collect()),
        statuses: Status::ALL.into_iter().collect(),
    };
    let members =
        async { Ok(usecases::query_memberships(&visit.app, visit.caller(), &query, None, MOST).await?) };
    let (mut frame, visible, members) =
        tokio::try_join!(Frame::load(visit, None), image::find(visit, &id), members)?;
    let path = owned::image_path(&id);
    if visible.reason != ListReason::Owned || members.items.is_empty() {
        return Ok(Reply::redirect(path));
    }
    frame.enter(Section::PrivateImages);
    let names = usecases::names_of(&visit.app, &members.items).await?;
    let texts = visit.texts;
    let count = members.items.len();
    let name = show::image_name(&visible.image);
    let name_of = |tenant: &TenantId| {
        let names = names.get(tenant).map(|names| format!("{} / {}", names.account, names.project));
        names.unwrap_or_default()
    };
    let items = members.items.iter().map(|row| Item {
        name: name_of(&row.member.tenant),
        id: row.member.tenant.to_string(),
        note: show::status_name(row.member.status, texts).to_owned(),
    });
    let confirmation = Confirmation {
        lines: vec![
            fill(texts.own.image_named, &[("name", name)]),
            plural(count, texts.own.lose_access_one, texts.own.lose_access_many),
        ],
        items: items.collect(),
        fields: members.items.iter().map(|row| ("tenant", row.member.tenant.to_string())).collect(),
        ..Confirmation::new(frame, texts.own.stop_sharing, format!("{path}/unshare"), path)
    };
    Ok(confirmation.reply())
}

/// Stops sharing the image with the projects in the form.
pub(crate) async fn submit(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let tenants = selected(visit.form.parsed("tenant"))?;
    let (images, key) = (vec![id.clone()], visit.idempotency());
    let job =
        usecases::unshare(&visit.app, visit.caller(), images, tenants, key).await.map_err(owned::refusal)?;
    Ok(Reply::redirect(format!("{}?job={job}", owned::image_path(&id))))
}

fn selected(tenants: Vec<TenantId>) -> Result<Vec<TenantId>, Refusal> {
    match tenants.len() {
        0 => Err(Refusal::NoProjectSelected),
        1..=MOST => Ok(tenants),
        _ => Err(Refusal::MalformedForm),
    }
}
