//! The access rule, cell by cell: every action of every caller on every image and membership.

use super::*;
use crate::domain::{Details, JobId, Role, Stamp, Task, Timestamp};

/// The relation of the caller to the image. Requests name the membership of `mem1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Owner,
    /// `mem1`.
    Member,
    OtherMember,
    Stranger,
}

use Relation::{Member, OtherMember, Owner, Stranger};
use Visibility::{Community, Private, Public, Shared};

const RELATIONS: [Relation; 4] = [Owner, Member, OtherMember, Stranger];
const ADMIN: &[Role] = &[Role::Admin];
const MEMBER: &[Role] = &[Role::Member];
const READER: &[Role] = &[Role::Reader];
const NO_ADMIN: &[Role] = &[Role::Reader, Role::Member];
const NOT_SHARED: &[Visibility] = &[Private, Community, Public];

/// The columns of the table; the actions of a column have the same results.
const COLUMNS: [&[&str]; 7] = [
    &["view"],
    &["update", "delete", "share", "unshare"],
    &["list members"],
    &["add member"],
    &["view member"],
    &["remove member"],
    &["decide"],
];

/// The results: `ok`, or `i` image not found, `s` not shared, `m` member not found, `o` not the owner, `r` read only,
/// `p` another project.
type Cells = [&'static str; 7];

/// The visibilities, relations and roles that have the same results.
type Row = (&'static [Visibility], &'static [Relation], &'static [Role], Cells);

/// The rule. Cells that Glance has, too, are as measured there (`contract/glance.md` 2.4).
#[rustfmt::skip]
const TABLE: [Row; 12] = [
    // visibility         relation                          role      view  change list  add   view  remove decide
    (&[Shared],            &RELATIONS,                       ADMIN,    ["ok", "ok", "ok", "ok", "ok", "ok", "ok"]),
    (&[Shared],            &[Owner],                         MEMBER,   ["ok", "ok", "ok", "ok", "ok", "ok", "p"]),
    (&[Shared],            &[Owner],                         READER,   ["ok", "r",  "ok", "r",  "ok", "r",  "r"]),
    (&[Shared],            &[Member],                        MEMBER,   ["ok", "o",  "ok", "o",  "ok", "o",  "ok"]),
    (&[Shared],            &[Member],                        READER,   ["ok", "o",  "ok", "o",  "ok", "o",  "r"]),
    (&[Shared],            &[OtherMember],                   NO_ADMIN, ["ok", "o",  "ok", "o",  "m",  "m",  "m"]),
    (&[Shared],            &[Stranger],                      NO_ADMIN, ["i",  "i",  "i",  "i",  "i",  "i",  "i"]),
    (NOT_SHARED,           &RELATIONS,                       ADMIN,    ["ok", "ok", "s",  "s",  "s",  "s",  "s"]),
    (NOT_SHARED,           &[Owner],                         MEMBER,   ["ok", "ok", "s",  "s",  "s",  "s",  "s"]),
    (NOT_SHARED,           &[Owner],                         READER,   ["ok", "r",  "s",  "s",  "s",  "s",  "s"]),
    (&[Private],           &[Member, OtherMember, Stranger], NO_ADMIN, ["i",  "i",  "i",  "i",  "i",  "i",  "i"]),
    (&[Community, Public], &[Member, OtherMember, Stranger], NO_ADMIN, ["ok", "o",  "s",  "s",  "s",  "s",  "s"]),
];

fn expected(visibility: Visibility, relation: Relation, role: Role) -> Cells {
    let applies = |(visibilities, relations, roles, _): &&Row| {
        visibilities.contains(&visibility) && relations.contains(&relation) && roles.contains(&role)
    };
    let rows: Vec<_> = TABLE.iter().filter(applies).collect();
    assert_eq!(rows.len(), 1, "{visibility} image, {relation:?} as {role:?}");
    rows[0].3
}

fn action<'a>(name: &str, named: NamedMembership<'a>) -> ImageAction<'a> {
    match name {
        "view" => ImageAction::View,
        "update" => ImageAction::Update,
        "delete" => ImageAction::Delete,
        "share" => ImageAction::Share,
        "unshare" => ImageAction::Unshare,
        "list members" => ImageAction::ListMembers,
        "add member" => ImageAction::AddMember,
        "view member" => ImageAction::ViewMember(named),
        "remove member" => ImageAction::RemoveMember(named),
        "decide" => ImageAction::Decide(named),
        other => panic!("{other} is not an action"),
    }
}

