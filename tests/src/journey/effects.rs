//! What follows from changes in the table's stream: the function `effects`, and the share rules that it lets act.

use aws_sdk_dynamodb::types::AttributeValue;
use imageshare::domain::{Stamp, Task};
use serde_json::{Map, Value, json};

use super::crashes::Item;
use super::sharing::many_projects;
use super::{Journey, Stage};
use crate::deployment::TABLE;
use crate::events::{stream_event, stream_record};
use crate::local_service::{job_at, queue_job, tenant};

/// The open jobs that fill a tenant's queue.
const MAX_OPEN_JOBS: usize = 100;

/// Too many recipients for one transaction.
fn hundred_projects() -> Vec<String> {
    (0..100).map(|number| format!("hundred-{number}")).collect()
}

impl<S: Stage> Journey<S> {
    /// Has `effects` handle every item as if it were new, and then changes on which share rules act.
    pub(super) async fn carry_out_effects(&mut self) {
        for items in self.scan(|_| true).await.chunks(50) {
            self.deliver_changes(items.iter().map(|item| (None, item.clone()))).await;
        }
        self.share_by_rules().await;
        self.withdraw_by_a_rule().await;
        self.join_groups_of_rules().await;
        self.fill_the_queue_of_rules().await;
    }

    /// Puts a rule for images of its name.
    async fn put_rule(&mut self, owner: &str, name: &str, recipients: Value) {
        let body = json!({"pattern": {"name": [name]}, "recipients": recipients, "withdraw_unmatched": true});
        self.call(&format!("{owner} PUT /v1/share-rules/{name}"), body, 200).await;
    }

    async fn share_by_rules(&mut self) {
        let entry = json!({"account": "four", "project": "rule4", "organization": "rules"});
        self.call("ops PUT /v1/tenants/rule4", entry, 200).await;
        for project in ["mem1", "mem2", "mem3"] {
            self.call(&format!("rule4 PUT /v1/keys/key/grants/{project}"), Value::Null, 200).await;
        }
        let named = |account: &str, project: &str| json!({"name": account, "project": project});
        for (name, recipients) in [
            ("one", json!({"projects": ["mem1"]})),
            ("again", json!({"projects": ["mem1", "mem2"]})),
            ("hundred", json!({"projects": hundred_projects()})),
            ("name", json!({"accounts": [named("acme", "shop")]})),
            ("names", json!({"accounts": [named("acme", "shop"), named("other", "web"), {"name": "other"}]})),
            ("members", json!({"organizations": ["rules"]})),
        ] {
            self.put_rule("rule4", name, recipients).await;
            self.create_and_deliver("rule4", json!({"name": name})).await;
        }
        // A pair that fails leaves its membership as it was read. `str1` has no grant.
        let sealed = [
            ("sealed-1", vec!["mem1"]),
            ("sealed-2", vec!["mem2", "mem3"]),
            ("sealed-3", vec!["mem1", "str1"]),
        ];
        for (name, projects) in sealed {
            self.put_rule("rule4", name, json!({"projects": projects})).await;
            self.create_and_deliver("rule4", json!({"name": name, "__system__cmkid": "key"})).await;
        }
        self.create_and_deliver("rule4", json!({"name": "one", "visibility": "private"})).await;
    }

    /// A full-ECS image that a recipient has accepted into a vault.
    async fn withdraw_by_a_rule(&mut self) {
        self.put_rule("rule4", "whole", json!({"projects": ["mem1"]})).await;
        let details = json!({"name": "whole", "__whole_image": "true", "__backup_id": "b",
            "__system_disk_backup_gib": "40"});
        let image = self.create_and_deliver("rule4", details).await;
        let accept =
            json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": "vault"});
        self.batch("mem1 PUT", accept, 200).await;
        let key = format!("I#{image}");
        let old = self.item_of(&key, "A").await;
        let rename = json!([{"op": "replace", "path": "/name", "value": "none"}]);
        self.call(&format!("rule4 PATCH /v2/images/{image}"), rename, 200).await;
        let new = self.item_of(&key, "A").await;
        self.deliver_changes([(Some(old), new)]).await;
    }

