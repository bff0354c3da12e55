//! What lists of images cost, and what a page shows besides its list.

use imageshare::domain::{
    Caller, Details, DirectoryEntry, Image, Limits, MemberView, Name, Role, Status, Visibility,
};
use imageshare::store::List;
use imageshare::usecases::{self, Direction, ImageQuery, IndexFilter, SortKey, UseCaseError};

use super::{Measurement, execute_only_work_item, list_query, measurement, metered_service};
use crate::local_service::{LocalService, caller, tenant};

/// The names of 100 members of an image, and the number of images that are pending for one of them.
pub(super) async fn shown_with_lists(
    world: &LocalService,
    members: &[MemberView],
    recipient: &Caller,
) -> Vec<Measurement> {
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    let name = |text: String| -> Name { text.parse().expect("a name") };
    for (number, member) in members.iter().enumerate() {
        let entry = DirectoryEntry {
            tenant: member.tenant.clone(),
            account: name(format!("recipient {number}")),
            project: name("web".to_owned()),
            region: "local".parse().expect("a region"),
            organization: None,
            cloud_account: None,
        };
        usecases::put_tenant(&world.service, &admin, &entry).await.expect("entered");
    }
    let service = metered_service(world);
    let names = usecases::names_of(&service, members).await.expect("names");
    assert_eq!(names.len(), members.len());
    let mut rows = vec![measurement("names of 100 members of an image", &service)];
    let service = metered_service(world);
    let pending =
        usecases::pending_count(&service, recipient, usecases::MAX_BRIEF_COUNT).await.expect("a count");
    assert_eq!(pending.count, 100);
    rows.push(measurement("number of 100 pending images", &service));
    rows
}

/// Lists by name and by update, and searches in them, for a tenant that has received 200 images and owns none.
pub(super) async fn list_calls() -> Vec<Measurement> {
    let world = LocalService::start(Limits { pending_per_owner: 200, ..Limits::default() });
    let (owner, me) = (caller("owner"), caller("mem1"));
    let mut images = Vec::new();
    for number in 0..200 {
        let details = Details {
            name: Some(format!("image-{number:03}")),
            tags: [format!("tag-{number}")].into(),
            ..Details::default()
        };
        let new = usecases::NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
        images.push(usecases::register_image(&world.service, &owner, new, None).await.expect("an image").id);
    }
    for images in images.chunks(100) {
        let to = vec![me.tenant.clone()];
        usecases::share(&world.service, &owner, images.to_vec(), to, None).await.expect("a job");
        world.run_open_work().await;
    }
    let decision = (Status::Accepted, None);
    usecases::respond_to_all(&world.service, &me, me.tenant.clone(), decision, None).await.expect("a job");
    world.run_open_work().await;
    let mut rows = Vec::new();
    let service = metered_service(&world);
    let rename = |image: &mut Image| {
        image.details.name = Some("renamed".to_owned());
        Ok::<_, UseCaseError>(())
    };
    usecases::update_image(&service, &owner, &images[0], rename).await.expect("renamed");
    rows.push(measurement("rename an image of 1 member: request", &service));
    rows.push(execute_only_work_item(&world, "… its job").await);

    let lists = || {
        let accepted = List::Received(me.tenant.clone(), Status::Accepted);
        list_query(vec![List::Owned(me.tenant.clone()), accepted, List::Open(Visibility::Public)], 100)
    };
    let by = |key| vec![(key, Direction::Descending)];
    let exact = |names: &[&str], tags: &[&str], owner: Option<&str>| IndexFilter {
        names: (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        owner: owner.map(tenant),
    };
    for (call, found, query) in [
        ("page of 100 images by name", 100, ImageQuery { sort: by(SortKey::Name), ..lists() }),
        ("page of 100 images by update time", 100, ImageQuery { sort: by(SortKey::UpdatedAt), ..lists() }),
        (
            "find an image by its name",
            1,
            ImageQuery { index_filter: exact(&["renamed"], &[], None), ..lists() },
        ),
        ("find an image by a tag", 1, ImageQuery { index_filter: exact(&[], &["tag-7"], None), ..lists() }),
        (
            "page of 100 images of an owner",
            100,
            ImageQuery { index_filter: exact(&[], &[], Some("owner")), ..lists() },
        ),
    ] {
        let service = metered_service(&world);
        let page = usecases::list_images(&service, &me, query).await.expect("a page");
        assert_eq!(page.rows.len(), found, "{call}");
        rows.push(measurement(call, &service));
    }
    rows
}
