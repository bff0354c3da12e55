//! What each call costs at the table. One measurement serves the benchmark, which prints it, and a test, which checks
//! it.

mod access_keys;
mod effects;
mod idle;
mod jobs;
mod lists;
mod memberships;
mod messages;
mod owner_policies;
mod pages;
mod share_rules;

use imageshare::App;
use imageshare::domain::{
    Caller, Details, DirectoryEntry, Image, ImageId, Limits, Name, PermissionChange, Protection,
    RecipientList, Role, Status, TenantId, TenantName, Timestamp, VaultDetails, VaultId, VaultStatus,
    Visibility,
};
use imageshare::store::{IdempotencyRequest, List, Store, Usage, WorkItemKey};
use imageshare::usecases::{self, DryRun, ImageQuery, IndexFilter, UseCaseError, VisibleImage};

use crate::local_service::{LocalService, caller, tenant};
use crate::priced_table::PricedTable;

/// One call and its cost.
pub struct Measurement {
    /// A description of the call.
    pub call: &'static str,
    /// What it used of the table.
    pub usage: Usage,
}

/// Makes each call once and returns its cost.
pub async fn measure_calls() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let mut rows = Vec::new();
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(typical_image(&world, "owner").await);
    }
    let owner = caller("owner");
    let tenants: Vec<_> = (0..100).map(|number| tenant(&format!("{number:032x}"))).collect();
    let recipient = caller(tenants[0].as_str());

    let service = metered_service(&world);
    let new = usecases::NewImage {
        id: None,
        owner: None,
        visibility: Visibility::Shared,
        details: typical_details(),
    };
    usecases::register_image(&service, &owner, new, None).await.expect("an image");
    rows.push(measurement("register an image", &service));

    let service = metered_service(&world);
    usecases::show_image(&service, &owner, &images[0]).await.expect("the image");
    rows.push(measurement("show an image", &service));

    let tag = |image: &mut Image| {
        image.details.tags.insert("more".to_owned());
        Ok::<_, UseCaseError>(())
    };
    for call in ["put a tag on an image", "put a tag on an image that has it"] {
        let service = metered_service(&world);
        usecases::update_image(&service, &owner, &images[0], tag).await.expect("tagged");
        rows.push(measurement(call, &service));
    }

    rows.extend(small_batch_calls(&world, &images[0], &typical_details(), &tenants).await);

    rows.extend(member_calls(&world, &typical_details()).await);

    let service = metered_service(&world);
    let job = usecases::share(&service, &owner, images.clone(), tenants.clone(), None).await.expect("a job");
    rows.push(measurement("share 100 images with 100 projects: request", &service));
    let work_item = world.open_work_items().await[0];
    rows.push(execute_work_item(&world, "… one of its 50 work items of 200 pairs", work_item).await);
    world.run_open_work().await;
    let service = metered_service(&world);
    usecases::job_status(&service, &owner, job).await.expect("the job");
    rows.push(measurement("show a job of 10,000 pairs", &service));

    for (call, lists) in [
        ("page of 100 pending images", vec![List::Received(tenants[1].clone(), Status::Pending)]),
        ("page of 100 own images", vec![List::Owned(tenant("owner"))]),
    ] {
        let service = metered_service(&world);
        let query = list_query(lists, 100);
        let page =
            usecases::list_images(&service, &caller(tenants[1].as_str()), query).await.expect("a page");
        assert_eq!(page.rows.len(), 100);
        rows.push(measurement(call, &service));
    }

    let service = metered_service(&world);
    let me = caller(tenants[1].as_str());
    let page = usecases::list_received(&service, &me, Status::Pending, None, 25).await.expect("a page");
    assert_eq!(page.items.len(), 25);
    rows.push(measurement("page of 25 pending images with their memberships", &service));

    let service = metered_service(&world);
    let page = usecases::list_members(&service, &owner, &images[0], None, 100).await.expect("a page");
    assert_eq!(page.items.len(), 100);
    rows.push(measurement("page of 100 members of an image", &service));
    rows.extend(lists::shown_with_lists(&world, &page.items, &caller(tenants[1].as_str())).await);

    rows.extend(memberships::measure().await);
    rows.extend(jobs::list_calls().await);
    rows.extend(permission_calls(&world).await);
    rows.extend(share_by_name_calls(&world).await);
    rows.extend(image_event_calls().await);
    rows.extend(key_and_vault_calls().await);
    rows.extend(lists::list_calls().await);
    rows.extend(share_rules::measure().await);
    rows.extend(access_keys::measure().await);

    let service = metered_service(&world);
    let query = list_query(vec![List::Owned(tenant("owner"))], 50);
    let found = usecases::find_images(&service, &owner, &images[..50], query);
    assert_eq!(found.await.expect("images").rows.len(), 50);
    rows.push(measurement("find 50 images by their ids", &service));

    let service = metered_service(&world);
    usecases::quota(&service, &recipient).await.expect("the quota");
    rows.push(measurement("quota", &service));

    let service = metered_service(&world);
    usecases::delete_image(&service, &owner, &images[1]).await.expect("deleted");
    rows.push(measurement("delete an image of 100 members: request", &service));
    rows.push(idle::measure_sweep().await);
    rows.extend(messages::message_calls().await);
    rows.extend(effects::effects_calls().await);
    rows.extend(pages::measure().await);
    rows
}

