//! *Messages*: what the requests of other projects did to this one, and where to act on it.

use std::collections::HashMap;

use askama::Template;
use futures_util::future::join_all;
use imageshare::domain::{
    DirectoryEntry, ImageId, Message, MessageId, MessageKind, Timestamp, UnreadEntry, authorize_write,
};
use imageshare::http::Listing;
use imageshare::usecases::{self, MessageError, MessageList, MessageView, UnreadCount};

use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::{Moment, Pager};
use crate::texts::{Texts, fill, plural};
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The most images that a row names.
const MAX_NAMED_IMAGES: usize = 3;

#[derive(Template)]
#[template(path = "messages.html")]
struct Messages {
    frame: Frame,
    may_write: bool,
    is_unread_only: bool,
    /// How many are unread; empty on later pages.
    unread: String,
    /// The moment until which everything is shown, which *Mark all as read* names; empty if nothing is unread.
    as_of: String,
    /// The unread messages on this page that have arrived since.
    recent: Vec<String>,
    rows: Vec<Row>,
    pager: Option<Pager>,
}

struct Row {
    id: String,
    sentence: String,
    /// The first images.
    images: Vec<NamedImage>,
    further: String,
    counterpart: String,
    entry: Option<DirectoryEntry>,
    time: Moment,
    is_read: bool,
    /// What is to be done, and where.
    link: (&'static str, &'static str),
    mark: String,
}

/// An image that a message names.
struct NamedImage {
    id: String,
    /// Its name, or its id if it has none.
    name: String,
    /// Whether its page is there, as far as the messages of this page tell.
    is_linked: bool,
}

/// Shows a page of all messages, or of the unread ones. The list and the frame are read concurrently: two steps for all
/// messages, three for the unread ones, however many there are.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let is_unread_only = visit.query.has("unread");
    let listing = visit.listing(if is_unread_only { "console unread" } else { "console messages" });
    let position = listing.decode_marker(visit.query.text("marker"));
    let list = async {
        if is_unread_only { list_unread(visit, position).await } else { list_all(visit, position).await }
    };
    let (frame, list) = tokio::try_join!(Frame::load(visit, Some(Section::Messages)), list)?;
    let (views, unread, as_of, next) = list;
    let next = next.map(|next| Listing::encode_marker(&listing, next));
    let kept: &[(&str, &str)] = if is_unread_only { &[("unread", "1")] } else { &[] };
    let is_recent = |view: &&MessageView| !view.is_read && view.message.arrived > as_of;
    let recent = views.iter().filter(is_recent).map(|view| view.message.id.to_string()).collect();
    let withdrawn = withdrawn_images(&views);
    let has_unread = unread.is_some_and(|unread| unread.count > 0);
    Ok(Reply::page(&Messages {
        frame,
        may_write: visit.may_write(),
        is_unread_only,
        unread: unread.map(|unread| unread_sentence(unread, visit.texts)).unwrap_or_default(),
        as_of: if has_unread { as_of.unix_millis().to_string() } else { String::new() },
        recent,
        rows: views.into_iter().map(|view| Row::new(visit.texts, view, &withdrawn)).collect(),
        pager: Pager::new(visit.texts.pages, ("marker", position.is_some()), next.as_deref(), kept),
    }))
}

/// A page of messages, the number of unread ones, the moment until which nothing is missing, and where the next page begins.
type Listed = (Vec<MessageView>, Option<UnreadCount>, Timestamp, Option<String>);

async fn list_all(visit: &Visit<'_>, position: Option<&str>) -> Result<Listed, Refusal> {
    let after: Option<MessageId> = position.and_then(|text| text.parse().ok());
    let list = usecases::list_messages(&visit.app, visit.caller(), after.as_ref(), PAGE_SIZE).await?;
    Ok(listed(list))
}

async fn list_unread(visit: &Visit<'_>, position: Option<&str>) -> Result<Listed, Refusal> {
    let after: Option<UnreadEntry> = position.and_then(|text| text.parse().ok());
    let (app, caller) = (&visit.app, visit.caller());
    let list = usecases::list_unread_messages(app, caller, None, after.as_ref(), PAGE_SIZE).await?;
    Ok(listed(list))
}

fn listed<P: ToString>(MessageList { page, unread, as_of, .. }: MessageList<P>) -> Listed {
    (page.items, unread, as_of, page.next.map(|next| next.to_string()))
}

/// Of the images that messages name, the latest first, whether the latest message about each withdraws it from the project.
fn withdrawn_images(views: &[MessageView]) -> HashMap<ImageId, bool> {
    let mut withdrawn = HashMap::new();
    for MessageView { message, .. } in views {
        let is_end = message.id.kind == MessageKind::ShareWithdrawn;
        for image in message.images.keys() {
            withdrawn.entry(image.clone()).or_insert(is_end);
        }
    }
    withdrawn
}

