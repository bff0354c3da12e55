//! The recipient's pages of the console: received images, vaults, messages, trusted and blocked owners.

use serde_json::{Value, json};

use crate::events::HttpEvent;
use crate::journey::{Journey, Stage};
use crate::local_service::create_message;

impl<S: Stage> Journey<S> {
    /// Images of each kind are accepted and rejected, one by one and all at once, also by a project with a vault.
    pub(super) async fn use_received_images(&mut self) {
        self.call("own1 PUT /v1/keys/console-key/grants/mem1", Value::Null, 200).await;
        let plain = self.create_image("own1", json!({"name": "console"})).await;
        let sealed = self.create_encrypted_image("own1", "console-key").await;
        let server = self.create_full_ecs_image("own1").await;
        let images = [plain, sealed, server.clone()];
        self.batch("own1 POST", json!({"images": images, "projects": ["mem1"]}), 200).await;
        self.open_page("mem1", "shared").await;
        self.open_page("mem1", &format!("shared/accept?image={server}")).await;
        let [plain, sealed, server] = images.each_ref().map(String::as_str);
        self.send_form("mem1", "shared", &[("form", "3"), ("reject", plain)]).await;
        self.send_form("mem1", "shared", &[("form", "4"), ("accept", sealed)]).await;
        self.send_form("mem1", "shared", &[("form", "5"), ("accept", server)]).await;
        let accept = [("form", "6"), ("image", server), ("vault", "vault")];
        self.send_form("mem1", "shared/accept", &accept).await;
        self.run_open_work().await;
        self.open_page("mem1", "shared/rejected").await;
        self.open_page("mem1", &format!("shared/reject?image={server}")).await;
        self.send_form("mem1", "shared/reject", &[("form", "7"), ("image", server)]).await;
        self.run_open_work().await;
        self.accept_all_of_the_console().await;
    }

    async fn accept_all_of_the_console(&mut self) {
        let image = self.create_image("own1", json!({"name": "console"})).await;
        self.batch("own1 POST", json!({"images": [image], "projects": ["mem1"]}), 200).await;
        let event = HttpEvent::new("GET /console/{page+}", "/console/shared/accept?all=1");
        let page = self.visit("mem1", event, 200).await;
        let html = page["body"].as_str().expect("a page");
        let (_, seen) = html.split_once("name=\"seen\" value=\"").expect("what is seen");
        let seen = seen.split('"').next().unwrap_or_default();
        let form = [("form", "8"), ("all", "1"), ("seen", seen), ("vault", "vault")];
        // Twice: the second one finds the job of the first.
        for _ in ["new", "sent again"] {
            self.send_form("mem1", "shared/accept", &form).await;
        }
        self.run_open_work().await;
    }

    pub(super) async fn use_vaults_of_the_console(&mut self) {
        let fields =
            [("vault", "console"), ("capacity", "50"), ("protection", "backup"), ("status", "available")];
        self.open_page("mem1", "vaults/new").await;
        self.send_form("mem1", "vaults/new", &fields).await;
        self.open_page("mem1", "vaults").await;
        self.open_page("mem1", "vaults/edit?vault=console").await;
        self.send_form("mem1", "vaults/edit", &fields).await;
        self.open_page("mem1", "vaults/delete?vault=console").await;
        self.send_form("mem1", "vaults/delete", &fields).await;
    }

    pub(super) async fn use_messages_of_the_console(&mut self) {
        let id = create_message(&self.stage.app().store, "mem1", "own1").await.to_string();
        self.open_page("mem1", "messages").await;
        self.open_page("mem1", "messages?unread=1").await;
        self.send_form("mem1", "messages", &[("read", &id)]).await;
        self.send_form("mem1", "messages", &[("all", "0"), ("recent", &id)]).await;
    }

    pub(super) async fn use_owners_of_the_console(&mut self) {
        self.open_page("mem1", "owners/new").await;
        let by_names = [("account", "other"), ("project", "web"), ("policy", "trusted"), ("vault", "vault")];
        self.send_form("mem1", "owners/new", &by_names).await;
        self.send_form("mem1", "owners/new", &[("account", "other"), ("policy", "blocked")]).await;
        self.open_page("mem1", "owners").await;
        self.open_page("mem1", "owners/edit?owner=mem2").await;
        self.send_form("mem1", "owners/edit", &[("owner", "mem2"), ("policy", "trusted")]).await;
        self.send_form("mem1", "owners", &[("remove", "mem2")]).await;
    }
}
