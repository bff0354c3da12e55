//! The console, while very many images wait for an answer.

use super::world::{World, image_count, image_id, read_only_world};

/// The most read units by which counting many pending images costs more than counting few.
const MAX_COUNT_UNITS: u64 = 21;

#[tokio::test]
async fn pages_of_many_pending_images_cost_what_few_do() {
    let few = World::start();
    for number in 0..110 {
        few.create_image("own", image_id(number).as_str(), &format!("image-{number}"), &["hay"], 10 + number)
            .await;
    }
    let ids: Vec<_> = (0..110).map(image_id).collect();
    few.share("own", &ids).await;
    let few = few.open_pending_pages().await;
    let many = &read_only_world().await.console;
    for ((few, (few_calls, few_units)), (many, (many_calls, many_units))) in few.iter().zip(many) {
        few.expect_status(200);
        many.expect_status(200);
        assert_eq!(many_calls, few_calls, "{}", many.request);
        let most = few_units + MAX_COUNT_UNITS;
        assert!(*many_units <= most, "{many_units} read units instead of {few_units}: {}", many.request);
    }
}

#[tokio::test]
async fn number_of_many_pending_images_is_right() {
    let (page, _) = &read_only_world().await.console[0];
    let html = page.body.as_str().unwrap();
    assert!(image_count() > 1_000 && html.contains("More than 1000 images wait for your answer"), "{html}");
    let (page, _) = &read_only_world().await.console[1];
    let html = page.body.as_str().unwrap();
    assert!(html.contains("All images that wait for your answer will be accepted, more than 100."), "{html}");
}
