//! Trusted and blocked owners (`contract/decisions.md` 34).

use imageshare::domain::{
    AcceptedBy, ImageId, Limits, MAX_OWNER_POLICIES, Outcome, OwnerPolicyKey, Policy, PolicyKind, Protection,
    Stamp, Status, Task, VaultDetails, VaultStatus,
};
use imageshare::store::PutPolicyOutcome;
use imageshare::usecases::{self, OwnerPolicyError, UseCaseError};
use imageshare_tests::api::ApiRequest;
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::totals;
use serde_json::{Value, json};

use super::facades::{World, assert_failed, assert_refused};
use super::{
    FULL_ECS, execute_and_get_outcomes, member_status, queue_job, reshare_before_late_unshare,
    respond_and_execute, share_and_execute, start_service, unshare_and_execute,
};

/// Sets the policy of a tenant on the owner of every image here.
async fn set_policy(world: &LocalService, tenant_id: &str, policy: Policy) {
    let by = caller(tenant_id);
    usecases::put_owner_policy(&world.service, &by, tenant("owner"), policy).await.unwrap();
    totals::assert_consistent(&world.embedded);
}

async fn trust(world: &LocalService, tenant_id: &str, vault: Option<&str>) {
    let vault = vault.map(|id| id.parse().unwrap());
    set_policy(world, tenant_id, Policy::Trusted { vault }).await;
}

async fn remove_policy(world: &LocalService, tenant_id: &str) {
    usecases::delete_owner_policy(&world.service, &caller(tenant_id), tenant("owner")).await.unwrap();
    totals::assert_consistent(&world.embedded);
}

async fn put_vault(world: &LocalService, id: &str, capacity_gib: u32) {
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib };
    usecases::put_vault(&world.service, &caller("a"), id.parse().unwrap(), &details).await.unwrap();
}

async fn reserved_gib(world: &LocalService, id: &str) -> u64 {
    let vault = usecases::show_vault(&world.service, &caller("a"), id.parse().unwrap()).await.unwrap();
    vault.vault.reserved_gib
}

async fn accepted_by(world: &LocalService, image: &ImageId, tenant_id: &str) -> Option<AcceptedBy> {
    let (_, member) = world.service.store.image_and_member(image, &tenant(tenant_id)).await.unwrap();
    member.unwrap().accepted_by
}

#[tokio::test]
async fn trusted_owner_shares_are_accepted_in_every_facade() {
    let world = World::start(&[]).await;
    let owner = "/v1/owners/own1";
    world.send_ok("mem1", "PUT", owner, Some(json!({"policy": "trusted"}))).await;
    let images = [
        world.create_image(json!({})).await,
        world.create_image(json!({})).await,
        world.create_image(json!({})).await,
    ];
    assert_eq!(world.share(&images[0], "mem1").await["status"], "success");
    assert_eq!(world.add_member(&images[1], "mem1").await.body["status"], "accepted");
    world.add_account(&images[2], "mem1").await.expect_status(200);
    let member = async |project: &str, image: &str| {
        let target = format!("/v1/{project}/cloudimages/{image}/members/mem1");
        world.send_ok(project, "GET", &target, None).await.body
    };
    for (image, by) in [
        (&images[0], json!("trusted_owner")),
        (&images[1], json!("trusted_owner")),
        (&images[2], Value::Null),
    ] {
        let (own, of_owner) = (member("mem1", image).await, member("own1", image).await);
        assert_eq!((&own["status"], &own["accepted_by"]), (&json!("accepted"), &by));
        assert_eq!((&of_owner["status"], &of_owner["accepted_by"]), (&json!("accepted"), &Value::Null));
    }
    let shared = "/v2/cloudimages?__imagetype=shared&member_status=accepted";
    assert_eq!(world.send_ok("mem1", "GET", shared, None).await.body["images"].as_array().unwrap().len(), 3);
    // A project that has no policy decides itself.
    world.share(&images[0], "mem2").await;
    let pending = "/v2/cloudimages?__imagetype=shared&member_status=pending";
    assert_eq!(world.send_ok("mem2", "GET", pending, None).await.body["images"][0]["id"], json!(images[0]));
}

