//! A message in a response.

use serde::Serialize;

use crate::domain::{DirectoryEntry, ImageId, KeyId, Message, MessageKind, TenantId};
use crate::usecases::MessageView;

/// The number of images that a message shows. Its link leads to all of them.
const MAX_SHOWN_IMAGES: usize = 10;

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct MessageJson<'a> {
    id: String,
    kind: &'static str,
    time: String,
    read: bool,
    image_count: usize,
    /// Whether `image_count` is a lower bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    image_count_is_more: bool,
    images: Vec<ImageJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    counterpart: CounterpartJson<'a>,
    expires_at: String,
    links: Links,
}

#[derive(Debug, Serialize)]
struct ImageJson<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

/// The other tenant, with its names if the directory has them.
#[derive(Debug, Serialize)]
struct CounterpartJson<'a> {
    role: &'static str,
    project_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
}

/// Where to go from a message, each by GET.
#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: String,
    /// The list that shows what has become of the images. In a message of an offer, those that wait for a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<String>,
}

/// A response with one message.
#[derive(Debug, Serialize)]
pub(super) struct MessageBody<'a> {
    pub(super) message: MessageJson<'a>,
}

impl<'a> MessageJson<'a> {
    /// Renders a message to `reader`, with links below `base_url`.
    pub(super) fn new(view: &'a MessageView, reader: &TenantId, base_url: &str) -> Self {
        let MessageView { message, is_read, counterpart } = view;
        let images = message.images.iter().take(MAX_SHOWN_IMAGES);
        let images = images.map(|(id, name)| ImageJson { id: id.as_str(), name: name.as_deref() });
        Self {
            id: message.id.to_string(),
            kind: message.id.kind.as_str(),
            time: message.time().to_iso_millis(),
            read: *is_read,
            image_count: message.images.len(),
            image_count_is_more: message.has_more_images,
            images: images.collect(),
            key_id: message.key.as_ref().map(KeyId::as_str),
            counterpart: CounterpartJson::new(message, counterpart.as_ref()),
            expires_at: message.expires().to_iso_seconds(),
            links: Links {
                own: format!("{base_url}/v1/messages/{}", message.id),
                images: images_path(message, reader).map(|path| format!("{base_url}{path}")),
            },
        }
    }
}

impl<'a> CounterpartJson<'a> {
    fn new(message: &'a Message, entry: Option<&'a DirectoryEntry>) -> Self {
        Self {
            role: if message.id.kind.is_to_owner() { "recipient" } else { "owner" },
            project_id: message.id.counterpart.as_str(),
            account: entry.map(|entry| entry.account.as_str()),
            project: entry.map(|entry| entry.project.as_str()),
        }
    }
}

/// The path of the list that shows what has become of the images, if there is one: to a recipient, images of that owner
/// by status; to an owner, the members of the image, or its own images if there are several.
fn images_path(message: &Message, reader: &TenantId) -> Option<String> {
    let of_owner = |status: &str| {
        let owner = &message.id.counterpart;
        format!("/v2/cloudimages?__imagetype=shared&visibility=shared&member_status={status}&owner={owner}")
    };
    let mut images = message.images.keys();
    Some(match message.id.kind {
        MessageKind::ShareOffered => of_owner("pending"),
        MessageKind::ShareWithdrawn | MessageKind::GrantEnded => of_owner("accepted"),
        MessageKind::ShareAccepted | MessageKind::ShareRejected => match (images.next(), images.next()) {
            (Some(only), None) => members_path(reader, only),
            (Some(_), Some(_)) => format!("/v2/cloudimages?owner={reader}&visibility=shared"),
            (None, _) => return None,
        },
    })
}

fn members_path(owner: &TenantId, image: &ImageId) -> String {
    format!("/v1/{owner}/cloudimages/{image}/members")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{MessageId, Stamp, Timestamp};

    /// A view of a message of that many images, from a time in 2024.
    pub(in super::super) fn message_view(kind: MessageKind, image_count: usize) -> MessageView {
        let time = Timestamp::from_unix_millis(1_730_874_600_778);
        let id = MessageId { stamp: Stamp::first_of(time), kind, counterpart: "own1".parse().unwrap() };
        let image =
            |number| (format!("i-{number:02}").parse().unwrap(), (number == 0).then(|| "web".to_owned()));
        let message = Message {
            id,
            images: (0..image_count).map(image).collect(),
            has_more_images: false,
            key: None,
            arrived: time,
            is_marked_read: false,
        };
        MessageView { message, is_read: false, counterpart: None }
    }

    fn wire(view: &MessageView) -> Value {
        serde_json::to_value(MessageJson::new(view, &"mem1".parse().unwrap(), "https://images.example"))
            .unwrap()
    }

    #[test]
    fn offer_leads_to_the_pending_images_of_its_owner() {
        let view = message_view(MessageKind::ShareOffered, 1);
        let id = view.message.id.to_string();
        assert_eq!(
            wire(&view),
            json!({
                "id": id, "kind": "share.offered", "time": "2024-11-06T06:30:00.778Z", "read": false,
                "image_count": 1, "images": [{"id": "i-00", "name": "web"}],
                "counterpart": {"role": "owner", "project_id": "own1"}, "expires_at": "2025-02-04T06:30:00Z",
                "links": {
                    "self": format!("https://images.example/v1/messages/{id}"),
                    "images": "https://images.example/v2/cloudimages?__imagetype=shared&visibility=shared&member_status=pending&owner=own1",
                },
            })
        );
    }

    #[test]
    fn message_shows_the_first_images_and_the_names() {
        let mut view = message_view(MessageKind::GrantEnded, 12);
        view.message.has_more_images = true;
        view.message.key = Some("k-1".parse().unwrap());
        let name = |text: &str| text.parse().unwrap();
        view.counterpart = Some(DirectoryEntry {
            tenant: "own1".parse().unwrap(),
            account: name("Acme"),
            project: name("shop"),
            region: "local".parse().unwrap(),
            organization: None,
            cloud_account: None,
        });
        let shown = wire(&view);
        assert_eq!((&shown["image_count"], &shown["image_count_is_more"]), (&json!(12), &json!(true)));
        assert_eq!(shown["images"].as_array().unwrap().len(), MAX_SHOWN_IMAGES);
        assert_eq!(shown["images"][9], json!({"id": "i-09", "name": null}));
        assert_eq!(shown["key_id"], "k-1");
        let counterpart =
            json!({"role": "owner", "project_id": "own1", "account": "Acme", "project": "shop"});
        assert_eq!(shown["counterpart"], counterpart);
    }

    #[test]
    fn message_to_an_owner_leads_to_its_images() {
        let link = |count| wire(&message_view(MessageKind::ShareRejected, count))["links"]["images"].clone();
        assert_eq!(link(0), Value::Null);
        assert_eq!(link(1), "https://images.example/v1/mem1/cloudimages/i-00/members");
        assert_eq!(link(2), "https://images.example/v2/cloudimages?owner=mem1&visibility=shared");
        let wire = wire(&message_view(MessageKind::ShareAccepted, 1));
        assert_eq!(wire["counterpart"]["role"], "recipient");
    }
}