fn cell(result: Result<Image, Denied>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Denied::ImageNotFound(_)) => "i",
        Err(Denied::NotShared(_)) => "s",
        Err(Denied::MemberNotFound { .. }) => "m",
        Err(Denied::NotOwner(_)) => "o",
        Err(Denied::ReadOnly) => "r",
        Err(Denied::ProjectMismatch { .. }) => "p",
        Err(other @ (Denied::AdminOnly(_) | Denied::JobNotFound)) => panic!("{other}"),
    }
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn caller(project: &str, role: Role) -> Caller {
    Caller { tenant: tenant(project), account: None, user: None, access_key: None, role }
}

fn image(visibility: Visibility) -> Image {
    Image {
        id: "image".parse().unwrap(),
        owner: tenant("own1"),
        visibility,
        details: Details::default(),
        created: Timestamp::from_unix_millis(0),
        updated: Timestamp::from_unix_millis(0),
        revision: 1,
    }
}

/// The statuses that the caller's membership and the named one may have together.
fn statuses(relation: Relation) -> Vec<(Option<Status>, Option<Status>)> {
    let some = Status::ALL.map(Some);
    let any = [&[None], some.as_slice()].concat();
    match relation {
        Member => some.map(|status| (status, status)).to_vec(),
        OtherMember => some.iter().flat_map(|own| any.iter().map(|named| (*own, *named))).collect(),
        Owner | Stranger => any.into_iter().map(|named| (None, named)).collect(),
    }
}

