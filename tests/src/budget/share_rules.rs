//! What share rules cost at the table.

use imageshare::domain::{
    Caller, DirectoryEntry, Image, Limits, Pattern, Role, RuleDetails, RuleRecipients, TenantName,
};
use imageshare::usecases::{self, UseCaseError, share_rules};
use serde_json::json;

use super::{Measurement, measurement, metered_service, typical_image};
use crate::local_service::{LocalService, caller, tenant};

/// Each call once, and each event with and without a rule that acts on it.
pub(super) async fn measure() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let owner = caller("owner");
    let mut rows = Vec::new();
    let image = typical_image(&world, "owner").await;
    let image = world.read_image(&image).await;
    let renamed = rename(&world, &image, "other").await;

    let service = metered_service(&world);
    share_rules::image_changed(&service, Some(&renamed), Some(&image)).await.expect("handled");
    rows.push(measurement("event of an image, without share rules", &service));

    let service = metered_service(&world);
    let name = || "golden".parse().expect("a name");
    share_rules::put(&service, &owner, name(), &details()).await.expect("a rule");
    rows.push(measurement("put a share rule with 1 project and 1 account", &service));

    let service = metered_service(&world);
    share_rules::image_changed(&service, Some(&image), Some(&renamed)).await.expect("handled");
    rows.push(measurement("event of an image that no share rule acts on", &service));

    let again = rename(&world, &image, "golden-again").await;
    let service = metered_service(&world);
    share_rules::image_changed(&service, Some(&renamed), Some(&again)).await.expect("handled");
    rows.push(measurement("event of an image that a share rule shares with 1 project", &service));

    let service = metered_service(&world);
    share_rules::dry_run(&service, &owner, &name()).await.expect("a plan");
    rows.push(measurement("dry run of a share rule, 1 image and 1 project", &service));

    let service = metered_service(&world);
    share_rules::apply(&service, &owner, &name(), None, None).await.expect("applied");
    rows.push(measurement("apply a share rule, 1 image and 1 project", &service));

    for (call, account) in [
        ("event of a tenant that no share rule names", "nobody"),
        ("event of a tenant that a share rule names, 1 image", "acme"),
    ] {
        let entry = enter(&world, account).await;
        let service = metered_service(&world);
        share_rules::tenant_joined(&service, None, Some(&entry)).await.expect("handled");
        rows.push(measurement(call, &service));
    }
    rows
}

fn details() -> RuleDetails {
    let pattern = Pattern::parse(&json!({"name": [{"prefix": "golden"}]})).expect("a pattern");
    let named = |name: &str| name.parse().expect("a name");
    let account = TenantName { account: named("acme"), project: Some(named("web")) };
    let recipients = RuleRecipients {
        projects: vec![tenant(&"a".repeat(32))],
        accounts: vec![account],
        organizations: Vec::new(),
    };
    RuleDetails { pattern, recipients, enabled: true, withdraw_unmatched: false }
}

async fn rename(world: &LocalService, image: &Image, name: &str) -> Image {
    let change = |image: &mut Image| {
        image.details.name = Some(name.to_owned());
        Ok::<_, UseCaseError>(())
    };
    usecases::update_image(&world.service, &caller("owner"), &image.id, change).await.expect("renamed")
}

async fn enter(world: &LocalService, account: &str) -> DirectoryEntry {
    let entry = DirectoryEntry {
        tenant: tenant(&format!("of-{account}")),
        account: account.parse().expect("a name"),
        project: "web".parse().expect("a name"),
        region: "local".parse().expect("a region"),
        organization: None,
        cloud_account: None,
    };
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    usecases::put_tenant(&world.service, &admin, &entry).await.expect("entered");
    entry
}
