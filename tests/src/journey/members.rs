//! Changes of single members, by Glance's calls and by Alibaba's.

use serde_json::{Value, json};

use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    /// Glance's calls, each of which has its function.
    pub(super) async fn change_single_members(&mut self) {
        self.change_members_in("/v2").await;
    }

    /// The same under the path of a minor version, for which the gateway has no routes: `images` handles all of them.
    pub(super) async fn change_members_by_minor_version(&mut self) {
        self.change_members_in("/v2.9").await;
    }

    async fn change_members_in(&mut self, version: &str) {
        let image = self.create_image("own1", json!({"name": "member"})).await;
        let members = format!("{version}/images/{image}/members");
        let add = |project: &str| json!({"member": project});
        for key in ["", "add-1", "add-1"] {
            let (project, status) = if key.is_empty() { ("mem1", 200) } else { ("mem2", 200) };
            let key = if key.is_empty() { String::new() } else { format!("{key}{version}") };
            self.call_with(&key, &format!("own1 POST {members}"), add(project), status).await;
        }
        // A member already; the name of a project; by a stranger; by an administrator.
        self.call(&format!("own1 POST {members}"), add("mem1"), 409).await;
        self.call(&format!("own1 POST {members}"), add("shop"), 400).await;
        self.call(&format!("str1 POST {members}"), add("str1"), 404).await;
        self.call(&format!("ops POST {members}"), add("mem3"), 200).await;
        self.call(&format!("own1 GET {members}"), Value::Null, 200).await;
        self.call(&format!("mem1 GET {members}/mem1"), Value::Null, 200).await;
        self.call(&format!("str1 GET {members}/mem1"), Value::Null, 404).await;
        for status in ["accepted", "rejected", "pending"] {
            self.call(&format!("mem1 PUT {members}/mem1"), json!({"status": status}), 200).await;
        }
        self.call(&format!("str1 PUT {members}/mem1"), json!({"status": "accepted"}), 404).await;
        self.call(&format!("ops PUT {members}/mem1"), json!({"status": "accepted"}), 200).await;
        self.call(&format!("own1 DELETE {members}/mem1"), Value::Null, 204).await;
        self.call(&format!("own1 DELETE {members}/mem1"), Value::Null, 404).await;
        self.call(&format!("ops DELETE {members}/mem2"), Value::Null, 204).await;
        self.change_special_members(version).await;
        self.change_members_far_ahead(version).await;
    }

    /// Members of encrypted and of full-ECS images.
    async fn change_special_members(&mut self, version: &str) {
        let sealed = self.create_encrypted_image("own1", "key").await;
        let members = format!("own1 POST {version}/images/{sealed}/members");
        self.call(&members, json!({"member": "mem1"}), 200).await;
        let image = self.create_full_ecs_image("own1").await;
        let members = format!("{version}/images/{image}/members");
        self.call(&format!("own1 POST {members}"), json!({"member": "mem1"}), 200).await;
        let accept = json!({"status": "accepted", "vault_id": "vault"});
        self.call(&format!("mem1 PUT {members}/mem1"), accept, 200).await;
        self.call(&format!("own1 DELETE {members}/mem1"), Value::Null, 204).await;
    }

    /// Changes of a tenant whose clock is far ahead leave their stamps on all tenants that they concern.
    async fn change_members_far_ahead(&mut self, version: &str) {
        let image = self.create_image("own1", json!({"name": "later"})).await;
        let members = format!("{version}/images/{image}/members");
        self.call(&format!("own1 POST {members}"), json!({"member": "mem3"}), 200).await;
        self.call(&format!("mem3 PUT {members}/mem3"), json!({"status": "accepted"}), 200).await;
        self.call(&format!("own1 DELETE {members}/mem3"), Value::Null, 204).await;
    }

    /// Alibaba's calls.
    pub(super) async fn change_permissions(&mut self) {
        let image = self.create_image("own1", json!({"name": "permission"})).await;
        let region = self.stage.region();
        let ecd = format!("Version=2020-09-30&RegionId={region}");
        let ecs = format!("Version=2014-05-26&RegionId={region}");
        let action = |name: &str, rest: &str| format!("own1 GET /?Action={name}&{rest}");
        let modify = action("ModifyImagePermission", &format!("{ecd}&ImageId={image}"));
        for (accounts, status) in [
            ("AddAccount.1=mem1&AddAccount.2=perm1&AddAccount.3=perm2", 200),
            ("AddAccount.1=perm3", 200),
            ("AddAccount.1=mem1", 200),
            ("AddAccount.1=new2&RemoveAccount.1=mem1", 200),
            ("AddAccount.1=shop", 404),
        ] {
            self.call(&format!("{modify}&{accounts}"), Value::Null, status).await;
        }
        let by_stranger = modify.replacen("own1", "str1", 1);
        self.call(&format!("{by_stranger}&AddAccount.1=new1"), Value::Null, 404).await;
        for accounts in ["AddAccount.1=mem3", "RemoveAccount.1=mem3"] {
            self.call(&format!("{modify}&{accounts}"), Value::Null, 200).await;
        }
        self.release_by_permission(&ecd).await;
        let of_image = format!("ImageId={image}");
        let modify = action("ModifyImageSharePermission", &format!("{ecs}&{of_image}&DryRun=true"));
        self.call(&format!("{modify}&AddAccount.1=new3"), Value::Null, 400).await;
        let describe = action("DescribeImagePermission", &format!("{ecd}&{of_image}"));
        self.call(&describe, Value::Null, 200).await;
        let describe = action("DescribeImageSharePermission", &format!("{ecs}&{of_image}"));
        self.call(&describe, Value::Null, 200).await;
        self.call(&describe.replacen("own1", "str1", 1), Value::Null, 404).await;
        for filter in ["", "&ImageName=permission", &format!("&ImageId.1={image}")] {
            self.call(&action("DescribeImages", &format!("{ecd}{filter}")), Value::Null, 200).await;
        }
        for filter in [
            "",
            "&ImageName=permission",
            "&ImageOwnerAlias=others",
            "&ImageOwnerId=own1",
            &format!("&{of_image}"),
        ] {
            self.call(&action("DescribeImages", &format!("{ecs}{filter}")), Value::Null, 200).await;
        }
    }

    /// Unshares a full-ECS image that was accepted into a vault.
    async fn release_by_permission(&mut self, ecd: &str) {
        let image = self.create_full_ecs_image("own1").await;
        self.batch("own1 POST", json!({"images": [image], "projects": ["mem1"]}), 200).await;
        let accept =
            json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": "vault"});
        self.batch("mem1 PUT", accept, 200).await;
        let remove = format!("Action=ModifyImagePermission&{ecd}&ImageId={image}&RemoveAccount.1=mem1");
        self.call(&format!("own1 GET /?{remove}"), Value::Null, 200).await;
    }
}
