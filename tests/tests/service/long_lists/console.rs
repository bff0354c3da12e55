//! The console, while very many images wait for an answer.

use super::world::{World, image_count, image_id, read_only_world};

/// The most calls and read units by which counting many pending images costs more than counting few, on the page that lists them,
/// on the one that accepts all, and on the first again.
const MAX_COUNT_COSTS: [(u64, u64); 3] = [(0, 100), (0, 100), (0, 0)];

#[tokio::test]
async fn pages_of_many_pending_images_cost_what_few_do() {
    let few = World::start();
    for number in 0..110 {
        few.create_image("own", image_id(number).as_str(), &format!("image-{number}"), &["hay"], 10 + number)
            .await;
    }
    let ids: Vec<_> = (0..110).map(image_id).collect();
    few.share("own", &ids).await;
    let mut few = few.open_pending_pages().await;
    few.push(few[0].clone());
    let many = &read_only_world().await.console;
    for (((few, few_cost), (many, many_cost)), (calls, units)) in few.iter().zip(many).zip(MAX_COUNT_COSTS) {
        few.expect_status(200);
        many.expect_status(200);
        let most = (few_cost.0 + calls, few_cost.1 + units);
        let is_cheap = many_cost.0 <= most.0 && many_cost.1 <= most.1;
        assert!(is_cheap, "(calls, read units): {many_cost:?} instead of {few_cost:?}: {}", many.request);
    }
}

#[tokio::test]
async fn number_of_many_pending_images_is_right() {
    let (page, _) = &read_only_world().await.console[0];
    let html = page.body.as_str().unwrap();
    // Those of one owner, and one of another.
    let message = format!("{} images wait for your answer", image_count() + 1);
    assert!(html.contains(&message), "{html}");
    let (page, _) = &read_only_world().await.console[1];
    let html = page.body.as_str().unwrap();
    assert!(html.contains(&format!("{} images will be accepted.", image_count() + 1)), "{html}");
}
