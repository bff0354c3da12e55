//! A worker that dies after the last step of a large job leaves it in its tenant's queue. Whoever meets it there takes it out,
//! and starts the job that waits for it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use imageshare::domain::{Stamp, Task};
use serde_json::{Value, json};

use super::sharing::many_projects;
use super::{Journey, Stage};
use crate::deployment::TABLE;
use crate::local_service::{job_at, queue_job, tenant};

pub(super) type Item = HashMap<String, AttributeValue>;

impl<S: Stage> Journey<S> {
    pub(super) async fn recover_from_crashed_worker(&mut self) {
        let mut images = Vec::new();
        for _ in 0..3 {
            images.push(self.create_image("own4", json!({"name": "crash"})).await);
        }
        self.batch("own4 POST", json!({"images": [images[0]], "projects": ["crash1"]}), 200).await;
        for _ in ["ended", "held"] {
            let tenants = many_projects().iter().map(|id| tenant(id)).collect();
            let images = images.iter().map(|image| image.parse().expect("an id")).collect();
            let job = job_at(Stamp::now(), "own4", Task::Share, images, tenants);
            queue_job(self.stage.app(), &job).await;
        }
        let (queue, held) = (self.item("T#own4").await, self.held_job().await);
        self.run_open_work().await;
        let members = |version: &str| format!("{version}/images/{}/members", images[0]);
        for (request, body, status) in [
            (format!("own4 POST {}", members("/v2")), json!({"member": "crash2"}), 200),
            (format!("crash1 PUT {}/crash1", members("/v2")), json!({"status": "accepted"}), 200),
            (format!("own4 DELETE {}/crash1", members("/v2")), Value::Null, 204),
            (format!("own4 POST {}", members("/v2.9")), json!({"member": "crash3"}), 200),
        ] {
            self.undo_end(&queue, &held).await;
            self.call(&request, body, status).await;
        }
        self.run_open_work().await;
    }

    /// Makes the queue and the job that was held what they were before the first job ended.
    pub(super) async fn undo_end(&self, queue: &Item, held: &Item) {
        let client = self.stage.client();
        for item in self.scan(|item| text(item, "pk") == text(held, "pk")).await {
            let delete = client.delete_item().table_name(TABLE).key("pk", item["pk"].clone());
            delete.key("sk", item["sk"].clone()).send().await.expect("the table");
        }
        for item in [queue, held] {
            let put = client.put_item().table_name(TABLE).set_item(Some(item.clone()));
            put.send().await.expect("the table");
        }
    }

    /// The only item of a partition.
    pub(super) async fn item(&self, partition: &str) -> Item {
        let mut found = self.scan(|item| text(item, "pk") == partition).await;
        found.pop().unwrap_or_else(|| panic!("no item {partition}"))
    }

    pub(super) async fn held_job(&self) -> Item {
        let mut found = self.scan(|item| text(item, "gpk").starts_with("H#")).await;
        assert_eq!(found.len(), 1, "one job is held");
        found.remove(0)
    }

    pub(super) async fn scan(&self, is_wanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        let scan = self.stage.client().scan().table_name(TABLE).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.expect("the table").into_iter().filter(is_wanted).collect()
    }
}

/// An attribute that is a text; empty if the item has none.
fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