/// Marks a message, or all that had arrived some seconds before the page was shown, with the later ones that it shows: a
/// message that it does not show stays unread. Costs one write, and for each message a write and a batch read.
pub(crate) async fn mark(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let (app, caller, form) = (&visit.app, visit.caller(), &visit.form);
    if form.has("all") {
        let millis = form.text("all").parse().map_err(|_| Refusal::MalformedForm)?;
        usecases::mark_messages_read(app, caller, Timestamp::from_unix_millis(millis)).await?;
        let recent: Vec<MessageId> = form.parsed("recent");
        let recent = recent.iter().take(PAGE_SIZE).map(|id| usecases::mark_message(app, caller, id, true));
        for marked in join_all(recent).await {
            match marked {
                Ok(_) | Err(MessageError::NotFound) => {}
                Err(problem) => return Err(problem.into()),
            }
        }
    } else {
        let is_read = form.has("read");
        let id = form.text(if is_read { "read" } else { "unread" });
        let id: MessageId = id.parse().map_err(|_| Refusal::MalformedForm)?;
        usecases::mark_message(app, caller, &id, is_read).await?;
    }
    let filter = if form.has("only_unread") { "?unread=1" } else { "" };
    Ok(Reply::redirect(format!("{}{filter}", Section::Messages.path())))
}

/// How many messages are unread.
fn unread_sentence(unread: UnreadCount, texts: &Texts) -> String {
    let own = &texts.received;
    if unread.is_more {
        return fill(own.unread_more, &[("count", &unread.count.to_string())]);
    }
    plural(unread.count, own.unread_one, own.unread_many)
}

impl Row {
    fn new(
        texts: &'static Texts,
        MessageView { message, is_read, counterpart }: MessageView,
        withdrawn: &HashMap<ImageId, bool>,
    ) -> Self {
        let own = &texts.received;
        let sentence = sentence(&message, texts);
        let images = message.images.iter().take(MAX_NAMED_IMAGES).map(|(id, name)| NamedImage {
            id: id.to_string(),
            name: shown_name(id.as_str(), name.as_deref()),
            is_linked: !withdrawn.get(id).is_some_and(|is_withdrawn| *is_withdrawn),
        });
        let further = message.images.len().saturating_sub(MAX_NAMED_IMAGES);
        let link = match message.id.kind {
            MessageKind::ShareOffered => (own.answer, Section::SharedImages.path()),
            MessageKind::ShareWithdrawn | MessageKind::GrantEnded => {
                (own.show_shared, Section::SharedImages.path())
            }
            MessageKind::ShareAccepted | MessageKind::ShareRejected => {
                (own.show_private, Section::PrivateImages.path())
            }
        };
        let mark = if is_read { own.mark_unread_of } else { own.mark_read_of };
        Self {
            id: message.id.to_string(),
            images: images.collect(),
            further: if further > 0 {
                fill(own.further_images, &[("count", &further.to_string())])
            } else {
                String::new()
            },
            counterpart: message.id.counterpart.to_string(),
            entry: counterpart,
            time: Moment(message.time()),
            is_read,
            link,
            mark: fill(mark, &[("message", &sentence)]),
            sentence,
        }
    }
}

/// What a message says.
fn sentence(message: &Message, texts: &Texts) -> String {
    let own = &texts.received;
    let [one, many, more] = match message.id.kind {
        MessageKind::ShareOffered => [own.offered_one, own.offered_many, own.offered_more],
        MessageKind::ShareWithdrawn => [own.withdrawn_one, own.withdrawn_many, own.withdrawn_more],
        MessageKind::ShareAccepted => [own.accepted_one, own.accepted_many, own.accepted_more],
        MessageKind::ShareRejected => [own.rejected_one, own.rejected_many, own.rejected_more],
        MessageKind::GrantEnded => {
            let key = message.key.as_ref().map(ToString::to_string).unwrap_or_default();
            return fill(own.grant_ended, &[("key", &key)]);
        }
    };
    let count = message.images.len().to_string();
    match message.images.first_key_value() {
        _ if message.has_more_images => fill(more, &[("count", &count)]),
        Some((id, name)) if message.images.len() == 1 => {
            fill(one, &[("name", &shown_name(id.as_str(), name.as_deref()))])
        }
        _ => fill(many, &[("count", &count)]),
    }
}

/// The name of an image, or its id if it has no name.
fn shown_name(id: &str, name: Option<&str>) -> String {
    name.filter(|name| !name.trim().is_empty()).unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests {
    use imageshare::domain::Stamp;

    use super::*;
    use crate::texts::ENGLISH;

    fn message(kind: MessageKind, images: &[&str], has_more_images: bool) -> Message {
        let images = images.iter().map(|id| (id.parse().unwrap(), Some(format!("{{{id}}}"))));
        Message {
            id: MessageId { stamp: Stamp::now(), kind, counterpart: "own1".parse().unwrap() },
            images: images.collect(),
            has_more_images,
            key: Some("k".parse().unwrap()),
            arrived: Timestamp::now(),
            is_marked_read: false,
        }
    }

    #[test]
    fn message_names_one_image_and_counts_several() {
        let sentence = |kind, images: &[&str], more| sentence(&message(kind, images, more), &ENGLISH);
        assert_eq!(sentence(MessageKind::ShareOffered, &["a"], false), "{a} is shared with you.");
        assert_eq!(sentence(MessageKind::ShareRejected, &["a", "b"], false), "2 images were rejected.");
        let more = sentence(MessageKind::ShareWithdrawn, &["a", "b"], true);
        assert_eq!(more, "More than 2 images are not shared with you any more.");
        assert_eq!(sentence(MessageKind::GrantEnded, &["a"], false), "You may not use the key k any more.");
    }
}
