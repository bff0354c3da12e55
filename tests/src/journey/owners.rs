//! Trusted and blocked owners: their policies, and every kind of share that they decide on.

use imageshare::domain::{Stamp, Task};
use serde_json::{Value, json};

use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    /// `pol1` and `pol2` trust `own6`, with a vault, and `pol3` and `pol4` block it.
    pub(super) async fn use_owner_policies(&mut self) {
        let vault = json!({"protection_type": "backup", "capacity_gib": 1000});
        for (project, policy) in
            [("pol1", "trusted"), ("pol2", "trusted"), ("pol3", "blocked"), ("pol4", "blocked")]
        {
            self.call(&format!("{project} PUT /v1/vaults/vault"), vault.clone(), 200).await;
            self.call(&format!("own6 PUT /v1/keys/key/grants/{project}"), Value::Null, 200).await;
            // Twice: the second request changes what the first one has created.
            for _ in ["created", "changed"] {
                let mut body = json!({"policy": policy});
                if policy == "trusted" {
                    body["vault_id"] = "vault".into();
                }
                self.call(&format!("{project} PUT /v1/owners/own6"), body, 200).await;
            }
        }
        self.call("pol1 GET /v1/owners/own6", Value::Null, 200).await;
        self.call("pol1 GET /v1/owners", Value::Null, 200).await;
        self.call("pol1 PUT /v1/owners/own7", json!({"policy": "blocked"}), 200).await;
        self.call("pol1 DELETE /v1/owners/own7", Value::Null, 204).await;
        self.call("pol1 DELETE /v1/owners/own7", Value::Null, 204).await;
        self.share_in_batches_by_policy().await;
        self.add_members_by_policy("/v2").await;
        self.add_members_by_policy("/v2.9").await;
        self.change_permissions_by_policy().await;
        self.run_jobs_by_policy().await;
        self.act_by_rule_and_policy().await;
    }

    /// An image of each kind: plain, encrypted, and full-ECS, for which the policy's vault is read.
    async fn images_by_policy(&mut self) -> [String; 3] {
        let plain = self.create_image("own6", json!({"name": "policy"})).await;
        let sealed = self.create_encrypted_image("own6", "key").await;
        [plain, sealed, self.create_full_ecs_image("own6").await]
    }

    async fn share_in_batches_by_policy(&mut self) {
        for image in self.images_by_policy().await {
            for projects in [vec!["pol1"], vec!["pol3"], vec!["pol2", "pol4"]] {
                self.batch("own6 POST", json!({"images": [image], "projects": projects}), 200).await;
            }
            self.batch("own6 DELETE", json!({"images": [image], "projects": ["pol1", "pol2"]}), 200).await;
            self.batch("own6 POST", json!({"images": [image], "projects": ["pol1", "pol2"]}), 200).await;
        }
    }

    async fn add_members_by_policy(&mut self, version: &str) {
        for image in self.images_by_policy().await {
            let members = format!("{version}/images/{image}/members");
            self.call(&format!("own6 POST {members}"), json!({"member": "pol1"}), 200).await;
            self.call(&format!("own6 POST {members}"), json!({"member": "pol3"}), 403).await;
            self.call(&format!("own6 DELETE {members}/pol1"), Value::Null, 204).await;
        }
    }

    async fn change_permissions_by_policy(&mut self) {
        let image = self.create_image("own6", json!({"name": "policy"})).await;
        let region = self.stage.region();
        let modify = format!(
            "own6 GET /?Action=ModifyImagePermission&Version=2020-09-30&RegionId={region}&ImageId={image}"
        );
        for (accounts, status) in [
            ("AddAccount.1=pol1", 200),
            ("AddAccount.1=pol3", 403),
            ("AddAccount.1=pol2&AddAccount.2=pol4", 403),
        ] {
            self.call(&format!("{modify}&{accounts}"), Value::Null, status).await;
        }
    }

    /// Jobs of a worker, on one pair and on several.
    async fn run_jobs_by_policy(&mut self) {
        for image in self.images_by_policy().await {
            for tenants in [vec!["pol1"], vec!["pol3"], vec!["pol2", "pol4"]] {
                self.queue_job(Stamp::now(), "own6", Task::Share, &[&image], &tenants).await;
                self.run_open_work().await;
            }
            self.queue_job(Stamp::now(), "own6", Task::Unshare, &[&image], &["pol1", "pol2"]).await;
            self.run_open_work().await;
            self.queue_job(Stamp::now(), "own6", Task::Share, &[&image], &["pol1", "pol2"]).await;
            self.run_open_work().await;
        }
    }

    /// Share rules: `effects` lets them act on a new image, and `share-rules` applies them to another.
    async fn act_by_rule_and_policy(&mut self) {
        let kinds = [
            json!({}),
            json!({"__system__cmkid": "key"}),
            json!({"__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40"}),
        ];
        for (kind, details) in kinds.iter().enumerate() {
            for projects in [vec!["pol1"], vec!["pol3"], vec!["pol1", "pol2", "pol4"]] {
                let name = format!("policy-{kind}-{}", projects.join("-"));
                let rule = json!({"pattern": {"name": [name]}, "recipients": {"projects": projects}});
                self.call(&format!("own6 PUT /v1/share-rules/{name}"), rule, 200).await;
                let mut image = details.clone();
                image["name"] = name.clone().into();
                self.create_and_deliver("own6", image.clone()).await;
                self.create_image("own6", image).await;
                for action in ["dry-run", "apply"] {
                    self.call(&format!("own6 POST /v1/share-rules/{name}/{action}"), Value::Null, 200).await;
                }
                self.run_open_work().await;
            }
        }
    }
}
