//! The console's pages of an owner: images, the share dialog, members. `own6` and `pol1` to `pol4` are those of the owner
//! policies.

use imageshare::domain::Stamp;
use serde_json::{Value, json};

use super::sharing::many_projects;
use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    pub(super) async fn use_owner_pages(&mut self) {
        self.register_and_edit_in_the_console().await;
        self.name_recipients_in_the_console().await;
        self.share_in_the_console().await;
        self.share_by_policy_in_the_console().await;
        self.share_much_in_the_console().await;
        self.grant_keys_in_the_console().await;
        self.use_share_rules_in_the_console().await;
    }

    async fn register_and_edit_in_the_console(&mut self) {
        self.open_page("own1", "new-image").await;
        let new = [("form", "r1"), ("name", "console-new"), ("tags", "golden"), ("visibility", "shared")];
        for _ in ["new", "replayed"] {
            self.send_form("own1", "new-image", &new).await;
        }
        let image = self.create_image("own1", json!({"name": "console", "tags": ["golden"]})).await;
        let page = |name: &str| format!("images/{image}/{name}");
        self.open_page("own1", &format!("images/{image}")).await;
        self.open_page("own1", &page("edit")).await;
        let edit = |revision, visibility| {
            [("revision", revision), ("name", "edited"), ("tags", "linux"), ("visibility", visibility)]
        };
        self.send_form("own1", &page("edit"), &edit("1", "private")).await;
        self.show_form("own1", "share-images", &[("image", &image), ("set_shared", &image)], 200).await;
        self.open_page("own1", &format!("share-images?image={image}")).await;
        self.console_share("own1", &[&image], &["mem1", "mem2"]).await;
        self.open_page("own1", &format!("images/{image}?status=pending")).await;
        self.open_page("mem1", &format!("images/{image}")).await;
        self.open_page("own1", &page("unshare?tenant=mem1")).await;
        self.send_form("own1", &page("edit"), &edit("3", "private")).await;
        self.run_open_work().await;
        self.open_page("own1", &page("delete")).await;
        self.send_form("own1", &page("delete"), &[("members", "2")]).await;
        self.run_open_work().await;
    }

    async fn name_recipients_in_the_console(&mut self) {
        let image = self.create_image("own1", json!({"name": "console"})).await;
        for fields in [&[("account", "acme"), ("project", "shop")][..], &[("account", "other")]] {
            let form: Vec<_> =
                fields.iter().copied().chain([("image", image.as_str()), ("do", "add")]).collect();
            self.show_form("own1", "share-images", &form, 200).await;
        }
        let own_name = [("image", image.as_str()), ("recipient", "shop"), ("do", "share")];
        self.show_form("own1", "share-images", &own_name, 400).await;
    }

    async fn share_in_the_console(&mut self) {
        let plain = self.create_image("own1", json!({"name": "console"})).await;
        let other = self.create_image("own1", json!({"name": "console"})).await;
        let sealed = self.create_encrypted_image("own1", "console-key").await;
        let full = self.create_full_ecs_image("own1").await;
        for images in [vec![&plain], vec![&plain, &other], vec![&sealed], vec![&full]] {
            let images: Vec<_> = images.into_iter().map(String::as_str).collect();
            for projects in [&["mem1"][..], &["mem2", "con1", "con2"]] {
                self.console_share("own1", &images, projects).await;
                // Once more, which changes nothing.
                self.console_share("own1", &images, projects).await;
            }
            for projects in [&["mem1"][..], &["mem2", "con1"]] {
                self.console_unshare("own1", images[0], projects).await;
            }
        }
        let accept =
            json!({"images": [full], "project_id": "con2", "status": "accepted", "vault_id": "vault"});
        let vault = json!({"protection_type": "backup", "capacity_gib": 1000});
        self.call("con2 PUT /v1/vaults/vault", vault, 200).await;
        self.batch("con2 PUT", accept, 200).await;
        self.console_unshare("own1", &full, &["con2"]).await;
        self.call(&format!("own1 DELETE /v2/images/{full}"), Value::Null, 204).await;
        self.run_open_work().await;
    }

    async fn share_by_policy_in_the_console(&mut self) {
        let plain = self.create_image("own6", json!({"name": "console"})).await;
        let sealed = self.create_encrypted_image("own6", "key").await;
        let full = self.create_full_ecs_image("own6").await;
        for image in [&plain, &sealed, &full] {
            for projects in [&["pol1"][..], &["pol3"], &["pol2", "pol4"]] {
                self.console_share("own6", &[image], projects).await;
            }
            self.console_unshare("own6", image, &["pol1", "pol2"]).await;
            self.console_share("own6", &[image], &["pol1", "pol2"]).await;
            self.console_unshare("own6", image, &["pol1"]).await;
        }
    }

    /// Shares that a worker executes, in turn with others, and one whose recipient's clock is far ahead.
    async fn share_much_in_the_console(&mut self) {
        let mut images = Vec::new();
        for _ in 0..3 {
            images.push(self.create_image("own1", json!({"name": "console"})).await);
        }
        let names: Vec<_> = images.iter().map(String::as_str).collect();
        let projects = many_projects();
        let projects: Vec<_> = projects.iter().map(String::as_str).collect();
        for _ in ["first", "in turn"] {
            self.console_share("own1", &names, &projects).await;
        }
        self.console_unshare("own1", names[0], &projects).await;
        self.run_open_work().await;
        self.put_clock_far_ahead("mem3", &images[0]).await;
        self.console_share("own1", &names[..1], &["mem3"]).await;
        self.console_unshare("own1", names[0], &["mem3"]).await;
    }

    async fn grant_keys_in_the_console(&mut self) {
        let image = self.create_encrypted_image("own1", "granted-key").await;
        self.open_page("own1", "key-grants").await;
        for naming in [("ids", "mem1 mem2"), ("account", "other")] {
            self.send_form("own1", "key-grants", &[("key", "granted-key"), naming]).await;
        }
        self.console_share("own1", &[&image], &["mem1"]).await;
        self.open_page("own1", "key-grants?key=granted-key").await;
        self.open_page("own1", "key-grants/withdraw?key=granted-key&tenant=mem1").await;
        let grant = [("key", "granted-key"), ("tenant", "mem1")];
        self.send_form("own1", "key-grants/withdraw", &grant).await;
    }

    /// Rules of `rule1`, which is in the organization `rules`, and of `own6`.
    async fn use_share_rules_in_the_console(&mut self) {
        self.open_page("rule1", "share-rules/new").await;
        let pattern = r#"{"name": ["console"]}"#;
        let rule = |organization| {
            [
                ("name", "console"),
                ("pattern", pattern),
                ("ids", "mem1 new1"),
                ("accounts", "rules\r\nacme / shop\r\nother / web"),
                ("organizations", organization),
                ("enabled", "yes"),
            ]
        };
        self.create_image("rule1", json!({"name": "console"})).await;
        self.send_form("rule1", "share-rules/new", &rule("rules")).await;
        self.open_page("rule1", "share-rules").await;
        self.open_page("rule1", "share-rule/console").await;
        self.open_page("rule1", "share-rule/console/dry-run").await;
        self.open_page("rule1", "share-rule/console/edit").await;
        let edit: Vec<_> = rule("").into_iter().chain([("revision", "1")]).collect();
        self.send_form("rule1", "share-rule/console/edit", &edit).await;
        for _ in ["new", "replayed"] {
            self.send_form("rule1", "share-rule/console/apply", &[("form", "apply")]).await;
        }
        self.run_open_work().await;
        for action in ["disable", "enable"] {
            self.send_form("rule1", &format!("share-rule/console/{action}"), &[]).await;
        }
        self.open_page("rule1", "share-rule/console/delete").await;
        self.send_form("rule1", "share-rule/console/delete", &[]).await;
        for details in [
            json!({"name": "console"}),
            json!({"name": "console", "__system__cmkid": "key"}),
            json!({"name": "console", "__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40"}),
        ] {
            self.create_image("own6", details).await;
        }
        for projects in ["pol1", "pol3", "pol1 pol2 pol4"] {
            let name = format!("console-{}", projects.replace(' ', "-"));
            let rule = [("name", name.as_str()), ("pattern", pattern), ("ids", projects)];
            self.send_form("own6", "share-rules/new", &rule).await;
            self.open_page("own6", &format!("share-rule/{name}/dry-run")).await;
            self.send_form("own6", &format!("share-rule/{name}/delete"), &[]).await;
        }
    }

    /// Shares images with projects, and grants the keys that it takes. Sends the form twice.
    async fn console_share(&mut self, owner: &str, images: &[&str], projects: &[&str]) {
        let key = Stamp::now().to_string();
        let images = images.iter().map(|image| ("image", *image));
        let projects = projects.iter().map(|project| ("recipient", *project));
        let button = [("do", "share"), ("grant", "yes"), ("form", key.as_str())];
        let form: Vec<_> = images.chain(projects).chain(button).collect();
        for _ in ["new", "replayed"] {
            self.send_form(owner, "share-images", &form).await;
        }
    }

    /// Stops sharing an image with projects. Sends the form twice.
    async fn console_unshare(&mut self, owner: &str, image: &str, projects: &[&str]) {
        let key = Stamp::now().to_string();
        let projects = projects.iter().map(|project| ("tenant", *project));
        let form: Vec<_> = projects.chain([("form", key.as_str())]).collect();
        for _ in ["new", "replayed"] {
            self.send_form(owner, &format!("images/{image}/unshare"), &form).await;
        }
    }
}
