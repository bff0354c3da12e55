//! Share rules.

use serde_json::{Value, json};

use super::sharing::many_projects;
use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    /// Rules of `rule1`, which is in the directory as rules/home and in the organization `rules`.
    pub(super) async fn use_share_rules(&mut self) {
        let entry = |project: &str| json!({"account": "rules", "project": project, "organization": "rules"});
        for tenant in ["rule1", "rule2", "rule3"] {
            self.call(&format!("ops PUT /v1/tenants/{tenant}"), entry(tenant), 200).await;
        }
        let everyone = json!({
            "projects": ["mem1", "new1"],
            "accounts": [{"name": "rules"}, {"name": "acme", "project": "shop"}, {"name": "other", "project": "web"}],
            "organizations": ["rules"],
        });
        for recipients in [json!({"projects": ["mem1"]}), json!({"accounts": [{"name": "other"}]}), everyone]
        {
            self.put_share_rule("golden", recipients).await;
        }
        self.call("rule1 PUT /v1/share-rules/golden", json!({}), 400).await;
        self.call("rule1 GET /v1/share-rules", Value::Null, 200).await;
        for action in ["disable", "enable"] {
            self.call(&format!("rule1 POST /v1/share-rules/golden/{action}"), Value::Null, 200).await;
        }
        self.apply_share_rules().await;
        self.call("rule1 GET /v1/share-rules/golden", Value::Null, 200).await;
        self.call("rule1 GET /v1/share-rules/golden/jobs", Value::Null, 200).await;
        self.call("rule1 DELETE /v1/share-rules/golden", Value::Null, 204).await;
        self.put_share_rule("golden", json!({"projects": ["mem1"]})).await;
    }

    async fn put_share_rule(&mut self, name: &str, recipients: Value) {
        let pattern = json!({"name": [{"prefix": name}]});
        let body = json!({"pattern": pattern, "recipients": recipients});
        self.call(&format!("rule1 PUT /v1/share-rules/{name}"), body, 200).await;
    }

    /// What a share does, as far as a rule makes one: of one image and of several, by ids and under a key, at once and
    /// by a worker.
    async fn apply_share_rules(&mut self) {
        self.create_image("rule1", json!({"name": "golden"})).await;
        self.create_image("rule1", json!({"name": "golden"})).await;
        self.create_image("rule1", json!({"name": "sealed", "__system__cmkid": "key"})).await;
        for project in ["mem1", "mem2", "mem3"] {
            self.call(&format!("rule1 PUT /v1/keys/key/grants/{project}"), Value::Null, 200).await;
        }
        self.put_share_rule("sealed", json!({"projects": ["mem1"]})).await;
        self.apply_share_rule("sealed").await;
        // A pair that fails leaves its membership as it was read. `str1` has no grant.
        for projects in [["mem2", "mem3"], ["mem1", "str1"]] {
            self.put_share_rule("sealed", json!({"projects": projects})).await;
            self.apply_share_rule("sealed").await;
        }
        self.apply_share_rule("golden").await;
        let many = many_projects();
        self.put_share_rule("golden", json!({"projects": many})).await;
        for _ in ["active", "held"] {
            self.call("rule1 POST /v1/share-rules/golden/dry-run", Value::Null, 200).await;
            self.apply_share_rule("golden").await;
        }
    }

    async fn apply_share_rule(&mut self, name: &str) {
        for action in ["dry-run", "apply"] {
            self.call(&format!("rule1 POST /v1/share-rules/{name}/{action}"), Value::Null, 200).await;
        }
        self.run_open_work().await;
    }
}
