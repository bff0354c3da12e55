//! What a page of a console reads besides its list.

use imageshare::domain::{Caller, DirectoryEntry, MemberView, Name, Role};
use imageshare::usecases;

use super::{Measurement, measurement, metered_service};
use crate::local_service::{LocalService, caller};

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
    let pending = usecases::pending_count(&service, recipient).await.expect("a count");
    assert_eq!(pending.count, 100);
    rows.push(measurement("number of 100 pending images", &service));
    rows
}