/// Binding a tenant to an account, and events of an AMI there.
async fn image_event_calls() -> Vec<Measurement> {
    const ACCOUNT: &str = "123456789012";
    let (world, mut rows) = (LocalService::start(Limits::default()), Vec::new());
    let service = metered_service(&world);
    let entry = DirectoryEntry {
        tenant: tenant("owner"),
        account: "acme".parse().expect("a name"),
        project: "web".parse().expect("a name"),
        region: "local".parse().expect("a region"),
        organization: "o-1".parse().ok(),
        cloud_account: ACCOUNT.parse().ok(),
    };
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    usecases::put_tenant(&service, &admin, &entry).await.expect("entered");
    rows.push(measurement("put a tenant with an organization and a cloud account", &service));
    let calls = [
        ("an AMI is available", usecases::CloudState::Available),
        ("… the same event again", usecases::CloudState::Available),
        ("… it is deregistered", usecases::CloudState::Gone),
    ];
    for (call, state) in calls {
        let service = metered_service(&world);
        let account = ACCOUNT.parse().expect("an account");
        let owner = service.store.tenant_of_cloud_account(&account).await.expect("the table").expect("bound");
        let event = usecases::CloudImage {
            id: ImageId::derived(ACCOUNT),
            state,
            at: Timestamp::from_unix_millis(1_800_000_000_000),
            visibility: Visibility::Shared,
            default_name: Some("ami-1".to_owned()),
            origin: [("ami_id".to_owned(), "ami-1".to_owned())].into(),
            details: None,
        };
        usecases::follow_cloud_image(&service, &owner, &event).await.expect("followed");
        rows.push(measurement(call, &service));
    }
    rows
}

/// The cost of sharing and deciding if the image's properties are as large as allowed.
pub async fn measure_with_large_images() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let tenants: Vec<_> = (0..100).map(|number| tenant(&format!("{number:032x}"))).collect();
    let details = max_size_details();
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(create_image(&world, "owner", details.clone()).await);
    }
    let mut rows = small_batch_calls(&world, &images[0], &details, &tenants).await;
    rows.extend(member_calls(&world, &details).await);
    let service = metered_service(&world);
    usecases::share(&service, &caller("owner"), images, tenants, None).await.expect("a job");
    let work_item = world.open_work_items().await[0];
    rows.push(execute_work_item(&world, "… one of its 50 work items of 200 pairs", work_item).await);
    rows
}

/// Batch requests of a few pairs, which are executed in the request.
async fn small_batch_calls(
    world: &LocalService,
    image: &ImageId,
    details: &Details,
    tenants: &[TenantId],
) -> Vec<Measurement> {
    let (owner, recipient, one) = (caller("owner"), caller(tenants[0].as_str()), vec![image.clone()]);
    let mut rows = Vec::new();
    let mut shared = None;
    let again = create_image(world, "owner", details.clone()).await;
    for (first, later, with) in [
        ("share 1 image with 1 project", "share 1 image with 1 project that received before", 0..1),
        ("share 1 image with 5 projects", "share 1 image with 5 projects that received before", 1..6),
    ] {
        let (service, recipients) = (metered_service(world), tenants[with].to_vec());
        let job = usecases::share(&service, &owner, one.clone(), recipients.clone(), None).await;
        shared = shared.or(Some(job.expect("a job")));
        rows.push(measurement(first, &service));
        let service = App { store: service.store.metered(), ..service };
        usecases::share(&service, &owner, vec![again.clone()], recipients, None).await.expect("a job");
        rows.push(measurement(later, &service));
    }

    let service = metered_service(world);
    usecases::job_status(&service, &owner, shared.expect("a job")).await.expect("the job");
    rows.push(measurement("show a job of 1 pair", &service));

    let service = metered_service(world);
    let request = IdempotencyRequest {
        tenant: tenant("owner"),
        key_digest: "k".repeat(64),
        request_digest: "r".repeat(64),
    };
    usecases::unshare(&service, &owner, one.clone(), tenants[1..2].to_vec(), Some(request))
        .await
        .expect("a job");
    rows.push(measurement("unshare 1 × 1 with an idempotency key", &service));
    let service = metered_service(world);
    usecases::unshare(&service, &owner, one.clone(), tenants[50..51].to_vec(), None).await.expect("a job");
    rows.push(measurement("unshare 1 × 1, no member", &service));

    let service = metered_service(world);
    let decision = (Status::Accepted, None);
    usecases::respond(&service, &recipient, tenants[0].clone(), one.clone(), decision, None)
        .await
        .expect("a job");
    rows.push(measurement("accept 1 image", &service));
    rows
}

