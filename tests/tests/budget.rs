//! Holds each call to its budget of the table: round trips and capacity units, as DynamoDB's own accounting reports them.
//! `cargo bench --bench service -- capacity` prints the same figures.

use imageshare_tests::budget;

/// Call, round trips, read units, write units: none may use more. The images are ordinary ones of IMS, with 29 properties.
const BUDGET: &[(&str, u64, f64, f64)] = &[
    ("register an image", 1, 0.0, 16.0),
    ("show an image", 1, 2.0, 0.0),
    ("put a tag on an image", 2, 2.0, 11.0),
    ("put a tag on an image that has it", 1, 2.0, 0.0),
    ("share 1 image with 1 project", 5, 5.0, 8.0),
    ("share 1 image with 5 projects", 13, 17.0, 24.0),
    ("ask a job of 1 pair", 1, 1.0, 0.0),
    ("unshare 1 × 1 with an idempotency key", 2, 4.0, 9.0),
    ("unshare 1 × 1, no member", 2, 4.0, 4.0),
    ("accept 1 image", 3, 4.0, 8.0),
    ("add a member", 5, 5.0, 6.0),
    ("add a member of whom the process knows that its owner has shared with it", 2, 4.0, 5.0),
    ("accept as a member", 3, 4.0, 4.0),
    ("remove a member", 2, 4.0, 6.0),
    ("share 100 images with 100 projects: request", 4, 201.0, 42.0),
    ("… one of its 50 pieces of 200 pairs: work", 209, 512.0, 715.0),
    ("ask a job of 10,000 pairs", 1, 6.0, 0.0),
    ("page of 100 images that wait for me", 2, 52.5, 0.0),
    ("page of 100 images of my own", 3, 101.5, 0.0),
    ("page of 100 members of an image", 2, 9.0, 0.0),
    ("grant 1 image to 1 account", 4, 5.5, 7.0),
    ("grant 1 image to 10 accounts and take it from 10", 13, 48.0, 72.0),
    ("enter a tenant in the directory", 2, 1.0, 5.0),
    ("find a tenant by its account", 1, 1.0, 0.0),
    ("share 1 image with 1 account", 7, 7.0, 8.0),
    ("share 1 image with 1 account and project", 7, 7.0, 8.0),
    ("share 1 image with 100 accounts and projects: request", 5, 203.0, 7.0),
    ("grant a key", 1, 0.0, 1.0),
    ("share 1 encrypted image with 1 project", 6, 6.0, 10.0),
    ("say what a vault is", 1, 0.0, 1.0),
    ("accept 1 full-ECS image", 4, 5.0, 9.0),
    ("accept all: request", 3, 3.0, 5.0),
    ("… all of 100 that wait: work", 12, 202.5, 513.0),
    ("rename an image of 1 member: request", 3, 3.0, 12.0),
    ("rename an image of 1 member: work", 3, 3.0, 10.0),
    ("page of 100 images in order of names", 4, 53.0, 0.0),
    ("page of 100 images in order of updates", 7, 54.5, 0.0),
    ("find an image by its name", 4, 2.0, 0.0),
    ("find an image by a tag", 5, 3.0, 0.0),
    ("page of 100 images of an owner", 4, 54.0, 0.0),
    ("find 50 images by their ids", 2, 150.0, 0.0),
    ("quota", 3, 4.0, 0.0),
    ("delete an image of 100 members: request", 3, 10.0, 25.0),
];

#[tokio::test]
async fn every_call_stays_within_its_table_budget() {
    assert_within_budget(budget::measure_calls().await);
}

#[tokio::test]
async fn sharing_large_images_stays_within_the_same_budget() {
    let rows = budget::measure_with_large_images().await;
    assert!(rows.len() > 10);
    assert_within_budget(rows);
}

fn assert_within_budget(rows: Vec<budget::Measurement>) {
    let mut over = Vec::new();
    for row in rows {
        let (call, round_trips, read_units, write_units) = *BUDGET
            .iter()
            .find(|(call, ..)| *call == row.call)
            .unwrap_or_else(|| panic!("no budget for {}", row.call));
        let used = row.usage;
        assert!(
            used.round_trips > 0 && used.read_units + used.write_units > 0.0,
            "{call}: nothing was counted"
        );
        if used.round_trips > round_trips || used.read_units > read_units || used.write_units > write_units {
            over.push(format!("{call}: {used:?}"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}
