//! The lists that a request selects: the caller's own images, those shared with it, the public ones (seed 001,
//! `contract/ims.md` 1.5, `contract/decisions.md` 1 and 17).
//!
//! In IMS every image has one [`ImageClass`], which `__imagetype` and `visibility` both name. Only Glance has community
//! images: they have no class and are in no IMS list.

use crate::domain::{Caller, ID_FORMAT, Status, TenantId, Visibility, authorize_project};
use crate::http::{ApiError, Query};
use crate::store::List;
use crate::usecases::{ListReason, VisibleImage};

/// The kind of an image in IMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageClass {
    /// Visible to every tenant.
    Public,
    /// The caller's own, and not shared.
    Private,
    /// The caller's own and shared, or another tenant's that is shared with the caller.
    Shared,
}

impl ImageClass {
    /// The class of a listed image. `None` for a community image.
    pub(super) fn classify(visible: &VisibleImage) -> Option<Self> {
        match (visible.image.visibility, visible.reason) {
            (Visibility::Community, _) => None,
            (Visibility::Public, _) => Some(Self::Public),
            (_, ListReason::Received(_)) => Some(Self::Shared),
            (Visibility::Shared, _) if visible.members > 0 => Some(Self::Shared),
            (Visibility::Shared | Visibility::Private, _) => Some(Self::Private),
        }
    }

    /// The value of `__imagetype`.
    pub(super) fn image_type(self) -> &'static str {
        match self {
            Self::Public => "gold",
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }

    /// The value of `visibility`.
    pub(super) fn visibility(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }
}

/// The requested class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClassFilter {
    Any,
    Only(ImageClass),
    Empty,
}

impl ClassFilter {
    fn intersect(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, class) | (class, Self::Any) => class,
            (one, two) if one == two => one,
            _ => Self::Empty,
        }
    }
}

/// The four parameters that select lists.
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

    /// The lists to merge. They may contain more than is requested: see [`View::includes`].
    ///
    /// Only received images have a member status, so a filter by it leaves out all others.
    pub(super) fn lists(&self, caller: &Caller) -> Vec<List> {
        let me = &caller.tenant;
        let received = |status| List::Received(me.clone(), status);
        let may_have = |class| self.class == ClassFilter::Any || self.class == ClassFilter::Only(class);
        if self.class == ClassFilter::Empty {
            return Vec::new();
        }
        match (self.member_status, &self.owner) {
            (Some(_), Some(owner)) if owner == me => Vec::new(),
            (Some(status), _) if may_have(ImageClass::Shared) => vec![received(status)],
            (Some(_), _) => Vec::new(),
            (None, Some(owner)) if authorize_project(caller, owner).is_ok() => {
                vec![List::Owned(owner.clone())]
            }
            (None, owner) => {
                let own = owner.is_none() && self.class != ClassFilter::Only(ImageClass::Public);
                let lists = [
                    own.then(|| List::Owned(me.clone())),
                    may_have(ImageClass::Shared).then(|| received(Status::Accepted)),
                    may_have(ImageClass::Public).then_some(List::Open(Visibility::Public)),
                ];
                lists.into_iter().flatten().collect()
            }
        }
    }

    /// The requested owner, if there is one.
    pub(super) fn owner(&self) -> Option<TenantId> {
        self.owner.clone()
    }

    /// Whether an image of the lists is requested.
    pub(super) fn includes(&self, visible: &VisibleImage) -> bool {
        let has_class = match self.class {
            ClassFilter::Any => ImageClass::classify(visible).is_some(),
            ClassFilter::Only(class) => ImageClass::classify(visible) == Some(class),
            ClassFilter::Empty => false,
        };
        has_class && self.owner.as_ref().is_none_or(|owner| visible.image.owner == *owner)
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
        for (query, expected) in [
            ("__imagetype=Gold", "__imagetype: expected one of gold, private, shared, market."),
            ("visibility=community", "visibility: expected one of public, private, shared."),
            ("member_status=", "member_status: expected one of pending, accepted, rejected."),
            ("owner=a%2Fb", "owner: expected 1 to 64 characters"),
        ] {
            let error = format!("{:?}", View::parse(&Query::parse(query).unwrap()).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    fn visible(visibility: Visibility, members: u32, reason: ListReason) -> VisibleImage {
        let image = Image { owner: "other".parse().unwrap(), visibility, ..fixtures::image(&[]) };
        VisibleImage { image, reason, members }
    }

    #[test]
    fn image_class_depends_on_the_caller() {
        use Visibility as V;
        let accepted = ListReason::Received(Status::Accepted);
        let table = [
            (visible(V::Public, 0, ListReason::Open), Some("gold")),
            (visible(V::Public, 2, ListReason::Owned), Some("gold")),
            (visible(V::Shared, 1, accepted), Some("shared")),
            (visible(V::Shared, 1, ListReason::Owned), Some("shared")),
            (visible(V::Shared, 0, ListReason::Owned), Some("private")),
            (visible(V::Private, 1, ListReason::Owned), Some("private")),
            (visible(V::Community, 0, ListReason::Owned), None),
        ];
        for (visible, expected) in table {
            assert_eq!(ImageClass::classify(&visible).map(ImageClass::image_type), expected, "{visible:?}");
        }
    }

    #[test]
    fn ims_view_excludes_unrequested_images() {
        let shows = |query: &str, visible: &VisibleImage| {
            View::parse(&Query::parse(query).unwrap()).unwrap().includes(visible)
        };
        let shared = visible(Visibility::Shared, 1, ListReason::Owned);
        assert!(shows("", &shared) && shows("visibility=shared", &shared));
        assert!(!shows("visibility=private", &shared) && !shows("__imagetype=gold", &shared));
        assert!(shows("owner=other", &shared) && !shows("owner=me", &shared));
        assert!(!shows("", &visible(Visibility::Community, 0, ListReason::Owned)));
    }
}
