//! Share rules: what they do on events of images and of the directory, and their API.

mod api;
mod apply;
mod events;
mod joins;
mod limits;
mod orders;
mod stream;

use std::collections::BTreeMap;

use imageshare::App;
use imageshare::domain::{Caller, Details, DirectoryEntry, Image, ImageId, Limits, Role, Visibility};
use imageshare::usecases::share_rules::{image_changed, tenant_joined};
use imageshare::usecases::{
    NewImage, UseCaseError, delete_tenant, list_members, put_tenant, register_image, update_image,
};
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, Functions};
use imageshare_tests::local_service::{caller, tenant};
use serde_json::{Value, json};

/// The owner of all images and rules.
const OWNER: &str = "own1";

/// The functions, and the events that the table's stream would deliver.
struct World {
    functions: Functions,
}

impl World {
    fn start() -> Self {
        Self::start_with(Limits::default())
    }

    fn start_with(limits: Limits) -> Self {
        Self { functions: Functions::start_with(limits) }
    }

    fn app(&self) -> &App {
        &self.functions.local.service
    }

    /// A request on a rule: `METHOD`, its name, and what follows it in the path.
    async fn send(&self, method: &str, rule: &str, action: &str, body: &Value) -> ApiResponse {
        self.send_as(OWNER, method, rule, action, body).await
    }

    async fn send_as(
        &self,
        project: &str,
        method: &str,
        rule: &str,
        action: &str,
        body: &Value,
    ) -> ApiResponse {
        let (route_action, _) = action.split_once('?').unwrap_or((action, ""));
        let route = format!("{method} /v1/share-rules/{{rule_name}}{route_action}");
        let event = HttpEvent::new(&route, &format!("/v1/share-rules/{rule}{action}"));
        let event = event.token(&Deployment::token(project, "member"));
        self.functions.send(&if body.is_null() { event } else { event.json(body) }).await
    }

    /// Puts a rule for images whose name begins with `golden`.
    async fn put_golden(&self, rule: &str, recipients: Value, more: Value) -> ApiResponse {
        let mut body = json!({"pattern": {"name": [{"prefix": "golden"}]}, "recipients": recipients});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let put = self.send("PUT", rule, "", &body).await;
        put.expect_status(200);
        put
    }

    async fn rule(&self, rule: &str) -> Value {
        let shown = self.send("GET", rule, "", &Value::Null).await;
        shown.expect_status(200);
        shown.body["share_rule"].clone()
    }

    /// The causes of a rule's jobs, the newest first.
    async fn causes(&self, rule: &str) -> Vec<String> {
        let listed = self.send("GET", rule, "/jobs", &Value::Null).await;
        listed.expect_status(200);
        let jobs = listed.body["jobs"].as_array().unwrap().clone();
        jobs.iter().map(|job| job["cause"].as_str().unwrap().to_owned()).collect()
    }

    /// Registers an image, without its event.
    async fn create(&self, name: &str, visibility: Visibility) -> Image {
        let details = Details { name: Some(name.to_owned()), ..Details::default() };
        self.create_with(details, visibility).await
    }

    async fn create_with(&self, details: Details, visibility: Visibility) -> Image {
        let new = NewImage { id: None, owner: None, visibility, details };
        register_image(self.app(), &caller(OWNER), new, None).await.unwrap()
    }

    /// Registers an image that is to be shared, and delivers its event.
    async fn register(&self, name: &str) -> Image {
        let image = self.create(name, Visibility::Shared).await;
        self.deliver(None, &image).await;
        image
    }

    /// Changes an image, without its event. Returns it before and after.
    async fn change(&self, image: &Image, change: impl Fn(&mut Image)) -> (Image, Image) {
        let before = self.functions.local.read_image(&image.id).await;
        let change = |image: &mut Image| {
            change(image);
            Ok::<_, UseCaseError>(())
        };
        let after = update_image(self.app(), &caller(OWNER), &image.id, change).await.unwrap();
        (before, after)
    }

    async fn rename(&self, image: &Image, name: &str) -> (Image, Image) {
        self.change(image, |image| image.details.name = Some(name.to_owned())).await
    }

    /// Delivers the event of an image.
    async fn deliver(&self, old: Option<&Image>, new: &Image) {
        image_changed(self.app(), old, Some(new)).await.unwrap();
        self.functions.local.run_open_work().await;
    }

    /// The members of an image, with their statuses.
    async fn members(&self, image: &ImageId) -> BTreeMap<String, String> {
        let page = list_members(self.app(), &caller(OWNER), image, None, 1_000).await.unwrap();
        let member = |view: &imageshare::domain::MemberView| {
            (view.tenant.to_string(), view.status.as_str().to_owned())
        };
        page.items.iter().map(member).collect()
    }

    /// Checks the ids of an image's members.
    async fn assert_members(&self, image: &Image, expected: &[&str]) {
        let members = self.members(&image.id).await;
        assert_eq!(members.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    /// Enters a tenant into the directory, without the event. Returns its entry before and after.
    async fn enter(
        &self,
        id: &str,
        names: (&str, &str),
        organization: Option<&str>,
    ) -> (Option<DirectoryEntry>, DirectoryEntry) {
        let before = self.app().store.entry(&tenant(id)).await.unwrap();
        let entry = entry(id, names, organization);
        put_tenant(self.app(), &admin(), &entry).await.unwrap();
        (before, entry)
    }

    /// Enters a tenant into the directory, and delivers the event.
    async fn join(&self, id: &str, names: (&str, &str), organization: Option<&str>) {
        let (old, new) = self.enter(id, names, organization).await;
        self.deliver_entry(old.as_ref(), &new).await;
    }

    async fn deliver_entry(&self, old: Option<&DirectoryEntry>, new: &DirectoryEntry) {
        tenant_joined(self.app(), old, Some(new)).await.unwrap();
        self.functions.local.run_open_work().await;
    }

    async fn leave(&self, id: &str) {
        let old = self.app().store.entry(&tenant(id)).await.unwrap();
        delete_tenant(self.app(), &admin(), &tenant(id)).await.unwrap();
        tenant_joined(self.app(), old.as_ref(), None).await.unwrap();
    }
}

fn admin() -> Caller {
    Caller { role: Role::Admin, ..caller("ops") }
}

fn entry(id: &str, (account, project): (&str, &str), organization: Option<&str>) -> DirectoryEntry {
    DirectoryEntry {
        tenant: tenant(id),
        account: account.parse().unwrap(),
        project: project.parse().unwrap(),
        region: "local".parse().unwrap(),
        organization: organization.map(|organization| organization.parse().unwrap()),
        cloud_account: None,
    }
}
