//! The lists that a request selects by `visibility`, `member_status` and `owner` (`contract/glance.md` 2.6): the
//! caller's own images, those shared with it in these statuses, the public ones, the community images.

use super::query::Query;
use crate::domain::{Caller, Status, TenantId, Visibility, authorize_project};
use crate::facade::glance::Error;
use crate::store::List;
use crate::usecases::VisibleImage;

/// The requested visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VisibilityFilter {
    /// Every visibility, but of the community images only the caller's own.
    Default,
    All,
    Only(Visibility),
}

/// The three parameters that select lists.
#[derive(Debug)]
pub(super) struct View {
    visibility: VisibilityFilter,
    statuses: Vec<Status>,
    owner: Option<String>,
}

impl View {
    pub(super) fn parse(query: &Query) -> Result<Self, Error> {
        let visibility = match query.first("visibility") {
            None => VisibilityFilter::Default,
            Some("all") => VisibilityFilter::All,
            Some(text) => VisibilityFilter::Only(
                text.parse().map_err(|_| Error::bad_request(format!("Invalid visibility value: {text}")))?,
            ),
        };
        let statuses = match query.first("member_status") {
            None => vec![Status::Accepted],
            Some("all") => Status::ALL.to_vec(),
            Some(text) => {
                vec![text.parse().map_err(|_| Error::bad_request(format!("Invalid status: {text}")))?]
            }
        };
        Ok(Self { visibility, statuses, owner: query.first("owner").map(str::to_owned) })
    }

    /// The lists to merge. They may contain more than is requested: see [`View::includes`].
    ///
    /// An admin lists its own images, unless it names another owner.
    pub(super) fn lists(&self, caller: &Caller) -> Vec<List> {
        let me = &caller.tenant;
        let may_have = |visibilities: &[Visibility]| match self.visibility {
            VisibilityFilter::Only(visibility) => visibilities.contains(&visibility),
            VisibilityFilter::Default | VisibilityFilter::All => true,
        };
        match self.owner.as_deref().map(str::parse::<TenantId>) {
            Some(Err(_)) => return Vec::new(),
            Some(Ok(owner)) if authorize_project(caller, &owner).is_ok() => return vec![List::Owned(owner)],
            Some(Ok(_)) | None => {}
        }
        let mut lists = Vec::new();
        // Public and community images have lists of their own.
        if self.owner.is_none() && may_have(&[Visibility::Private, Visibility::Shared]) {
            lists.push(List::Owned(me.clone()));
        }
        if may_have(&[Visibility::Shared]) {
            lists.extend(self.statuses.iter().map(|status| List::Received(me.clone(), *status)));
        }
        if may_have(&[Visibility::Public]) {
            lists.push(List::Open(Visibility::Public));
        }
        if self.visibility != VisibilityFilter::Default && may_have(&[Visibility::Community]) {
            lists.push(List::Open(Visibility::Community));
        }
        lists
    }

    /// The requested owner, if there is one.
    pub(super) fn owner(&self) -> Option<TenantId> {
        self.owner.as_deref()?.parse().ok()
    }

    /// Whether an image of the lists is requested.
    pub(super) fn includes(&self, visible: &VisibleImage, caller: &Caller) -> bool {
        let image = &visible.image;
        let is_visible = match self.visibility {
            VisibilityFilter::All => true,
            VisibilityFilter::Default => {
                image.visibility != Visibility::Community || image.owner == caller.tenant
            }
            VisibilityFilter::Only(visibility) => image.visibility == visibility,
        };
        is_visible && self.owner.as_ref().is_none_or(|owner| image.owner.as_str() == owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Image, Role};
    use crate::http::fixtures;
    use crate::usecases::ListReason;

    fn caller(role: Role) -> Caller {
        Caller { tenant: "me".parse().unwrap(), account: None, user: None, access_key: None, role }
    }

    fn view(query: &str) -> Result<View, Error> {
        View::parse(&Query::parse(query).unwrap())
    }

    fn lists_for(role: Role, query: &str) -> String {
        let lists = view(query).unwrap().lists(&caller(role));
        lists.iter().map(List::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn glance_query_selects_the_expected_lists() {
        let table = [
            ("", "O#me T#me#accepted L#public"),
            ("visibility=shared", "O#me T#me#accepted"),
            ("visibility=shared&member_status=pending", "O#me T#me#pending"),
            ("visibility=shared&member_status=rejected", "O#me T#me#rejected"),
            ("visibility=shared&member_status=all", "O#me T#me#pending T#me#accepted T#me#rejected"),
            ("member_status=pending", "O#me T#me#pending L#public"),
            ("visibility=private", "O#me"),
            ("visibility=public", "L#public"),
            ("visibility=community", "L#community"),
            ("visibility=all", "O#me T#me#accepted L#public L#community"),
            ("owner=me&visibility=shared&member_status=pending", "O#me"),
            ("owner=other", "T#me#accepted L#public"),
            ("owner=other&visibility=shared&member_status=pending", "T#me#pending"),
            ("owner=other&visibility=private", ""),
            ("owner=a%23b", ""),
            ("owner=", ""),
        ];
        for (query, expected) in table {
            assert_eq!(lists_for(Role::Member, query), expected, "{query}");
        }
        assert_eq!(lists_for(Role::Admin, "owner=other&visibility=private"), "O#other");
    }

    #[test]
    fn invalid_view_value_returns_glance_message() {
        for (query, message) in [
            ("visibility=bogus", "\"Invalid visibility value: bogus\""),
            ("visibility=", "\"Invalid visibility value: \""),
            ("member_status=bogus", "\"Invalid status: bogus\""),
            ("member_status=", "\"Invalid status: \""),
        ] {
            assert!(format!("{:?}", view(query).unwrap_err()).contains(message), "{query}");
        }
    }

    #[test]
    fn glance_view_excludes_unrequested_images() {
        let visible = |owner: &str, visibility| VisibleImage {
            image: Image { owner: owner.parse().unwrap(), visibility, ..fixtures::image(&[]) },
            reason: ListReason::Owned,
            members: 0,
        };
        let shows =
            |query, visible: &VisibleImage| view(query).unwrap().includes(visible, &caller(Role::Member));
        let private = visible("me", Visibility::Private);
        assert!(shows("", &private) && shows("visibility=all", &private));
        assert!(!shows("visibility=shared", &private) && !shows("owner=other", &private));
        assert!(shows("", &visible("me", Visibility::Community)));
        assert!(!shows("", &visible("other", Visibility::Community)));
        assert!(shows("visibility=all&owner=other", &visible("other", Visibility::Community)));
    }
}
