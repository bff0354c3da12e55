//! What the calls on messages cost.

use imageshare::domain::{Limits, MessageId, MessageKind, MessagePart};
use imageshare::usecases;

use super::{Measurement, measurement, metered_service};
use crate::local_service::{LocalService, caller, tenant};

/// Messages of 30 owners, each with one image of a typical name.
pub(super) async fn message_calls() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let (me, mut rows, mut ids) = (caller("mem1"), Vec::new(), Vec::new());
    let image =
        |number: u128| (format!("{number:036x}").parse().expect("an id"), Some("golden-2026-11".to_owned()));
    for number in 0..30 {
        let owner = tenant(&format!("{number:032x}"));
        let (stamp, kind) = (world.service.clock().stamp(), MessageKind::ShareOffered);
        let id = MessageId { stamp, kind, counterpart: owner };
        let parts = [("message about 1 image", 0..1), ("… about 1 more", 1..2), ("… about 8 more", 2..10)];
        for (call, images) in parts {
            let service = metered_service(&world);
            let part = MessagePart { images: images.map(image).collect(), key: None };
            usecases::deliver_message(&service, &me.tenant, &id, &part).await.expect("written");
            if number == 0 {
                rows.push(measurement(call, &service));
            }
        }
        ids.push(id);
    }
    let service = metered_service(&world);
    let list = usecases::list_messages(&service, &me, None, 20).await.expect("a page");
    assert_eq!((list.page.items.len(), list.unread.map(|unread| unread.count)), (20, Some(30)));
    rows.push(measurement("first page of 20 messages", &service));
    let service = metered_service(&world);
    usecases::list_messages(&service, &me, list.page.next.as_ref(), 20).await.expect("a page");
    rows.push(measurement("another page of 10 messages", &service));
    let service = metered_service(&world);
    usecases::list_unread_messages(&service, &me, None, None, 20).await.expect("a page");
    rows.push(measurement("page of 20 unread messages", &service));
    let service = metered_service(&world);
    let unread = usecases::count_unread_messages(&service, &me).await.expect("a number");
    assert_eq!(unread.count, 30);
    rows.push(measurement("count 30 unread messages", &service));
    let service = metered_service(&world);
    usecases::mark_message(&service, &me, &ids[0], true).await.expect("marked");
    rows.push(measurement("mark a message as read", &service));
    let service = metered_service(&world);
    usecases::mark_messages_read(&service, &me, service.clock().now()).await.expect("marked");
    rows.push(measurement("mark all messages as read", &service));
    let service = metered_service(&world);
    let list = usecases::list_unread_messages(&service, &me, None, None, 20).await.expect("a page");
    assert_eq!(list.page.items, []);
    rows.push(measurement("unread messages, if there are none", &service));
    rows
}
