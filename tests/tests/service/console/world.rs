//! What several tests of the pages begin with.

use imageshare::domain::{Caller, DirectoryEntry, Role};
use imageshare::usecases;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::caller;
use imageshare_tests::visitor::Visitor;
use serde_json::{Value, json};

/// Registers an image of `own1` and shares it with `mem1`. Returns its id.
pub async fn share_new(functions: &Functions, details: Value) -> String {
    let image = functions.create_image("own1", &details).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    image
}

/// The details of a full-ECS image whose backups have that size.
pub fn full_ecs(name: &str, gib: u32) -> Value {
    let gib = gib.to_string();
    json!({"name": name, "__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": gib})
}

/// Creates a vault for backups.
pub async fn create_vault(visitor: &Visitor<'_>, id: &str, capacity: &str) {
    let created = visitor.submit("vaults/new", &vault_fields(id, capacity, "backup")).await;
    created.expect_status(303);
}

/// The fields of the form of a vault.
pub fn vault_fields<'a>(id: &'a str, capacity: &'a str, protection: &'a str) -> [(&'a str, &'a str); 4] {
    [("vault", id), ("capacity", capacity), ("protection", protection), ("status", "available")]
}

/// Accepts a full-ECS image into a vault.
pub async fn accept_into_vault(visitor: &Visitor<'_>, image: &str, vault: &str) {
    let form = [("form", image), ("image", image), ("vault", vault)];
    let page = visitor.follow(&visitor.submit("shared/accept", &form).await).await;
    page.expect_text("1 image is accepted");
}

/// Enters a project into the directory, under the names of its account and of itself.
pub async fn enter(functions: &Functions, tenant: &str, (account, project): (&str, &str), region: &str) {
    let entry = DirectoryEntry {
        tenant: tenant.parse().expect("an id"),
        account: account.parse().expect("a name"),
        project: project.parse().expect("a name"),
        region: region.parse().expect("a region"),
        organization: None,
        cloud_account: None,
    };
    let admin = Caller { role: Role::Admin, ..caller("admin") };
    usecases::put_tenant(&functions.local.service, &admin, &entry).await.expect("an entry");
}
