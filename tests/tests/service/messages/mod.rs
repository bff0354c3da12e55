//! Messages: what they say, who reads them, and how they are marked as read.

mod effects;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use imageshare::App;
use imageshare::domain::{
    ImageId, Limits, MAX_MESSAGE_IMAGES, MESSAGE_RETENTION, Message, MessageId, MessageKind, MessagePart,
    Role, SeenMessages, Stamp, Timestamp,
};
use imageshare::usecases;
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::local_service::{LocalService, caller, next_millisecond, tenant};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A message of an owner to a recipient, of a request that was made now.
fn offer(app: &App, owner: &str) -> MessageId {
    MessageId { stamp: app.clock().stamp(), kind: MessageKind::ShareOffered, counterpart: tenant(owner) }
}

fn part(images: impl IntoIterator<Item = u32>) -> MessagePart {
    let image = |number: u32| {
        let id: ImageId = format!("i-{number:04}").parse().unwrap();
        (id, number.is_multiple_of(2).then(|| format!("image {number}")))
    };
    MessagePart { images: images.into_iter().map(image).collect(), key: None }
}

async fn read_message(app: &App, id: &MessageId) -> Message {
    usecases::show_message(app, &caller("mem1"), id).await.unwrap().message
}

/// The ids of the messages on the first page.
async fn listed(app: &App) -> Vec<MessageId> {
    let list = usecases::list_messages(app, &caller("mem1"), None, 100).await.unwrap();
    list.page.items.into_iter().map(|view| view.message.id).collect()
}