#[test]
fn every_action_matches_the_access_table() {
    let mem1 = tenant("mem1");
    for visibility in Visibility::ALL {
        for relation in RELATIONS {
            let project = match relation {
                Owner => "own1",
                Member => "mem1",
                OtherMember => "mem2",
                Stranger => "str1",
            };
            for role in [Role::Reader, Role::Member, Role::Admin] {
                let cells = COLUMNS.iter().zip(expected(visibility, relation, role));
                for (name, wanted) in
                    cells.flat_map(|(names, cell)| names.iter().map(move |name| (*name, cell)))
                {
                    for (own, status) in statuses(relation) {
                        let action = action(name, NamedMembership { tenant: &mem1, status });
                        let names_a_membership = ["view member", "remove member", "decide"].contains(&name);
                        // The named membership does not exist.
                        let missing = names_a_membership && status.is_none() && !["i", "s"].contains(&wanted);
                        let result = Unauthorized::new(image(visibility)).authorize(
                            &caller(project, role),
                            own,
                            action,
                        );
                        assert_eq!(
                            cell(result),
                            if missing { "m" } else { wanted },
                            "{visibility} image, {name} by {relation:?} as {role:?}, {own:?} {status:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn own_membership_is_read_only_if_visibility_depends_on_it() {
    for visibility in Visibility::ALL {
        for project in ["own1", "mem1"] {
            for role in [Role::Reader, Role::Member, Role::Admin] {
                let caller = caller(project, role);
                let image = Unauthorized::new(image(visibility));
                let seen = |own| image.clone().authorize(&caller, own, ImageAction::View).is_ok();
                let differs = seen(None) != seen(Some(Status::Rejected));
                assert_eq!(image.depends_on_membership(&caller), differs, "{visibility} {project} {role:?}");
            }
        }
    }
}

#[test]
fn only_owner_and_admin_see_all_members() {
    let sees_all = |project, role| sees_all_members(&caller(project, role), &image(Shared));
    assert!(sees_all("own1", Role::Reader) && sees_all("str1", Role::Admin));
    assert!(!sees_all("mem1", Role::Member));
}

#[test]
fn only_an_admin_makes_an_image_public() {
    for role in [Role::Reader, Role::Member, Role::Admin] {
        for visibility in Visibility::ALL {
            let allowed = role == Role::Admin || visibility != Public;
            assert_eq!(authorize_visibility(&caller("own1", role), visibility).is_ok(), allowed);
        }
    }
}

#[test]
fn write_requires_own_project_and_member_role() {
    let write = |project, role| authorize_write_for(&caller(project, role), &tenant("own1"));
    let mismatch = Denied::ProjectMismatch { acting: tenant("str1"), named: tenant("own1") };
    assert_eq!(write("own1", Role::Reader), Err(Denied::ReadOnly));
    assert_eq!(write("str1", Role::Reader), Err(Denied::ReadOnly), "the role is checked first");
    assert_eq!(write("own1", Role::Member), Ok(()));
    assert_eq!(write("str1", Role::Member), Err(mismatch));
    assert_eq!(write("str1", Role::Admin), Ok(()));
}

#[test]
fn own_project_is_changed_by_members_and_seen_by_readers() {
    let mismatch = Denied::ProjectMismatch { acting: tenant("str1"), named: tenant("own1") };
    for (role, write, own, other, admin) in [
        (
            Role::Reader,
            Err(Denied::ReadOnly),
            Ok(()),
            Err(mismatch.clone()),
            Err(Denied::AdminOnly(Role::Reader)),
        ),
        (Role::Member, Ok(()), Ok(()), Err(mismatch), Err(Denied::AdminOnly(Role::Member))),
        (Role::Admin, Ok(()), Ok(()), Ok(()), Ok(())),
    ] {
        assert_eq!(authorize_write(&caller("own1", role)), write, "{role:?}");
        assert_eq!(authorize_project(&caller("own1", role), &tenant("own1")), own, "{role:?}");
        assert_eq!(authorize_project(&caller("str1", role), &tenant("own1")), other, "{role:?}");
        assert_eq!(authorize_admin(&caller("own1", role)), admin, "{role:?}");
    }
}

#[test]
fn token_is_revoked_by_itself_or_its_project_not_above_its_role() {
    let mismatch = || Err(Denied::ProjectMismatch { acting: tenant("str1"), named: tenant("own1") });
    // The project and role of the caller, and the role of the token, which is of `own1`.
    for (project, role, bearer, wanted) in [
        ("own1", Role::Reader, Role::Reader, Ok(())),
        ("own1", Role::Reader, Role::Member, Err(Denied::ReadOnly)),
        ("own1", Role::Member, Role::Reader, Ok(())),
        ("own1", Role::Member, Role::Member, Ok(())),
        ("own1", Role::Member, Role::Admin, Err(Denied::AdminOnly(Role::Member))),
        ("own1", Role::Admin, Role::Admin, Ok(())),
        ("str1", Role::Reader, Role::Reader, Err(Denied::ReadOnly)),
        ("str1", Role::Member, Role::Reader, mismatch()),
        ("str1", Role::Admin, Role::Admin, Ok(())),
    ] {
        let result = authorize_revocation(&caller(project, role), &caller("own1", bearer));
        assert_eq!(result, wanted, "{project} {role:?} revokes {bearer:?}");
    }
    let other_user = Caller { user: Some("other".to_owned()), ..caller("own1", Role::Reader) };
    let result = authorize_revocation(&caller("own1", Role::Reader), &other_user);
    assert_eq!(result, Err(Denied::ReadOnly), "another reader of the project");
}

#[test]
fn job_path_names_the_callers_project_unless_it_is_an_admin() {
    for (project, role, allowed) in [
        ("own1", Role::Reader, true),
        ("str1", Role::Member, false),
        ("not an id", Role::Member, false),
        ("str1", Role::Admin, true),
        ("not an id", Role::Admin, true),
    ] {
        let wanted = if allowed { Ok(()) } else { Err(Denied::JobNotFound) };
        assert_eq!(authorize_job_path(&caller("own1", role), project), wanted, "{project} {role:?}");
    }
}

#[test]
fn job_is_readable_by_its_creator_and_admins_only() {
    let job = Job {
        id: JobId(Stamp::now()),
        creator: tenant("own1"),
        task: Task::Share,
        images: vec!["image".parse().unwrap()],
        tenants: vec![tenant("mem1")],
        accepted_at: Timestamp::from_unix_millis(0),
        queues: Vec::new(),
        may_repeat: false,
    };
    for (project, role, allowed) in [
        ("own1", Role::Reader, true),
        ("own1", Role::Member, true),
        ("mem1", Role::Member, false),
        ("mem1", Role::Admin, true),
    ] {
        let wanted = if allowed { Ok(()) } else { Err(Denied::JobNotFound) };
        assert_eq!(authorize_job_view(&caller(project, role), &job), wanted, "{project} {role:?}");
    }
}
