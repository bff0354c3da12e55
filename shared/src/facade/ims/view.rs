//! Which images a list is of: the caller's own, those it has received, the public ones (seed 001, `contract/ims.md` 1.5,
//! `contract/decisions.md` 1 and 17).
//!
//! To IMS every image is of one [`ImageClass`], which `__imagetype` and `visibility` both name. Community images, which only
//! Glance knows, are of none and stand in no list.

use crate::domain::{Caller, ID_FORMAT, Status, TenantId, Visibility};
use crate::http::{ApiError, Query};
use crate::store::List;
use crate::usecases::{ListReason, VisibleImage};

/// What sort of image IMS takes an image for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageClass {
    /// Everybody has it.
    Public,
    /// The caller's own, shared with nobody.
    Private,
    /// The caller's own and shared with others, or another's and shared with the caller.
    Shared,
}

impl ImageClass {
    /// The class of an image in a list; a community image has none.
    pub(super) fn classify(seen: &VisibleImage) -> Option<Self> {
        match (seen.image.visibility, seen.reason) {
            (Visibility::Community, _) => None,
            (Visibility::Public, _) => Some(Self::Public),
            (_, ListReason::Received(_)) => Some(Self::Shared),
            (Visibility::Shared, _) if seen.members > 0 => Some(Self::Shared),
            (Visibility::Shared | Visibility::Private, _) => Some(Self::Private),
        }
    }

    /// The class as `__imagetype` has it.
    pub(super) fn image_type(self) -> &'static str {
        match self {
            Self::Public => "gold",
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }

    /// The class as `visibility` has it.
    pub(super) fn visibility(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }
}

/// Of which class the wanted images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClassFilter {
    Any,
    Only(ImageClass),
    Empty,
}

impl ClassFilter {
    fn intersect(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, wanted) | (wanted, Self::Any) => wanted,
            (one, two) if one == two => one,
            _ => Self::Empty,
        }
    }
}

/// The four parameters that choose among the lists.
#[derive(Debug)]
pub(super) struct View {
    class: ClassFilter,
    member_status: Option<Status>,
    owner: Option<TenantId>,
}

impl View {
    pub(super) fn parse(query: &Query) -> Result<Self, ApiError> {
        let [public, private, shared] =
            [ImageClass::Public, ImageClass::Private, ImageClass::Shared].map(ClassFilter::Only);
        let types =
            [("gold", public), ("private", private), ("shared", shared), ("market", ClassFilter::Empty)];
        let visibilities = [("public", public), ("private", private), ("shared", shared)];
        let image_type = query.one_of("__imagetype", &types)?.unwrap_or(ClassFilter::Any);
        let visibility = query.one_of("visibility", &visibilities)?.unwrap_or(ClassFilter::Any);
        let statuses = Status::ALL.map(|status| (status.as_str(), status));
        Ok(Self {
            class: image_type.intersect(visibility),
            member_status: query.one_of("member_status", &statuses)?,
            owner: query.parse_value("owner", ID_FORMAT)?,
        })
    }

    /// The lists to merge. They may hold more than is wanted: see [`View::includes`].
    ///
    /// A member status is something that only a received image has, so it leaves out all others.
    pub(super) fn lists(&self, caller: &Caller) -> Vec<List> {
        let me = &caller.tenant;
        let incoming = |status| List::Received(me.clone(), status);
        let may_be = |class| self.class == ClassFilter::Any || self.class == ClassFilter::Only(class);
        if self.class == ClassFilter::Empty {
            return Vec::new();
        }
        match (self.member_status, &self.owner) {
            (Some(_), Some(owner)) if owner == me => Vec::new(),
            (Some(status), _) if may_be(ImageClass::Shared) => vec![incoming(status)],
            (Some(_), _) => Vec::new(),
            (None, Some(owner)) if caller.can_read_for(owner) => vec![List::Owned(owner.clone())],
            (None, owner) => {
                let own = owner.is_none() && self.class != ClassFilter::Only(ImageClass::Public);
                let lists = [
                    own.then(|| List::Owned(me.clone())),
                    may_be(ImageClass::Shared).then(|| incoming(Status::Accepted)),
                    may_be(ImageClass::Public).then_some(List::Open(Visibility::Public)),
                ];
                lists.into_iter().flatten().collect()
            }
        }
    }

    /// The owner of all images that are wanted, where one is named.
    pub(super) fn owner(&self) -> Option<TenantId> {
        self.owner.clone()
    }

