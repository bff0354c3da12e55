//! Events that come late, twice or in another order: the image is shared as its last version demands.

use imageshare::domain::{Image, Visibility};
use serde_json::json;

use super::World;

/// Every order of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let with_last = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, count - 1);
            order
        })
    };
    orders(count - 1).into_iter().flat_map(with_last).collect()
}

/// Registers an image under the first name and renames it to the others. Returns its events.
async fn history(world: &World, names: &[&str]) -> (Image, Vec<(Option<Image>, Image)>) {
    let image = world.create(names[0], Visibility::Shared).await;
    let mut events = vec![(None, image.clone())];
    for name in &names[1..] {
        let (old, new) = world.rename(&image, name).await;
        events.push((Some(old), new));
    }
    (image, events)
}

#[tokio::test]
async fn last_version_decides_in_every_order_of_events() {
    for names in [
        ["golden", "plain", "golden"],
        ["golden", "plain", "plainer"],
        ["golden", "golden-2", "plain"],
        ["plain", "golden", "golden-2"],
        ["plain", "golden", "plain"],
    ] {
        for order in orders(names.len()) {
            let world = World::start();
            let withdraw = json!({"withdraw_unmatched": true});
            world.put_golden("golden", json!({"projects": ["mem1"]}), withdraw).await;
            let (image, events) = history(&world, &names).await;
            // Each event is delivered twice.
            for number in order.iter().chain(&order) {
                let (old, new) = &events[*number];
                world.deliver(old.as_ref(), new).await;
            }
            let expected: &[&str] = if names[2].starts_with("golden") { &["mem1"] } else { &[] };
            let members = world.members(&image.id).await;
            assert!(members.keys().eq(expected), "{names:?} {order:?}: {members:?}");
        }
    }
}

#[tokio::test]
async fn events_between_changes_lead_to_the_same_end() {
    let names = ["golden", "plain", "golden", "plain"];
    for delivered_late in 0..names.len() {
        let world = World::start();
        let withdraw = json!({"withdraw_unmatched": true});
        world.put_golden("golden", json!({"projects": ["mem1"]}), withdraw).await;
        let image = world.create(names[0], Visibility::Shared).await;
        let mut late = None;
        let mut event = (None, image.clone());
        for number in 0..names.len() {
            if number == delivered_late {
                late = Some(event.clone());
            } else {
                world.deliver(event.0.as_ref(), &event.1).await;
            }
            if let Some(name) = names.get(number + 1) {
                let (old, new) = world.rename(&image, name).await;
                event = (Some(old), new);
            }
        }
        let (old, new) = late.unwrap();
        world.deliver(old.as_ref(), &new).await;
        world.assert_members(&image, &[]).await;
    }
}