/// Glance's calls, each of which changes one membership.
async fn member_calls(world: &LocalService, details: &Details) -> Vec<Measurement> {
    let mut rows = Vec::new();
    let (image, member) = (&create_image(world, "owner", details.clone()).await, tenant("mem1"));
    let service = metered_service(world);
    usecases::add_member(&service, &caller("owner"), image, &member, None).await.expect("a member");
    rows.push(measurement("Glance: add a member", &service));
    let again = &create_image(world, "owner", details.clone()).await;
    let service = App { store: service.store.metered(), ..service };
    usecases::add_member(&service, &caller("owner"), again, &member, None).await.expect("a member");
    rows.push(measurement("Glance: add a member, known to have received from this owner", &service));
    let service = metered_service(world);
    let decision = (Ok(Status::Accepted), None);
    usecases::decide_as_member(&service, &caller("mem1"), image, &member, decision).await.expect("a member");
    rows.push(measurement("Glance: accept", &service));
    let service = metered_service(world);
    usecases::remove_member(&service, &caller("owner"), image, &member).await.expect("removed");
    rows.push(measurement("Glance: remove a member", &service));
    rows
}

/// Alibaba's call, which changes several memberships at once.
async fn permission_calls(world: &LocalService) -> Vec<Measurement> {
    let mut rows = Vec::new();
    let fresh = world.create_image("owner").await;
    let accounts = |numbers: std::ops::Range<usize>| {
        numbers.map(|number| tenant(&format!("1182725234{number:05}"))).collect()
    };
    for (call, add, remove) in [
        ("Alibaba: share 1 image with 1 account", 0..1, 0..0),
        ("Alibaba: share 1 image with 10 accounts, unshare it from 10", 10..20, 20..30),
    ] {
        let service = metered_service(world);
        let change = PermissionChange::new(accounts(add), accounts(remove)).expect("others");
        usecases::change_permissions(&service, &caller("owner"), &fresh, &change, DryRun::Off)
            .await
            .expect("granted");
        rows.push(measurement(call, &service));
    }
    rows
}

/// Sharing with tenants by name.
async fn share_by_name_calls(world: &LocalService) -> Vec<Measurement> {
    let (image, admin) = (world.create_image("owner").await, Caller { role: Role::Admin, ..caller("ops") });
    let name = |text: String| -> Name { text.parse().expect("a name") };
    let mut accounts = Vec::new();
    let mut rows = Vec::new();
    for number in 0..100 {
        let (account, project) = (name(format!("account {number}")), name("web".to_owned()));
        let (tenant, region) = (tenant(&format!("named-{number}")), "local".parse().expect("a region"));
        let entry = DirectoryEntry {
            tenant,
            account: account.clone(),
            project: project.clone(),
            region,
            organization: None,
            cloud_account: None,
        };
        let service = metered_service(world);
        usecases::put_tenant(&service, &admin, &entry).await.expect("entered");
        if number == 0 {
            rows.push(measurement("put a tenant into the directory", &service));
        }
        accounts.push((number, TenantName { account, project: Some(project) }));
    }
    let service = metered_service(world);
    let one = TenantName { project: None, ..accounts[0].1.clone() };
    usecases::find_tenant(&service, &one).await.expect("a tenant");
    rows.push(measurement("find a tenant by its account", &service));
    for (call, accounts) in [
        ("share 1 image with 1 account by name", vec![(0, one)]),
        ("share 1 image with 1 account and project by name", accounts[1..2].to_vec()),
        ("share 1 image with 100 accounts and projects by name: request", accounts),
    ] {
        let service = metered_service(world);
        let tenants = RecipientList { projects: Vec::new(), accounts };
        usecases::share(&service, &caller("owner"), vec![image.clone()], tenants, None).await.expect("a job");
        rows.push(measurement(call, &service));
    }
    world.run_open_work().await;
    rows
}

