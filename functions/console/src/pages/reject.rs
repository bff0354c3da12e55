//! Asks whether to reject accepted images whose vault becomes free: accepting them again needs it again.

use std::collections::BTreeMap;

use askama::Template;
use imageshare::domain::{Status, authorize_write};
use imageshare::usecases;

use super::received::{Facts, MAX_SELECTED, Row, Selection};
use super::shared;
use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show;
use crate::texts::{fill, plural};
use crate::visit::{self, Visit};
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "reject.html")]
struct RejectImages {
    frame: Frame,
    may_write: bool,
    form_key: String,
    question: String,
    /// What becomes free, a sentence for each vault.
    freed: Vec<String>,
    rows: Vec<Row>,
}

/// Shows the question. The images and the frame are read concurrently, then what their rows need.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let Selection::Images(images) = Selection::of(&visit.query)? else {
        return Err(Refusal::TooManySelected { most: MAX_SELECTED });
    };
    let find = async { Ok(usecases::find_received(&visit.app, visit.caller(), &images).await?) };
    let (frame, mut found) = tokio::try_join!(Frame::load(visit, Some(Section::SharedImages)), find)?;
    found.retain(|image| image.member.status == Status::Accepted);
    let facts = Facts::load(visit, found.iter()).await?;
    let own = &visit.texts.received;
    let mut freed: BTreeMap<String, u64> = BTreeMap::new();
    for image in &found {
        let gib = show::backup_gib(&image.visible.image).unwrap_or_default();
        if let Some(vault) = &image.member.vault {
            *freed.entry(vault.to_string()).or_default() += gib;
        }
    }
    let sentence =
        |(vault, gib): (String, u64)| fill(own.frees, &[("vault", &vault), ("gib", &gib.to_string())]);
    Ok(Reply::page(&RejectImages {
        frame,
        may_write: visit.may_write(),
        form_key: visit::new_form_key(),
        question: plural(found.len(), own.reject_one, own.reject_many),
        freed: freed.into_iter().map(sentence).collect(),
        rows: found.iter().map(|image| facts.row(visit, image)).collect(),
    }))
}

/// Rejects the images.
pub(crate) async fn confirm(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    match Selection::of(&visit.form)? {
        Selection::Images(images) => shared::respond(visit, (Status::Rejected, images), shared::PATH).await,
        Selection::All => Err(Refusal::TooManySelected { most: MAX_SELECTED }),
    }
}