    /// Whether an image of the lists is wanted.
    pub(super) fn includes(&self, seen: &VisibleImage) -> bool {
        let of_class = match self.class {
            ClassFilter::Any => ImageClass::classify(seen).is_some(),
            ClassFilter::Only(class) => ImageClass::classify(seen) == Some(class),
            ClassFilter::Empty => false,
        };
        of_class && self.owner.as_ref().is_none_or(|owner| seen.image.owner == *owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Image, Role};
    use crate::http::fixtures;

    fn lists_for(role: Role, query: &str) -> String {
        let caller =
            Caller { tenant: "me".parse().unwrap(), account: None, user: None, access_key: None, role };
        let lists = View::parse(&Query::parse(query).unwrap()).unwrap().lists(&caller);
        lists.iter().map(List::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ims_query_selects_the_expected_lists() {
        let table = [
            ("", "O#me T#me#accepted L#public"),
            ("__imagetype=gold", "L#public"),
            ("visibility=public", "L#public"),
            ("__imagetype=gold&visibility=public", "L#public"),
            ("__imagetype=private", "O#me"),
            ("visibility=private", "O#me"),
            ("visibility=shared", "O#me T#me#accepted"),
            ("__imagetype=shared", "O#me T#me#accepted"),
            ("__imagetype=shared&visibility=shared&member_status=pending", "T#me#pending"),
            ("__imagetype=shared&visibility=shared&member_status=accepted", "T#me#accepted"),
            ("__imagetype=shared&visibility=shared&member_status=rejected", "T#me#rejected"),
            ("visibility=shared&member_status=rejected", "T#me#rejected"),
            ("member_status=pending", "T#me#pending"),
            ("__imagetype=market", ""),
            ("__imagetype=gold&visibility=private", ""),
            ("__imagetype=private&member_status=accepted", ""),
            ("visibility=public&member_status=accepted", ""),
            ("owner=me", "O#me"),
            ("owner=me&visibility=shared", "O#me"),
            ("owner=me&visibility=public", "O#me"),
            ("owner=me&visibility=shared&member_status=accepted", ""),
            ("owner=other", "T#me#accepted L#public"),
            ("owner=other&visibility=shared", "T#me#accepted"),
            ("owner=other&visibility=private", ""),
            ("owner=other&visibility=public", "L#public"),
            ("owner=other&visibility=shared&member_status=pending", "T#me#pending"),
        ];
        for (query, expected) in table {
            assert_eq!(lists_for(Role::Member, query), expected, "{query}");
        }
        assert_eq!(lists_for(Role::Admin, "owner=other"), "O#other");
        assert_eq!(lists_for(Role::Admin, "owner=other&member_status=pending"), "T#me#pending");
    }

    #[test]
    fn invalid_ims_view_value_is_rejected() {
        for (query, named) in [
            ("__imagetype=Gold", "__imagetype: expected one of gold, private, shared, market."),
            ("visibility=community", "visibility: expected one of public, private, shared."),
            ("member_status=", "member_status: expected one of pending, accepted, rejected."),
            ("owner=a%2Fb", "owner: expected 1 to 64 characters"),
        ] {
            let refused = format!("{:?}", View::parse(&Query::parse(query).unwrap()).unwrap_err());
            assert!(refused.contains(named), "{refused}");
        }
    }

    fn seen(visibility: Visibility, members: u32, shown: ListReason) -> VisibleImage {
        let image = Image { owner: "other".parse().unwrap(), visibility, ..fixtures::image(&[]) };
        VisibleImage { image, reason: shown, members }
    }

    #[test]
    fn image_class_depends_on_the_caller() {
        use Visibility as V;
        let accepted = ListReason::Received(Status::Accepted);
        let table = [
            (seen(V::Public, 0, ListReason::Open), Some("gold")),
            (seen(V::Public, 2, ListReason::Owned), Some("gold")),
            (seen(V::Shared, 1, accepted), Some("shared")),
            (seen(V::Shared, 1, ListReason::Owned), Some("shared")),
            (seen(V::Shared, 0, ListReason::Owned), Some("private")),
            (seen(V::Private, 1, ListReason::Owned), Some("private")),
            (seen(V::Community, 0, ListReason::Owned), None),
        ];
        for (seen, expected) in table {
            assert_eq!(ImageClass::classify(&seen).map(ImageClass::image_type), expected, "{seen:?}");
        }
    }

    #[test]
    fn ims_view_excludes_unrequested_images() {
        let shows = |query: &str, seen: &VisibleImage| {
            View::parse(&Query::parse(query).unwrap()).unwrap().includes(seen)
        };
        let shared = seen(Visibility::Shared, 1, ListReason::Owned);
        assert!(shows("", &shared) && shows("visibility=shared", &shared));
        assert!(!shows("visibility=private", &shared) && !shows("__imagetype=gold", &shared));
        assert!(shows("owner=other", &shared) && !shows("owner=me", &shared));
        assert!(!shows("", &seen(Visibility::Community, 0, ListReason::Owned)));
    }
}