#[tokio::test]
async fn blocked_owner_is_refused_in_every_facade() {
    let world = World::start(&[]).await;
    world.send_ok("mem1", "PUT", "/v1/owners/own1", Some(json!({"policy": "blocked"}))).await;
    let image = world.create_image(json!({})).await;
    assert_failed(&world.share(&image, "mem1").await, "IMG.0112", "The project has rejected the image.");
    assert_refused(&world.add_member(&image, "mem1").await, 403, "IMG.0112");
    let refused = world.add_account(&image, "mem1").await;
    assert_eq!((refused.status, &refused.body["Code"]), (403, &json!("OperationDenied.Rejected")));
    // Nothing is written, neither for the other pairs of Alibaba's call.
    let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local";
    let both = format!("/?{action}&ImageId={image}&AddAccount.1=mem1&AddAccount.2=mem2");
    world.send("own1", ApiRequest::new("GET", both)).await.expect_status(403);
    let members = format!("/v2/images/{image}/members");
    assert_eq!(world.send_ok("own1", "GET", &members, None).await.body["members"], json!([]));
    assert_eq!(
        world.send_ok("mem1", "GET", "/v2/cloudimages?member_status=pending", None).await.body["images"],
        json!([])
    );
    // For others, nothing has changed; and a removed policy does not count any more.
    assert_eq!(world.share(&image, "mem2").await["status"], "success");
    world.send_ok("mem1", "DELETE", "/v1/owners/own1", None).await;
    assert_eq!(world.share(&image, "mem1").await["status"], "success");
}

