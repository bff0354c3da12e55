//! The directory of tenants, vaults and key grants.

use serde_json::{Value, json};

use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    /// Leaves `own1` as acme/web, `mem1` as acme/shop and `mem2` as other/web in the directory.
    pub(super) async fn use_directory(&mut self) {
        let name = |account: &str, project: &str| json!({"account": account, "project": project});
        self.call("ops PUT /v1/tenants/own1", name("acme", "first"), 200).await;
        self.call("ops GET /v1/tenants", Value::Null, 200).await;
        self.call("ops PUT /v1/tenants/own1", name("acme", "web"), 200).await;
        self.call("ops PUT /v1/tenants/mem1", name("acme", "shop"), 200).await;
        self.call("ops PUT /v1/tenants/mem2", name("other", "web"), 200).await;
        let mut bound = name("gone", "gone");
        for (organization, cloud_account) in [("acme", "111122223333"), ("other", "444455556666")] {
            bound["organization"] = json!(organization);
            bound["cloud_account"] = json!(cloud_account);
            self.call("ops PUT /v1/tenants/gone", bound.clone(), 200).await;
        }
        self.call("ops GET /v1/tenants/own1", Value::Null, 200).await;
        self.call("ops GET /v1/tenants?limit=3", Value::Null, 200).await;
        self.call("own1 GET /v1/tenants?account=acme&project=shop", Value::Null, 200).await;
        self.call("own1 GET /v1/tenants?account=other", Value::Null, 200).await;
        self.call("ops DELETE /v1/tenants/gone", Value::Null, 204).await;
        self.use_vaults().await;
        self.use_key_grants().await;
    }

    async fn use_vaults(&mut self) {
        let vault = json!({"protection_type": "backup", "capacity_gib": 1000});
        for (project, name) in [("mem1", "vault"), ("mem1", "empty"), ("mem2", "vault"), ("mem3", "vault")] {
            self.call(&format!("{project} PUT /v1/vaults/{name}"), vault.clone(), 200).await;
        }
        self.call("mem1 GET /v1/vaults/vault", Value::Null, 200).await;
        self.call("mem1 GET /v1/vaults", Value::Null, 200).await;
        self.call("mem1 DELETE /v1/vaults/empty", Value::Null, 204).await;
    }

    async fn use_key_grants(&mut self) {
        self.create_encrypted_image("own1", "key").await;
        for project in ["mem1", "mem2", "mem3", "gone"] {
            self.call(&format!("own1 PUT /v1/keys/key/grants/{project}"), Value::Null, 200).await;
        }
        self.call("own1 GET /v1/keys/key/grants", Value::Null, 200).await;
        self.call("own1 GET /v1/keys/key/grants/mem1", Value::Null, 200).await;
        self.call("own1 GET /v1/keys/key/grants/mem1/memberships", Value::Null, 200).await;
        self.call("own1 DELETE /v1/keys/key/grants/gone", Value::Null, 200).await;
    }
}
