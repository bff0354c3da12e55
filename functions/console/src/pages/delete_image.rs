//! *Delete* an image: who loses it, and the confirmation.
//!
//! The page costs what the frame costs and two batch reads; its form what deleting costs.

use imageshare::domain::{ImageId, authorize_write};
use imageshare::usecases;

use super::confirm::{Confirmation, Item};
use crate::frame::{Frame, Section};
use crate::owned;
use crate::reply::Reply;
use crate::show;
use crate::texts::plural;
use crate::visit::Visit;
use crate::wording::Refusal;

/// Asks whether to delete the image.
pub(crate) async fn show(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let ids = [id];
    let (frame, images) =
        tokio::try_join!(Frame::load(visit, Some(Section::PrivateImages)), owned::find(visit, &ids))?;
    let visible = images.found.first().ok_or(Refusal::NoSuchPage)?;
    let texts = visit.texts;
    let members = usize::try_from(visible.members).unwrap_or(usize::MAX);
    let mut lines = vec![texts.own.delete_for_good.to_owned()];
    if members > 0 {
        lines.push(plural(members, texts.own.lose_access_one, texts.own.lose_access_many));
    }
    let path = owned::image_path(&visible.image.id);
    let item = Item {
        name: show::image_name(&visible.image).to_owned(),
        id: visible.image.id.to_string(),
        note: String::new(),
    };
    // A project that was added since the page was shown is not cut off by surprise.
    let fields = vec![("members", members.to_string())];
    let confirmation = Confirmation {
        lines,
        items: vec![item],
        fields,
        ..Confirmation::new(frame, texts.own.delete_image, format!("{path}/delete"), path)
    };
    Ok(confirmation.reply())
}

/// Deletes the image, unless more projects have it than the visitor was told.
pub(crate) async fn submit(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let told: u32 = visit.form.text("members").parse().map_err(|_| Refusal::MalformedForm)?;
    let images = owned::find(visit, std::slice::from_ref(&id)).await?;
    let visible = images.found.first().ok_or(Refusal::NoSuchPage)?;
    if visible.members > told {
        return show(visit, id.as_str()).await;
    }
    usecases::delete_image(&visit.app, visit.caller(), &id).await.map_err(owned::refusal)?;
    Ok(Reply::redirect(format!("{}?done=deleted", Section::PrivateImages.path())))
}