#[tokio::test]
async fn policies_belong_to_the_caller() {
    let world = World::start(&[]).await;
    let target = "/v1/owners/own1";
    let put = world.send_ok("mem1", "PUT", target, Some(json!({"policy": "blocked"}))).await.body;
    assert_eq!((&put["owner"]["project_id"], &put["owner"]["policy"]), (&json!("own1"), &json!("blocked")));
    assert_eq!(world.send_ok("mem1", "GET", target, None).await.body, put);
    let again = world.send_ok("mem1", "PUT", target, Some(json!({"policy": "trusted"}))).await.body;
    assert_eq!(again["owner"]["created_at"], put["owner"]["created_at"]);
    world.send_ok("mem1", "PUT", "/v1/owners/own2", Some(json!({"policy": "blocked"}))).await;
    let ids = |list: &Value| {
        let owners = list["owners"].as_array().unwrap().iter();
        owners.map(|owner| owner["project_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list = async |project: &str, query: &str| {
        world.send_ok(project, "GET", &format!("/v1/owners{query}"), None).await.body
    };
    assert_eq!(ids(&list("mem1", "").await), ["own1", "own2"]);
    assert_eq!(ids(&list("mem1", "?policy=blocked").await), ["own2"]);
    assert_eq!(ids(&list("mem1", "?policy=trusted").await), ["own1"]);
    let first = list("mem1", "?limit=1").await;
    let marker = first["page_info"]["next_marker"].as_str().unwrap();
    assert_eq!(ids(&list("mem1", &format!("?marker={marker}")).await), ["own2"]);
    // Another project neither sees nor removes them, nor do its own affect others.
    assert_eq!(ids(&list("own1", "").await), [] as [&str; 0]);
    assert_refused(&world.send("mem2", ApiRequest::new("GET", target)).await, 404, "IMG.0121");
    world.send_ok("mem2", "DELETE", target, None).await;
    world.send_ok("mem1", "GET", target, None).await;
    for (body, code) in [
        (json!({"policy": "trusted", "vault_id": "missing"}), "IMG.0184"),
        (json!({"policy": "blocked", "vault_id": "v"}), "IMG.0001"),
        (json!({"policy": "known"}), "IMG.0001"),
    ] {
        assert_refused(&world.send("mem1", ApiRequest::new("PUT", target).json(&body)).await, 400, code);
    }
    let own = ApiRequest::new("PUT", "/v1/owners/mem1").json(&json!({"policy": "trusted"}));
    assert_refused(&world.send("mem1", own).await, 400, "IMG.0178");
}

#[tokio::test]
async fn blocked_owner_learns_nothing_of_the_inbox() {
    let world = start_service(Limits { pending_per_tenant: 1, ..Limits::default() });
    let (filling, image) = (world.create_image("other").await, world.create_image("owner").await);
    let (other, images) = (caller("other"), std::slice::from_ref(&image));
    usecases::share(&world.service, &other, vec![filling], vec![tenant("a")], None).await.unwrap();
    assert_eq!(share_and_execute(&world, images, &["a"]).await, [Outcome::PendingLimit]);
    set_policy(&world, "a", Policy::Blocked).await;
    assert_eq!(share_and_execute(&world, images, &["a"]).await, [Outcome::OwnerBlocked]);
    assert_eq!(member_status(&world, &image, "a").await, None);
    // What is accepted at once takes no place in the inbox.
    trust(&world, "a", None).await;
    assert_eq!(share_and_execute(&world, images, &["a"]).await, [Outcome::Done]);
    assert_eq!(member_status(&world, &image, "a").await, Some(Status::Accepted));
}

#[tokio::test]
async fn policy_leaves_existing_members_as_they_are() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    let images = std::slice::from_ref(&image);
    let status = async || member_status(&world, &image, "a").await;
    let done = [Outcome::Done];
    assert_eq!(share_and_execute(&world, images, &["a"]).await, done);
    for policy in [Policy::Trusted { vault: None }, Policy::Blocked] {
        set_policy(&world, "a", policy).await;
        assert_eq!(status().await, Some(Status::Pending));
    }
    // A member stays a member. But a blocked owner's call that needs no consent does not accept for it.
    assert_eq!(share_and_execute(&world, images, &["a"]).await, done);
    assert_eq!(status().await, Some(Status::Pending));
    let add = imageshare::domain::PermissionChange::new([tenant("a")].into(), [].into()).unwrap();
    let call = async || {
        let owner = caller("owner");
        usecases::change_permissions(&world.service, &owner, &image, &add, usecases::DryRun::Off).await
    };
    let refusal = UseCaseError::RuleViolation {
        image: image.clone(),
        tenant: tenant("a"),
        outcome: Outcome::OwnerBlocked,
    };
    assert_eq!((call().await, status().await), (Err(refusal), Some(Status::Pending)));
    // Sharing again applies the trust.
    trust(&world, "a", None).await;
    assert_eq!(share_and_execute(&world, images, &["a"]).await, done);
    assert_eq!(
        (status().await, accepted_by(&world, &image, "a").await),
        (Some(Status::Accepted), Some(AcceptedBy::TrustedOwner))
    );
    set_policy(&world, "a", Policy::Blocked).await;
    assert_eq!((call().await, status().await), (Ok(()), Some(Status::Accepted)));
    unshare_and_execute(&world, images, &["a"]).await;
    assert_eq!(share_and_execute(&world, images, &["a"]).await, [Outcome::OwnerBlocked]);
    assert_eq!(status().await, None);
}

#[tokio::test]
async fn trust_accepts_no_image_that_was_rejected() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    let images = std::slice::from_ref(&image);
    trust(&world, "a", None).await;
    share_and_execute(&world, images, &["a"]).await;
    respond_and_execute(&world, images, "a", (Status::Rejected, None)).await;
    assert_eq!(share_and_execute(&world, images, &["a"]).await, [Outcome::Done]);
    assert_eq!(
        (member_status(&world, &image, "a").await, accepted_by(&world, &image, "a").await),
        (Some(Status::Rejected), None)
    );
    // After a withdrawal, nothing is left of the rejection.
    unshare_and_execute(&world, images, &["a"]).await;
    share_and_execute(&world, images, &["a"]).await;
    assert_eq!(member_status(&world, &image, "a").await, Some(Status::Accepted));
    // An acceptance by hand is no acceptance by a policy.
    respond_and_execute(&world, images, "a", (Status::Accepted, None)).await;
    assert_eq!(accepted_by(&world, &image, "a").await, None);
}