    async fn join_groups_of_rules(&mut self) {
        // Its organization is named by one rule, and its account by several.
        for (account, organization) in [("joined", Some("rules")), ("other", None)] {
            let mut entry = json!({"account": account, "project": "joined"});
            if let Some(organization) = organization {
                entry["organization"] = organization.into();
            }
            self.call("ops PUT /v1/tenants/joined", entry, 200).await;
            let joined = self.item_of("T#joined", "A").await;
            self.deliver_changes([(None, joined)]).await;
        }
        self.put_rule("rule4", "other-1", json!({"accounts": [{"name": "joined"}]})).await;
        self.put_rule("rule4", "other-2", json!({"accounts": [{"name": "joined", "project": "joined"}]}))
            .await;
        self.call("ops PUT /v1/tenants/joined", json!({"account": "joined", "project": "joined"}), 200).await;
        let joined = self.item_of("T#joined", "A").await;
        self.deliver_changes([(None, joined)]).await;
        self.run_open_work().await;
    }

    /// Rules that find a full queue, of which all jobs have ended, while a large one waits for another.
    async fn fill_the_queue_of_rules(&mut self) {
        let large = many_projects();
        let mut images = Vec::new();
        for _ in 0..3 {
            images.push(self.create_image("rule5", json!({"name": "queue"})).await);
        }
        self.put_rule("rule5", "queue", json!({"projects": hundred_projects()})).await;
        for number in 0..MAX_OPEN_JOBS {
            let is_large = number < 2;
            let tenants = large.iter().take(if is_large { large.len() } else { 1 });
            let images = images.iter().take(if is_large { 3 } else { 1 });
            let images = images.map(|image| image.parse().expect("an id")).collect();
            let tenants = tenants.map(|id| tenant(id)).collect();
            let job = job_at(Stamp::now(), "rule5", Task::Share, images, tenants);
            queue_job(self.stage.app(), &job).await;
        }
        let (queue, held) = (self.item("T#rule5").await, self.held_job().await);
        self.run_open_work().await;
        self.undo_end(&queue, &held).await;
        self.call("rule5 POST /v1/share-rules/queue/apply", Value::Null, 200).await;
        self.run_open_work().await;
        self.undo_end(&queue, &held).await;
        self.create_and_deliver("rule5", json!({"name": "queue"})).await;
        self.run_open_work().await;
    }

    /// Registers an image, and delivers the change. Returns its id.
    pub(super) async fn create_and_deliver(&mut self, owner: &str, details: Value) -> String {
        let image = self.create_image(owner, details).await;
        let record = self.item_of(&format!("I#{image}"), "A").await;
        self.deliver_changes([(None, record)]).await;
        self.run_open_work().await;
        image
    }

    async fn item_of(&self, partition: &str, sort_key: &str) -> Item {
        let get = self.stage.client().get_item().table_name(TABLE).consistent_read(true);
        let get = get.key("pk", AttributeValue::S(partition.to_owned()));
        let found = get.key("sk", AttributeValue::S(sort_key.to_owned())).send().await.expect("the table");
        found.item.unwrap_or_else(|| panic!("no item {partition} {sort_key}"))
    }

    /// Has `effects` handle the changes of items: each as it was, if it existed, and as it is.
    async fn deliver_changes(&mut self, changes: impl IntoIterator<Item = (Option<Item>, Item)>) {
        let records = changes.into_iter().enumerate().map(|(index, (old, new))| {
            let key = json!({"pk": attribute_json(&new["pk"]), "sk": attribute_json(&new["sk"])});
            let name = if old.is_some() { "MODIFY" } else { "INSERT" };
            let mut record = stream_record(name, &index.to_string(), &key);
            let change = &mut record["dynamodb"];
            change["StreamViewType"] = "NEW_AND_OLD_IMAGES".into();
            change["NewImage"] = item_json(&new);
            if let Some(old) = old {
                change["OldImage"] = item_json(&old);
            }
            record
        });
        let event = stream_event(&records.collect::<Vec<_>>());
        let response = self.stage.invoke("effects", &event).await;
        assert_eq!(response, json!({"batchItemFailures": []}));
    }
}

fn item_json(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute_json(value))).collect::<Map<_, _>>().into()
}

fn attribute_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        other => panic!("no item has {other:?}"),
    }
}