/// The ids of the unread messages.
async fn unread(app: &App, since: Option<Timestamp>) -> Vec<MessageId> {
    let seen = since.map(|since| SeenMessages::new(since, []));
    let list = usecases::list_unread_messages(app, &caller("mem1"), seen.as_ref(), None, 100).await.unwrap();
    list.page.items.into_iter().map(|view| view.message.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The parts come in any order, some of them again, and they overlap.
    #[test]
    fn message_is_the_same_in_any_order_of_its_parts(
        parts in prop::collection::vec(prop::collection::btree_set(0_u32..40, 0..12), 1..8),
        repetitions in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        order in any::<u64>(),
    ) {
        let mut deliveries: Vec<_> = (0..parts.len()).collect();
        deliveries.extend(repetitions.iter().map(|index| index.index(parts.len())));
        let in_turn = deliveries.clone();
        fastrand::Rng::with_seed(order).shuffle(&mut deliveries);
        Runtime::new().unwrap().block_on(async {
            let world = LocalService::start(Limits::default());
            let (app, id) = (&world.service, offer(&world.service, "own1"));
            let mut messages = Vec::new();
            for (recipient, deliveries) in [("mem1", &in_turn), ("mem2", &deliveries)] {
                for delivery in deliveries {
                    let part = part(parts[*delivery].iter().copied());
                    app.store.add_to_message(&tenant(recipient), &id, &part).await.unwrap();
                }
                let shown = usecases::show_message(app, &caller(recipient), &id).await.unwrap().message;
                messages.push(Message { arrived: Timestamp::from_unix_millis(0), ..shown });
            }
            assert_eq!(messages[0], messages[1]);
            let images: BTreeMap<_, _> = parts.iter().flat_map(|images| part(images.iter().copied()).images).collect();
            assert_eq!(messages[0].images, images);
            assert!(!messages[0].has_more_images);
        });
    }
}

#[tokio::test]
async fn late_part_leaves_a_read_message_read() {
    let world = LocalService::start(Limits::default());
    let (app, id) = (&world.service, offer(&world.service, "own1"));
    app.store.add_to_message(&tenant("mem1"), &id, &part([1])).await.unwrap();
    usecases::mark_message(app, &caller("mem1"), &id, true).await.unwrap();
    let arrived = read_message(app, &id).await.arrived;
    for images in [1..2, 1..4] {
        app.store.add_to_message(&tenant("mem1"), &id, &part(images)).await.unwrap();
    }
    let message = read_message(app, &id).await;
    assert_eq!((message.images.len(), message.is_marked_read, message.arrived), (3, true, arrived));
    assert_eq!(unread(app, None).await, []);
}

#[tokio::test]
async fn message_about_many_images_says_that_there_are_more() {
    let world = LocalService::start(Limits::default());
    let (app, id) = (&world.service, offer(&world.service, "own1"));
    let many = u32::try_from(MAX_MESSAGE_IMAGES).unwrap();
    app.store.add_to_message(&tenant("mem1"), &id, &part(0..many)).await.unwrap();
    let message = read_message(app, &id).await;
    assert_eq!((message.images.len(), message.has_more_images), (MAX_MESSAGE_IMAGES, false));
    for _ in 0..2 {
        app.store.add_to_message(&tenant("mem1"), &id, &part([many + 1])).await.unwrap();
    }
    let message = read_message(app, &id).await;
    assert_eq!((message.images.len(), message.has_more_images), (MAX_MESSAGE_IMAGES, true));
}

#[tokio::test]
async fn expired_message_is_not_shown() {
    let world = LocalService::start(Limits::default());
    let app = &world.service;
    let request = |age: Duration| MessageId {
        stamp: Stamp::first_of(app.clock().now().minus(age)),
        ..offer(app, "own1")
    };
    let expired = request(MESSAGE_RETENTION + Duration::from_secs(1));
    let kept = request(MESSAGE_RETENTION.saturating_sub(Duration::from_hours(1)));
    for id in [&expired, &kept] {
        app.store.add_to_message(&tenant("mem1"), id, &part([1])).await.unwrap();
    }
    assert_eq!(listed(app).await, std::slice::from_ref(&kept));
    assert_eq!(unread(app, None).await, std::slice::from_ref(&kept));
    let list = usecases::list_messages(app, &caller("mem1"), None, 10).await.unwrap();
    assert_eq!(list.unread.map(|unread| (unread.count, unread.is_more)), Some((1, false)));
    for result in [
        usecases::show_message(app, &caller("mem1"), &expired).await,
        usecases::mark_message(app, &caller("mem1"), &expired, true).await,
    ] {
        assert_eq!(result.unwrap_err(), usecases::MessageError::NotFound);
    }
}

#[tokio::test]
async fn messages_are_listed_by_request_and_unread_by_arrival() {
    let world = LocalService::start(Limits::default());
    let app = &world.service;
    // The request of a large job is executed after later ones.
    let (early, late) = (offer(app, "own1"), offer(app, "own2"));
    for id in [&late, &early] {
        app.store.add_to_message(&tenant("mem1"), id, &part([1])).await.unwrap();
        next_millisecond().await;
    }
    assert_eq!(listed(app).await, [late.clone(), early.clone()]);
    assert_eq!(unread(app, None).await, [early.clone(), late.clone()]);
    let late_arrived = read_message(app, &late).await.arrived;
    assert_eq!(unread(app, Some(late_arrived)).await, std::slice::from_ref(&early));
    usecases::mark_messages_read(app, &caller("mem1"), late_arrived).await.unwrap();
    assert_eq!(unread(app, None).await, std::slice::from_ref(&early), "it has arrived since");
    let list = usecases::list_messages(app, &caller("mem1"), None, 10).await.unwrap();
    let read: Vec<_> = list.page.items.iter().map(|view| view.is_read).collect();
    assert_eq!((read, list.unread.map(|unread| unread.count)), (vec![true, false], Some(1)));
}

#[tokio::test]
async fn read_mark_never_goes_back_or_into_the_future() {
    let world = LocalService::start(Limits::default());
    let (app, me) = (&world.service, caller("mem1"));
    let (first, second) = (offer(app, "own1"), offer(app, "own2"));
    app.store.add_to_message(&me.tenant, &first, &part([1])).await.unwrap();
    let tomorrow = app.clock().now().plus(Duration::from_hours(24));
    usecases::mark_messages_read(app, &me, tomorrow).await.unwrap();
    assert_eq!(unread(app, None).await, []);
    next_millisecond().await;
    app.store.add_to_message(&me.tenant, &second, &part([1])).await.unwrap();
    usecases::mark_messages_read(app, &me, Timestamp::from_unix_millis(0)).await.unwrap();
    assert_eq!(unread(app, None).await, std::slice::from_ref(&second));
    // A message that is marked as unread arrives again.
    next_millisecond().await;
    let view = usecases::mark_message(app, &me, &first, false).await.unwrap();
    assert!(!view.is_read);
    assert_eq!(unread(app, None).await, [first, second]);
}

#[tokio::test]
async fn unread_count_is_exact_up_to_its_limit() {
    let world = LocalService::start(Limits::default());
    let app = &world.service;
    for number in 0..usecases::MAX_UNREAD_COUNT {
        let id = offer(app, &format!("own{number}"));
        app.store.add_to_message(&tenant("mem1"), &id, &part([1])).await.unwrap();
    }
    let count = async || {
        let all = usecases::list_messages(app, &caller("mem1"), None, 3).await.unwrap();
        let unread = usecases::list_unread_messages(app, &caller("mem1"), None, None, 3).await.unwrap();
        assert_eq!(all.unread, unread.unread);
        let next = usecases::list_messages(app, &caller("mem1"), all.page.next.as_ref(), 3).await.unwrap();
        assert_eq!(next.unread, None, "only on the first page");
        all.unread.map(|unread| (unread.count, unread.is_more)).unwrap()
    };
    assert_eq!(count().await, (99, false));
    app.store.add_to_message(&tenant("mem1"), &offer(app, "more"), &part([1])).await.unwrap();
    assert_eq!(count().await, (99, true));
}

#[tokio::test]
async fn page_after_the_read_mark_or_the_retention_is_empty() {
    let world = LocalService::start(Limits::default());
    let (app, me) = (&world.service, caller("mem1"));
    for owner in ["own1", "own2"] {
        app.store.add_to_message(&me.tenant, &offer(app, owner), &part([1])).await.unwrap();
    }
    let first = usecases::list_unread_messages(app, &me, None, None, 1).await.unwrap();
    usecases::mark_messages_read(app, &me, app.clock().now()).await.unwrap();
    let second = usecases::list_unread_messages(app, &me, None, first.page.next.as_ref(), 1).await.unwrap();
    assert_eq!((second.page.items, second.page.next), (vec![], None));
    let expired = Stamp::first_of(app.clock().now().minus(MESSAGE_RETENTION));
    let expired = MessageId { stamp: expired, ..offer(app, "own1") };
    let after = usecases::list_messages(app, &me, Some(&expired), 1).await.unwrap();
    assert_eq!((after.page.items, after.page.next), (vec![], None));
}

/// Also those that arrive in the millisecond of a list, or while it is read.
#[tokio::test]
async fn loop_over_unread_messages_sees_each_once() {
    let world = LocalService::start(Limits::default());
    let (app, me) = (&world.service, caller("mem1"));
    let (mut seen, mut found) = (None::<SeenMessages>, Vec::new());
    for number in 0..40 {
        let id = offer(app, &format!("own{number}"));
        app.store.add_to_message(&me.tenant, &id, &part([1])).await.unwrap();
        if number % 3 == 0 {
            let list = usecases::list_unread_messages(app, &me, seen.as_ref(), None, 100).await.unwrap();
            let until = seen.map(|seen| seen.until());
            assert!(Some(list.as_of) >= until && list.as_of <= app.clock().now());
            let new = list.page.items.iter().map(|view| view.message.id.counterpart.to_string());
            found.extend(new);
            seen = list.seen.map(|seen| seen.to_string().parse().unwrap());
        }
    }
    found.sort_by_key(|owner| owner.trim_start_matches("own").parse::<u32>().unwrap());
    assert_eq!(found, (0..40).map(|number| format!("own{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn message_shows_its_counterpart_and_leads_to_a_list() {
    let api = Api::start(&[]).await;
    let (recipient, admin) = (api.token("mem1", Role::Reader), api.token("ops", Role::Admin));
    let put = ApiRequest::new("PUT", "/v1/tenants/own1").token(&admin);
    api.send(&put.json(&json!({"account": "Acme", "project": "shop"}))).await.expect_status(200);
    let owner = api.token("own1", Role::Member);
    let new = ApiRequest::new("POST", "/v2/images").token(&owner).json(&json!({"name": "web"}));
    let image = api.send(&new).await.body["id"].as_str().unwrap().to_owned();
    let add = ApiRequest::new("POST", format!("/v2/images/{image}/members")).token(&owner);
    api.send(&add.json(&json!({"member": "mem1"}))).await.expect_status(200);
    api.wait_until_idle().await;
    let list = api.send(&ApiRequest::new("GET", "/v1/messages").token(&recipient)).await;
    let [message] = list.body["messages"].as_array().unwrap().as_slice() else { panic!("{list:?}") };
    assert_eq!(message["images"], json!([{"id": image, "name": "web"}]));
    assert_eq!(
        message["counterpart"],
        json!({"role": "owner", "project_id": "own1", "account": "Acme", "project": "shop"})
    );
    for (name, items) in [("self", "/message/id"), ("images", "/images/0/id")] {
        let link = message["links"][name].as_str().unwrap().strip_prefix("http://images.example").unwrap();
        let found = api.send(&ApiRequest::new("GET", link).token(&recipient)).await;
        assert!(found.body.pointer(items).is_some_and(Value::is_string), "{link}: {found:?}");
    }
    let of_member =
        api.send(&ApiRequest::new("GET", "/v1/messages").token(&api.token("mem2", Role::Member))).await;
    assert_eq!(of_member.body["messages"], json!([]), "another tenant has none");
}