#[tokio::test]
async fn full_ecs_image_is_accepted_only_into_the_policys_vault() {
    let world = start_service(Limits::default());
    let [image, second] = [
        world.create_image_with("owner", &FULL_ECS).await,
        world.create_image_with("owner", &FULL_ECS).await,
    ];
    let shares = async |image: &ImageId| {
        assert_eq!(share_and_execute(&world, std::slice::from_ref(image), &["a"]).await, [Outcome::Done]);
        let status = member_status(&world, image, "a").await;
        unshare_and_execute(&world, std::slice::from_ref(image), &["a"]).await;
        status
    };
    let (pending, accepted) = (Some(Status::Pending), Some(Status::Accepted));
    trust(&world, "a", None).await;
    assert_eq!(shares(&image).await, pending, "no vault");
    put_vault(&world, "v", 119).await;
    trust(&world, "a", Some("v")).await;
    assert_eq!((shares(&image).await, reserved_gib(&world, "v").await), (accepted, 0));
    // One of the two has room, together and one after the other.
    let both = [image.clone(), second.clone()];
    assert_eq!(share_and_execute(&world, &both, &["a"]).await, [Outcome::Done; 2]);
    assert_eq!(
        (member_status(&world, &image, "a").await, member_status(&world, &second, "a").await),
        (accepted, pending)
    );
    assert_eq!(
        (reserved_gib(&world, "v").await, accepted_by(&world, &image, "a").await),
        (60, Some(AcceptedBy::TrustedOwner))
    );
    share_and_execute(&world, &both, &["a"]).await;
    assert_eq!((member_status(&world, &second, "a").await, reserved_gib(&world, "v").await), (pending, 60));
    put_vault(&world, "v", 120).await;
    share_and_execute(&world, &both, &["a"]).await;
    assert_eq!((member_status(&world, &second, "a").await, reserved_gib(&world, "v").await), (accepted, 120));
    // Rejecting releases the capacity, and the image stays rejected.
    respond_and_execute(&world, std::slice::from_ref(&second), "a", (Status::Rejected, None)).await;
    share_and_execute(&world, &both, &["a"]).await;
    assert_eq!(
        (member_status(&world, &second, "a").await, reserved_gib(&world, "v").await),
        (Some(Status::Rejected), 60)
    );
    // Into another vault by hand, where it stays.
    put_vault(&world, "w", 60).await;
    respond_and_execute(&world, std::slice::from_ref(&image), "a", (Status::Accepted, Some("w"))).await;
    share_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    assert_eq!((reserved_gib(&world, "v").await, reserved_gib(&world, "w").await), (0, 60));
    usecases::delete_vault(&world.service, &caller("a"), "v".parse().unwrap()).await.unwrap();
    unshare_and_execute(&world, &both, &["a"]).await;
    assert_eq!(shares(&image).await, pending, "the vault is deleted");
}

#[tokio::test]
async fn late_unshare_leaves_no_acceptance_without_a_vault() {
    let world = start_service(Limits::default());
    let image = world.create_image_with("owner", &FULL_ECS).await;
    let images = std::slice::from_ref(&image);
    put_vault(&world, "v", 60).await;
    trust(&world, "a", Some("v")).await;
    share_and_execute(&world, images, &["a"]).await;
    // The later share is accepted, too, and keeps what is reserved when the unshare before it is executed.
    assert_eq!(reshare_before_late_unshare(&world, &image, "a").await, Outcome::Done);
    assert_eq!(
        (member_status(&world, &image, "a").await, reserved_gib(&world, "v").await),
        (Some(Status::Accepted), 60)
    );
    // An unshare, a decision and a share are requested; the decision is executed last, but for the unshare.
    let reject = async |at: Stamp| {
        let task = Task::Respond { status: Status::Rejected, vault: None };
        let job = imageshare_tests::local_service::job_at(at, "a", task, images.to_vec(), vec![tenant("a")]);
        world.queue_job(&job).await;
        job.id
    };
    let (rejected_at, unshared) =
        (world.service.clock().stamp(), queue_job(&world, Task::Unshare, images, &["a"]).await);
    let shared = queue_job(&world, Task::Share, images, &["a"]).await;
    let execute = async |job| {
        let work_items = world.open_work_items().await;
        let open = work_items.into_iter().find(|work_item| work_item.job == job).unwrap();
        usecases::execute(&world.service, open).await.unwrap();
    };
    execute(shared).await;
    let rejected = reject(rejected_at).await;
    execute(rejected).await;
    assert_eq!(
        (member_status(&world, &image, "a").await, reserved_gib(&world, "v").await),
        (Some(Status::Rejected), 0)
    );
    execute_and_get_outcomes(&world, unshared).await;
    assert_eq!(
        (member_status(&world, &image, "a").await, reserved_gib(&world, "v").await),
        (Some(Status::Pending), 0)
    );
    // Without trust, nothing is left of the acceptance before an unshare.
    unshare_and_execute(&world, images, &["a"]).await;
    share_and_execute(&world, images, &["a"]).await;
    assert_eq!(reserved_gib(&world, "v").await, 60);
    remove_policy(&world, "a").await;
    assert_eq!(reshare_before_late_unshare(&world, &image, "a").await, Outcome::Done);
    assert_eq!(
        (member_status(&world, &image, "a").await, reserved_gib(&world, "v").await),
        (Some(Status::Pending), 0)
    );
}

