//! Resources of the providers of OpenStack and Open Telekom Cloud that `moved` blocks turn into ones of this provider.
//!
//! Their states are replayed: those providers are not there. Terraform only asks one for its schema, before it moves what it has.

use std::fs;
use std::os::unix::fs::symlink;

use imageshare_tests::binaries::provider_binary;
use serde_json::{Value, json};

use crate::world::World;

/// A provider whose resources are taken over, and the kinds of these.
struct Former {
    source: &'static str,
    access: &'static str,
    accept: &'static str,
}

const OPENSTACK: Former = Former {
    source: "terraform-provider-openstack/openstack",
    access: "openstack_images_image_access_v2",
    accept: "openstack_images_image_access_accept_v2",
};
const OPEN_TELEKOM_CLOUD: Former = Former {
    source: "opentelekomcloud/opentelekomcloud",
    access: "opentelekomcloud_images_image_access_v2",
    accept: "opentelekomcloud_images_image_access_accept_v2",
};

impl Former {
    /// A resource in the state, as that provider leaves it.
    fn resource(&self, kind: &str, name: &str, image: &str, status: &str) -> Value {
        json!({
            "mode": "managed", "type": kind, "name": name,
            "provider": format!("provider[\"registry.terraform.io/{}\"]", self.source),
            "instances": [{"schema_version": 0, "sensitive_attributes": [], "attributes": {
                "id": format!("{image}/mem1"), "image_id": image, "member_id": "mem1", "status": status, "region": "local",
                "schema": "/v2/schemas/member", "created_at": "2026-11-30T10:00:00Z", "updated_at": "2026-11-30T10:00:00Z",
                "timeouts": null,
            }}],
        })
    }

    /// Puts such resources into the state, and a stand-in for their provider where Terraform finds it.
    fn install(&self, world: &World, resources: &[Value]) {
        let state = json!({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "moved", "outputs": {},
            "resources": resources});
        world.project.write_file("terraform.tfstate", &state.to_string());
        let folder = world.project.path().join("former");
        fs::create_dir(&folder).expect("a folder");
        let name = self.source.rsplit('/').next().unwrap_or_default();
        symlink(provider_binary("sample"), folder.join(format!("terraform-provider-{name}")))
            .expect("a link");
        let own = provider_binary("imageshare");
        let own = own.parent().expect("a directory").display();
        let cli = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"imageshare/imageshare\" = \"{own}\"\n    {:?} = \"{}\"\n  }}\n}}\n",
            self.source,
            folder.display()
        );
        world.project.write_file("cli.tfrc", &cli);
    }
}

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n")
}

#[tokio::test]
async fn access_of_other_providers_becomes_a_share() {
    for former in [OPENSTACK, OPEN_TELEKOM_CLOUD] {
        let Some(world) = World::new().await else { return };
        let image = world.image(json!({"name": "golden"})).await;
        world.share(&image, "mem1").await;
        world.decide(&image, "mem1", "accepted").await;
        former.install(
            &world,
            &[
                former.resource(former.access, "s", &image, "accepted"),
                former.resource(former.accept, "a", &image, "accepted"),
            ],
        );
        let before = world.api.dump_when_idle().await;
        world
            .apply(&format!(
                "{}{}resource \"imageshare_share\" \"s\" {{\n  image_ids   = [{image:?}]\n  project_ids = [\"mem1\"]\n}}\nresource \
                 \"imageshare_acceptance\" \"a\" {{\n  provider = imageshare.recipient\n  image_id = {image:?}\n}}\n",
                moved(&format!("{}.s", former.access), "imageshare_share.s"),
                moved(&format!("{}.a", former.accept), "imageshare_acceptance.a"),
            ))
            .await;
        assert_eq!(world.api.dump_when_idle().await, before);
        let (share, acceptance) = (
            world.project.state("imageshare_share.s").await,
            world.project.state("imageshare_acceptance.a").await,
        );
        assert_eq!(
            (&share["id"], &share["members"]),
            (&json!(image), &json!({format!("{image}/mem1"): "accepted"}))
        );
        assert_eq!(
            (&acceptance["decision"], &acceptance["image_name"]),
            (&json!("accept"), &json!("golden"))
        );
        world.project.destroy().await;
        assert_eq!(world.members(&image).await, [""; 0]);
    }
}

#[tokio::test]
async fn rejection_of_another_provider_stays_one() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "golden"})).await;
    world.share(&image, "mem1").await;
    world.decide(&image, "mem1", "rejected").await;
    OPENSTACK.install(&world, &[OPENSTACK.resource(OPENSTACK.accept, "a", &image, "rejected")]);
    world
        .apply(&format!(
            "{}resource \"imageshare_acceptance\" \"a\" {{\n  provider = imageshare.recipient\n  image_id = {image:?}\n  decision = \
             \"reject\"\n}}\n",
            moved(&format!("{}.a", OPENSTACK.accept), "imageshare_acceptance.a"),
        ))
        .await;
    assert_eq!(world.members(&image).await, ["mem1 rejected"]);
}

#[tokio::test]
async fn move_from_another_kind_says_what_to_do() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "golden"})).await;
    let kind = "openstack_images_image_v2";
    OPENSTACK.install(&world, &[OPENSTACK.resource(kind, "i", &image, "active")]);
    world.write(&format!(
        "{}resource \"imageshare_share\" \"s\" {{\n  image_ids   = [{image:?}]\n  project_ids = [\"mem1\"]\n}}\n",
        moved(&format!("{kind}.i"), "imageshare_share.s"),
    ));
    let ended = world.project.run(&["plan", "-no-color"]).await;
    ended.expect_error(&["This move is not supported", kind, "Import it instead"]);
}
