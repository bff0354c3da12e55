//! What a list needs besides its rows: the names of the tenants on the other side, and the number of pending images.

use imageshare::App;
use imageshare::domain::{Audience, Caller, DirectoryEntry, ImageId, Limits, Role, Status, Visibility};
use imageshare::store::List;
use imageshare::usecases::{
    self, ImageQuery, IndexFilter, MembershipQuery, MembershipSide, NewImage, PendingCount, VisibleImage,
};
use imageshare_tests::local_service::{LocalService, caller, tenant};

/// A service whose directory has `own1` and `mem1`, but not `mem2`.
async fn start() -> LocalService {
    let world = LocalService::start(Limits::default());
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    for (id, account) in [("own1", "acme"), ("mem1", "Käse & Söhne")] {
        let entry = DirectoryEntry {
            tenant: tenant(id),
            account: account.parse().unwrap(),
            project: "web".parse().unwrap(),
            region: "local".parse().unwrap(),
            organization: "o-1".parse().ok(),
            cloud_account: None,
        };
        usecases::put_tenant(&world.service, &admin, &entry).await.unwrap();
    }
    world
}

async fn share(world: &LocalService, images: &[ImageId], tenants: &[&str]) {
    let tenants: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
    usecases::share(&world.service, &caller("own1"), images.to_vec(), tenants, None).await.unwrap();
    world.run_open_work().await;
}

async fn list(world: &LocalService, tenant: &str, lists: Vec<List>) -> Vec<VisibleImage> {
    let query = ImageQuery {
        lists,
        filter: |_: &VisibleImage| true,
        index_filter: IndexFilter::default(),
        needs_member_counts: false,
        sort: Vec::new(),
        after: None,
        limit: 10,
    };
    let page = usecases::list_images(&world.service, &caller(tenant), query).await.unwrap();
    page.rows.into_iter().map(|row| row.visible).collect()
}

/// The tenants whose names the rows show, each with its account, in the order of their ids.
async fn names<'a, R: MembershipSide + 'a>(
    world: &LocalService,
    rows: impl IntoIterator<Item = &'a R>,
) -> Vec<(String, String)> {
    let found = usecases::names_of(&world.service, rows).await.unwrap();
    let mut names: Vec<_> =
        found.into_iter().map(|(id, names)| (id.to_string(), names.account.to_string())).collect();
    names.sort();
    names
}

fn named(id: &str, account: &str) -> (String, String) {
    (id.to_owned(), account.to_owned())
}

#[tokio::test]
async fn both_sides_of_a_membership_see_the_others_names() {
    let world = start().await;
    let image = world.create_image("own1").await;
    share(&world, std::slice::from_ref(&image), &["mem1", "mem2"]).await;

    let members =
        usecases::list_members(&world.service, &caller("own1"), &image, None, 10).await.unwrap().items;
    assert_eq!(members.len(), 2);
    assert_eq!(names(&world, &members).await, [named("mem1", "Käse & Söhne")]);

    let received = list(&world, "mem2", vec![List::Received(tenant("mem2"), Status::Pending)]).await;
    assert_eq!(received.len(), 1);
    assert_eq!(names(&world, &received).await, [named("own1", "acme")]);

    let query = MembershipQuery {
        project: tenant("mem1"),
        side: Audience::Recipient,
        images: None,
        counterparts: None,
        statuses: [Status::Pending].into(),
    };
    let rows = usecases::query_memberships(&world.service, &caller("mem1"), &query, None, 10).await.unwrap();
    assert_eq!(names(&world, &rows.items).await, [named("mem1", "Käse & Söhne"), named("own1", "acme")]);
}

#[tokio::test]
async fn job_names_only_the_tenants_that_it_reached() {
    let world = start().await;
    let image = world.create_image("own1").await;
    let (owner, tenants) = (caller("own1"), vec![tenant("mem1")]);
    let job = usecases::unshare(&world.service, &owner, vec![image.clone()], tenants.clone(), None).await;
    let results = async |job| {
        world.run_open_work().await;
        let report = usecases::job_status(&world.service, &owner, job).await.unwrap();
        let results: Vec<_> = report.results().collect();
        assert_eq!(results.len(), 1);
        names(&world, &results).await
    };
    // It was no member.
    assert_eq!(results(job.unwrap()).await, []);
    let job = usecases::share(&world.service, &owner, vec![image.clone()], tenants.clone(), None).await;
    assert_eq!(results(job.unwrap()).await, [named("mem1", "Käse & Söhne")]);
    let job = usecases::unshare(&world.service, &owner, vec![image], tenants, None).await;
    assert_eq!(results(job.unwrap()).await, [named("mem1", "Käse & Söhne")]);
}

#[tokio::test]
async fn owner_of_a_public_image_is_no_counterpart() {
    let world = start().await;
    let details = imageshare::domain::Details::default();
    let new = NewImage { id: None, owner: None, visibility: Visibility::Community, details };
    usecases::register_image(&world.service, &caller("own1"), new, None).await.unwrap();
    let open = list(&world, "mem1", vec![List::Open(Visibility::Community)]).await;
    assert_eq!((open.len(), names(&world, &open).await), (1, Vec::new()));
}

#[tokio::test]
async fn own_decision_and_new_shares_are_counted_at_once() {
    let world = start().await;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(world.create_image("own1").await);
    }
    let me = caller("mem1");
    let count = async || {
        let service = App { store: world.service.store.metered(), ..world.service.clone() };
        let PendingCount { count, is_more } = usecases::pending_count(&service, &me, 10).await.unwrap();
        assert!(!is_more);
        (count, service.store.usage().round_trips)
    };
    assert_eq!(count().await, (0, 1));
    // A share counts the inbox of its recipient. From then on, the count is cached.
    share(&world, &images, &["mem1"]).await;
    assert_eq!(count().await, (3, 0));
    let decision = (Status::Rejected, None);
    usecases::respond(&world.service, &me, me.tenant.clone(), vec![images[0].clone()], decision, None)
        .await
        .unwrap();
    assert_eq!(count().await, (2, 0));
    usecases::unshare(&world.service, &caller("own1"), images, vec![me.tenant.clone()], None).await.unwrap();
    assert_eq!(count().await, (0, 0));
}