/// Images that need more reads: a key grant, a vault; and one decision on everything that is pending.
async fn key_and_vault_calls() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let (owner, recipient) = (caller("owner"), caller("mem1"));
    let mut rows = Vec::new();
    let service = metered_service(&world);
    let (key, to) = ("key".parse().expect("an id"), recipient.tenant.clone());
    usecases::grant_key(&service, &owner, key, to).await.expect("granted");
    rows.push(measurement("grant a key", &service));

    let share = async |image| {
        usecases::share(&world.service, &owner, vec![image], vec![tenant("mem1")], None)
            .await
            .expect("a job");
    };
    let sealed = world.create_image_with("owner", &[("__system__cmkid", "key")]).await;
    let service = metered_service(&world);
    usecases::share(&service, &owner, vec![sealed], vec![tenant("mem1")], None).await.expect("a job");
    rows.push(measurement("share 1 encrypted image with 1 project", &service));

    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 100 };
    let service = metered_service(&world);
    let vault: VaultId = "vault".parse().expect("an id");
    usecases::put_vault(&service, &recipient, vault.clone(), &details).await.expect("a vault");
    rows.push(measurement("describe a vault", &service));
    let full_ecs = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "40")];
    let image = world.create_image_with("owner", &full_ecs).await;
    share(image.clone()).await;
    world.run_open_work().await;
    let decision = (Status::Accepted, Some(vault));
    let service = metered_service(&world);
    usecases::respond(&service, &recipient, tenant("mem1"), vec![image], decision, None)
        .await
        .expect("a job");
    rows.push(measurement("accept 1 full-ECS image", &service));

    rows.extend(owner_policies::calls().await);
    for _ in 0..99 {
        share(world.create_image("owner").await).await;
    }
    world.run_open_work().await;
    let service = metered_service(&world);
    let decision = (Status::Accepted, None);
    usecases::respond_to_all(&service, &recipient, tenant("mem1"), decision, None).await.expect("a job");
    rows.push(measurement("Accept All: request", &service));
    rows.push(execute_only_work_item(&world, "… its job, for 100 pending images").await);
    rows
}

/// Full pages of some lists.
fn list_query(lists: Vec<List>, most: usize) -> ImageQuery<fn(&VisibleImage) -> bool> {
    let (exact, sort) = (IndexFilter::default(), Vec::new());
    ImageQuery {
        lists,
        filter: |_| true,
        index_filter: exact,
        needs_member_counts: true,
        sort,
        after: None,
        limit: most,
    }
}

/// Properties of an image as IMS creates it: 29 properties and 3 tags, 1,295 bytes.
pub fn typical_details() -> Details {
    let property =
        |number: u32| (format!("__property_of_ims_{number:02}"), "a value of some length".to_owned());
    Details {
        name: Some("golden-2026-11".to_owned()),
        tags: ["golden", "2026-11", "linux"].map(str::to_owned).into(),
        properties: (0..29).map(property).collect(),
        ..Details::default()
    }
}

/// Properties as large as an image may have.
fn max_size_details() -> Details {
    let property = |number: u32| (format!("property_{number:02}"), "x".repeat(500));
    Details { properties: (0..32).map(property).collect(), ..Details::default() }
}

async fn typical_image(world: &LocalService, owner: &str) -> ImageId {
    create_image(world, owner, typical_details()).await
}

async fn create_image(world: &LocalService, owner: &str, details: Details) -> ImageId {
    let visibility = Visibility::Shared;
    let new = usecases::NewImage { id: None, owner: None, visibility, details };
    usecases::register_image(&world.service, &caller(owner), new, None).await.expect("an image").id
}

/// A process that starts, on the table as DynamoDB prices it.
fn metered_service(world: &LocalService) -> App {
    let store = Store::new(PricedTable::new(world.table.clone()), world.service.clock().clone());
    App { store, ..world.service.clone() }
}

fn measurement(call: &'static str, service: &App) -> Measurement {
    Measurement { call, usage: service.store.usage() }
}

async fn execute_only_work_item(world: &LocalService, call: &'static str) -> Measurement {
    let work_items = world.open_work_items().await;
    assert_eq!(work_items.len(), 1, "{call}");
    execute_work_item(world, call, work_items[0]).await
}

async fn execute_work_item(world: &LocalService, call: &'static str, work_item: WorkItemKey) -> Measurement {
    let service = metered_service(world);
    usecases::execute(&service, work_item).await.expect("executed");
    measurement(call, &service)
}