#[tokio::test]
async fn queued_share_is_decided_by_the_policy_when_it_is_executed() {
    let world = start_service(Limits::default());
    let images = [world.create_image("owner").await, world.create_image("owner").await];
    let job = queue_job(&world, Task::Share, &images, &["a", "b", "c"]).await;
    set_policy(&world, "a", Policy::Blocked).await;
    trust(&world, "b", None).await;
    let (blocked, done) = (Outcome::OwnerBlocked, Outcome::Done);
    assert_eq!(execute_and_get_outcomes(&world, job).await, [blocked, done, done, blocked, done, done]);
    for image in &images {
        let statuses = [
            member_status(&world, image, "a").await,
            member_status(&world, image, "b").await,
            member_status(&world, image, "c").await,
        ];
        assert_eq!(statuses, [None, Some(Status::Accepted), Some(Status::Pending)]);
    }
}

#[tokio::test]
async fn policies_are_limited_and_counted_exactly() {
    let world = start_service(Limits::default());
    let (me, store) = (caller("a"), &world.service.store);
    let key =
        |number: u32| OwnerPolicyKey { recipient: tenant("a"), owner: tenant(&format!("o-{number:04}")) };
    for number in 0..MAX_OWNER_POLICIES {
        let put = store.put_owner_policy(&key(number), &Policy::Blocked, Stamp::now()).await.unwrap();
        assert!(matches!(put, PutPolicyOutcome::Written(_)), "{number}");
    }
    let put = async |number| {
        usecases::put_owner_policy(&world.service, &me, key(number).owner, Policy::Blocked).await.map(drop)
    };
    assert_eq!(put(MAX_OWNER_POLICIES).await, Err(OwnerPolicyError::LimitReached(MAX_OWNER_POLICIES)));
    assert_eq!(put(0).await, Ok(()), "one that is there is changed");
    let delete = async || usecases::delete_owner_policy(&world.service, &me, key(7).owner).await;
    assert_eq!((delete().await, delete().await), (Ok(()), Ok(())));
    totals::assert_consistent(&world.embedded);
    assert_eq!((put(MAX_OWNER_POLICIES).await, put(7).await.is_err()), (Ok(()), true));
    let (blocked, more) =
        store.owner_policies(&tenant("a"), Some(PolicyKind::Blocked), None, 2000).await.unwrap();
    assert_eq!((blocked.len(), more), (MAX_OWNER_POLICIES as usize, false));
    let (trusted, more) =
        store.owner_policies(&tenant("a"), Some(PolicyKind::Trusted), None, 1).await.unwrap();
    assert_eq!((trusted.len(), more), (0, false));
    totals::assert_consistent(&world.embedded);
}

#[tokio::test]
async fn concurrent_changes_of_a_policy_are_counted_exactly() {
    let world = start_service(Limits::default());
    for _ in 0..20 {
        let changes: Vec<_> = (0..6)
            .map(|number| {
                let service = world.service.clone();
                tokio::spawn(async move {
                    let (me, owner) = (caller("a"), tenant("owner"));
                    if number % 2 == 0 {
                        usecases::put_owner_policy(&service, &me, owner, Policy::Blocked).await.map(drop)
                    } else {
                        usecases::delete_owner_policy(&service, &me, owner).await
                    }
                })
            })
            .collect();
        for change in changes {
            change.await.unwrap().unwrap();
        }
        totals::assert_consistent(&world.embedded);
    }
}
